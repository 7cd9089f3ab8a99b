"""Time as an argument: whoever needs the time is given a clock."""

from __future__ import annotations

from typing import Protocol

from qanat.units import Instant


class Clock(Protocol):
    def now(self) -> Instant:
        """Return the present, in milliseconds since 1970-01-01T00:00Z."""
        ...


class ManualClock:
    """A clock that moves only when it is told to; for tests and the simulator."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = Instant(now)

    def now(self) -> Instant:
        return self._now

    def advance(self, span: int) -> None:
        assert span >= 0, "time does not run backwards here"
        self.jump(span)

    def jump(self, span: int) -> None:
        """Set the clock, ahead or back, as a person or a time server does."""
        self._now = Instant(self._now + span)
