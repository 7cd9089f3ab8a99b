"""How far the gate is allowed ahead of the traffic, how fast that is used up, and when to look again.

Pure, like the holder, whose notebook it reads.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from qanat.agents.holding import Manner, Totals, headroom
from qanat.agents.notebook import Notebook
from qanat.units import SECOND, Instant, Millis, Octets

GSO_OCTETS: Final = 65_536
"""The largest packet a gate can meet: nearer than this to its ceiling it may be dry without being full."""
LOOK_SOONEST: Final = Millis(50)
ANSWER_WITHIN: Final = Millis(200)
"""Whoever asks ahead asks so long before the serving quota ends: the server's answer is there by then."""
LOOK_AHEAD_SOONEST: Final = Millis(5)
MEASURED_OVER: Final = Millis(20)
"""Less than this says how packets bunch, not how fast they come."""
LOOK_AGAIN: Final = MEASURED_OVER
"""When a quota ended and only one is left, it went faster than was known: how fast is seen so soon."""


class Headway:
    __slots__ = (
        "_book",
        "_grown",
        "_grown_in_ms",
        "_is_surprised",
        "_left_over",
        "_manner",
        "_rate_per_s",
        "_spent",
        "ceiling",
        "is_depleted",
        "looked_at",
    )

    def __init__(self, book: Notebook, manner: Manner) -> None:
        self.ceiling = Octets(-1)
        """What the gate was last allowed."""
        self.is_depleted = False
        """The gate said that it met its ceiling, and was not raised since."""
        self.looked_at = Instant(0)
        self._book = book
        self._manner = manner
        self._rate_per_s = 0
        self._grown = self._grown_in_ms = 0
        self._is_surprised = False
        self._spent = self._left_over = Octets(0)

    # Looking

    def look(self, now: Instant) -> int:
        """Remember when the totals were read; return the milliseconds since the last time."""
        span, self.looked_at = max(1, now - self.looked_at), now
        return span

    def grew(self, octets: Octets, *, within_ms: int) -> None:
        self._grown, self._grown_in_ms = self._grown + octets, self._grown_in_ms + within_ms
        if self._grown_in_ms >= MEASURED_OVER:
            self._rate_per_s = (self._rate_per_s + self._grown * SECOND // self._grown_in_ms) // 2
            self._grown = self._grown_in_ms = 0

    def spent_to(self, spent: Octets) -> None:
        """The gate saw every quota run dry up to this total; what they left over does not pass before it is shut."""
        has_ended = spent > self._spent
        known = self._left_over if spent >= self._spent else 0
        self._spent, self._left_over = spent, Octets(max(known, spent - self._book.epoch.total))
        self._is_surprised = has_ended and len(self._ahead) < 2

    def said_dry(self, reading: Totals | None) -> None:
        is_near = reading is not None and reading.total + GSO_OCTETS >= self.ceiling
        self.is_depleted = self.is_depleted or is_near

    @property
    def is_dry(self) -> bool:
        """All that was granted is allowed and the gate met its ceiling: what is left is less than one packet.

        That crumb is kept and the next quota continues it: returned, it would be granted again, and again be too small.
        """
        return self.is_depleted and all(held.reserved >= held.octets for held in self._book.live)

    # Allowing

    @property
    def chunk(self) -> Octets:
        return self._manner.chunk_for(self._rate_per_s)

    @property
    def is_short(self) -> bool:
        return headroom(self._book.live) <= self.chunk // 2 or self.is_depleted

    @property
    def ends(self) -> tuple[Octets, ...]:
        """Where each quota ends, as running totals; the last is the ceiling that is due."""
        rooms = (headroom([held]) for held in self._book.live)
        return tuple(Octets(end) for end in accumulate(rooms, initial=self._book.epoch.total))[1:]

    def raised_to(self, ceiling: Octets) -> None:
        self.ceiling, self.is_depleted = ceiling, False

    # Asking for more

    @property
    def needs_more(self) -> bool:
        """One quota serves and one may wait: ask when the only one has run down to its threshold; a final one, dry.

        Whoever asks ahead does it so long before only the last one is left; where quotas are shorter than an answer takes,
        it has several waiting.
        """
        live = self._book.live
        if live and live[-1].final:
            return self.is_dry
        if self._manner.asks_ahead:
            ahead = self._ahead
            return len(ahead) < 2 or ahead[-2] <= self._asks_at
        if len(live) == 1:
            return self.is_dry or live[0].left <= live[0].threshold
        return not live

    def look_after(self, *, is_asking: bool) -> Millis:
        """Come back when a quarter of a chunk will be left at the present rate; of the last one, when all of it is gone.

        A gate that tells of halves is earlier than that; where the next quota waits already, the kernel tells.
        """
        if self._is_surprised:
            return LOOK_AGAIN
        if self._manner.asks_ahead:
            return self._manner.look_every if is_asking else self._look_ahead()
        ahead = headroom(self._book.live)
        spare = ahead - self.chunk // 4
        span = (spare if spare > 0 else ahead) * SECOND // max(1, self._rate_per_s)
        return Millis(min(self._manner.look_every, max(LOOK_SOONEST, span)))

    def _look_ahead(self) -> Millis:
        """Come back when it will be time to ask, at the present rate; once it is, looking helps no more."""
        ahead = self._ahead
        left = ahead[-2] - self._asks_at if len(ahead) > 1 else 0
        if left <= 0 or self._rate_per_s == 0:
            return self._manner.look_every
        span = left * SECOND // self._rate_per_s
        return Millis(min(self._manner.look_every, max(LOOK_AHEAD_SOONEST, span)))

    @property
    def _ahead(self) -> list[int]:
        """How much passes until the serving quota ends, and until those behind it do.

        One that ran dry left less than a packet over: it is spent, though not to the octet. A thousand of them are a
        megabyte that the totals lack.
        """
        total = self._book.epoch.total
        ends = accumulate((held.left for held in self._book.live), initial=total)
        return [end - total - self._left_over for end in ends if end > max(total, self._spent)]

    @property
    def _asks_at(self) -> Octets:
        """Ask for the next quota but one when no more than this is left of the serving one."""
        return Octets(self._rate_per_s * ANSWER_WITHIN // SECOND)
