"""What happened in a world, counted; for the sentence at the end."""

from __future__ import annotations

from collections import Counter


class Tally:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, what: str, times: int = 1) -> None:
        self._counts[what] += times

    def __getitem__(self, what: str) -> int:
        return self._counts[what]

    def figures(self) -> dict[str, int]:
        return dict(sorted(self._counts.items()))
