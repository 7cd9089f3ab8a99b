"""How long something took, counted in buckets: what a histogram shows, at the price of two additions."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

BOUNDS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class Spans:
    total_s: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """How many fell at or below each bound and above the one before; the last: above all."""

    def add(self, span_s: float) -> None:
        self.total_s += span_s
        self.counts[bisect_left(BOUNDS_S, span_s)] += 1

    def cumulative(self) -> list[tuple[str, int]]:
        """Return for each bound, written as Prometheus does, how many were at or below it."""
        return list(zip([*map(str, BOUNDS_S), "+Inf"], accumulate(self.counts), strict=True))
