"""Notices inside the server: what happened to a subscriber that those who serve its sessions should know.

Nothing rests on a notice: who misses one finds out with the next request.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from qanat.ids import Owner


class Change(Enum):
    RICHER = auto()
    """There is more to grant: a purchase or a top-up."""
    BARRED = auto()
    """Nothing may be granted any more."""


Listener = Callable[[Owner, Change], None]


class Notices:
    def __init__(self) -> None:
        self.onward: Listener | None = None
        """Where a notice goes beside those who listen here: to the other workers."""
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def tell(self, owner: Owner, change: Change) -> None:
        self.hear(owner, change)
        if self.onward is not None:
            self.onward(owner, change)

    def hear(self, owner: Owner, change: Change) -> None:
        """Take a notice that another worker told."""
        for listener in self._listeners:
            listener(owner, change)
