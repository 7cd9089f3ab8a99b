"""Waiting for what can be observed, with a deadline; there is no other waiting in the lab."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from qanat.errors import Fault

_LOOK_EVERY_S: Final = 0.05
PATIENCE_S: Final = 120
"""What comes on a quick machine within a second comes on one that others use, or whose disk stalls, within this."""

T = TypeVar("T")


class TooLate(Fault):
    """What was waited for did not happen in time."""

    def __init__(self, what: str, within_s: float) -> None:
        super().__init__(f"waited {within_s:g} s in vain: {what}")


def until(observe: Callable[[], T | None], what: str, *, within_s: float = PATIENCE_S) -> T:
    """Observe until something comes back that is true, and return it. Raises TooLate."""
    deadline = time.monotonic() + within_s
    while True:
        if seen := observe():
            return seen
        if time.monotonic() >= deadline:
            raise TooLate(what, within_s)
        time.sleep(_LOOK_EVERY_S)
