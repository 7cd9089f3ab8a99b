"""Says when the system's clock was set, by a person or a time server: whatever is due goes by it."""

from __future__ import annotations

from typing import Final

import structlog

from qanat.clock import Clock
from qanat.units import MINUTE

_log: Final = structlog.get_logger("clock")


class ClockWatch:
    """``steady`` goes on evenly meanwhile. A time server's small corrections are not worth a word."""

    def __init__(self, clock: Clock, steady: Clock) -> None:
        self._clock = clock
        self._steady = steady
        self._offset = clock.now() - steady.now()

    def look(self) -> None:
        """Say it if the clock was set since the last look."""
        before, self._offset = self._offset, self._clock.now() - self._steady.now()
        ahead_s = (self._offset - before) // 1000
        if ahead_s >= MINUTE // 1000:
            _log.warning("the clock was set ahead: what was due in between expires now", by_s=ahead_s)
        elif ahead_s <= -MINUTE // 1000:
            _log.warning("the clock was set back: what is due waits so much longer", by_s=-ahead_s)
