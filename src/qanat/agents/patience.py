"""Patience: when to ask again for a quota after answers that promised nothing further.

A message that found no server is the outbox's; here the server was there and had nothing, or nothing more. Pure, like the
holder.
"""

from __future__ import annotations

from typing import Final

from qanat.units import SECOND, Instant, Millis, later

ASK_AGAIN_S: Final = (0, 2, 4, 8, 15, 30, 60)
"""Waits after answers in a row that promised nothing further: a purchase is noticed within the last of these."""


class Patience:
    __slots__ = ("_vain_answers", "ask_at")

    def __init__(self) -> None:
        self.ask_at = Instant(0)
        """Not before this."""
        self._vain_answers = 0

    def renewed(self, now: Instant) -> None:
        """There may be something at once: the link changed, or a quota came with more behind it."""
        self.ask_at, self._vain_answers = now, 0

    def nothing_follows(self, now: Instant) -> None:
        """The quota that came is the last or over already, or the session is lost: ask at once, and later every time."""
        wait_s = ASK_AGAIN_S[min(self._vain_answers, len(ASK_AGAIN_S) - 1)]
        self._vain_answers += 1
        self.ask_at = later(now, Millis(wait_s * SECOND))

    def refused(self, now: Instant) -> None:
        """Nothing came: never ask at once."""
        self._vain_answers = max(1, self._vain_answers)
        self.nothing_follows(now)

    def allows(self, now: Instant) -> bool:
        return now >= self.ask_at

    def bound(self, now: Instant) -> None:
        """The clock may have been set back: no wait is longer than it was meant to be."""
        self.ask_at = min(self.ask_at, later(now, Millis(ASK_AGAIN_S[-1] * SECOND)))
