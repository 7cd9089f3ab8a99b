"""What all simulated devices share, and the clock that each has for itself."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from qanat.clock import Clock
from qanat.simulation.agenda import Agenda
from qanat.simulation.road import Road
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Truth
from qanat.units import Instant


class SkewedClock:
    """A device's own clock, off by so much."""

    def __init__(self, clock: Clock, skew_ms: int) -> None:
        self._clock = clock
        self.skew_ms = skew_ms

    def now(self) -> Instant:
        return Instant(self._clock.now() + self.skew_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all devices share."""

    clock: Clock
    agenda: Agenda
    random: Random
    road: Road
    truth: Truth
    tally: Tally
