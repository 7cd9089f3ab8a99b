"""The server's time, as far as an agent knows it. The machine's own clock is never set."""

from __future__ import annotations

from typing import Final

from qanat.clock import Clock
from qanat.units import Instant

TOLERANCE_MS: Final = 2_000
"""A smaller difference may be the message's own way, and is no reason to move."""


class CorrectedClock:
    """A clock with an offset that is learnt from the server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offset_ms = 0

    def now(self) -> Instant:
        return Instant(self._clock.now() + self.offset_ms)

    def learn(self, server_time: Instant) -> None:
        if abs(server_time - self.now()) > TOLERANCE_MS:
            self.offset_ms = server_time - self._clock.now()
