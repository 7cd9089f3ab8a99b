"""The agenda: what will happen, in the order of virtual time. Nothing moves the clock but this."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from qanat.clock import ManualClock
from qanat.units import Instant, Millis, later


class Agenda:
    """Two things at the same moment happen in the order in which they were arranged."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._heap: list[tuple[Instant, int, Callable[[], None]]] = []
        self._arranged = 0

    @property
    def now(self) -> Instant:
        return self._clock.now()

    def at(self, when: Instant, act: Callable[[], None]) -> None:
        self._arranged += 1
        heappush(self._heap, (max(when, self.now), self._arranged, act))

    def after(self, span: int, act: Callable[[], None]) -> None:
        self.at(later(self.now, Millis(span)), act)

    def run_for(self, span: int) -> None:
        """Let so much time pass, with all that happens in it."""
        end = later(self.now, Millis(span))
        while self._heap and self._heap[0][0] <= end:
            when, _, act = heappop(self._heap)
            self._clock.advance(when - self.now)
            act()
        self._clock.advance(end - self.now)
