"""Idleness: how long a demander's gate has stood open and not one octet has passed.

Who walks away without a word would stay online as long as the order lasts. What to do about it is for the session.
Source: RFC 2865 §5.28 (Idle-Timeout).
"""

from __future__ import annotations

from typing import Final

from qanat.units import MINUTE, Instant, Millis, Octets

_LOOK_MAX: Final = Millis(MINUTE)
"""A look comes more often; a clock that was set in between makes nobody idle."""


class Idleness:
    __slots__ = ("_looked_at", "_total", "_was_open", "lasted")

    def __init__(self, now: Instant, total: Octets) -> None:
        self.lasted = Millis(0)
        self._looked_at = now
        self._total = total
        self._was_open = False

    def look(self, now: Instant, total: Octets, *, is_open: bool) -> None:
        """Take what has passed so far. While the gate stays shut nothing can pass, which is not the demander's doing."""
        if total != self._total:
            self.lasted = Millis(0)
        elif is_open or self._was_open:
            self.lasted = Millis(self.lasted + min(_LOOK_MAX, max(0, now - self._looked_at)))
        self._looked_at, self._total, self._was_open = now, total, is_open
