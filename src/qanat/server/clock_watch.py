"""Says when the system's clock was set, by a person or a time server, or is wrong from the start: whatever is due goes by it."""

from __future__ import annotations

from typing import Final

import structlog

from qanat.clock import Clock
from qanat.units import MINUTE, SECOND, Instant, format_instant

_log: Final = structlog.get_logger("clock")
_WORTH_A_WORD_S: Final = MINUTE // SECOND


def compare(now: Instant, newest: Instant | None) -> None:
    """Say it if the clock is behind the ``newest`` entry of the books, which was there before."""
    if newest is not None and newest - now >= MINUTE:
        _log.warning(
            "the clock is behind the books: what is due waits so much longer, and usage is booked at the wrong time",
            by_s=(newest - now) // SECOND,
            last_entry=format_instant(newest),
            cure="Set the clock, as `timedatectl set-ntp true` does. If it is right, it was ahead when that was written.",
        )


class ClockWatch:
    """``steady`` goes on evenly meanwhile. A time server's small corrections are not worth a word."""

    def __init__(self, clock: Clock, steady: Clock) -> None:
        self._clock = clock
        self._steady = steady
        self._offset = clock.now() - steady.now()

    def look(self) -> None:
        """Say it if the clock was set since the last look."""
        before, self._offset = self._offset, self._clock.now() - self._steady.now()
        ahead_s = (self._offset - before) // SECOND
        if ahead_s >= _WORTH_A_WORD_S:
            _log.warning("the clock was set ahead: what was due in between expires now", by_s=ahead_s)
        elif ahead_s <= -_WORTH_A_WORD_S:
            _log.warning("the clock was set back: what is due waits so much longer", by_s=-ahead_s)
