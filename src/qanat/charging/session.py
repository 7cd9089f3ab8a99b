"""Sessions: what a holder of quotas and the server agree on, and the table of what may follow what.

Source: RFC 8506 §5 (credit-control sessions), §7 (state machines).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from qanat.ids import QuotaId
from qanat.ledger.book import Part
from qanat.ledger.work import Record
from qanat.refusals import Refusal
from qanat.units import Instant, Unit


class State(StrEnum):
    IDLE = "idle"
    OPEN = "open"
    CLOSED = "closed"


class Event(StrEnum):
    FIRST = "first"
    INTERMEDIATE = "intermediate"
    FINAL = "final"
    EXPIRED = "expired"
    """The last deadline passed without a word from the holder."""
    DISABLED = "disabled"
    """The operator ended it, or it was refused at once and its holder will not come back to end it."""
    ONCE = "once"
    """A single event: debited, given back or looked up at once (RFC 8506 §6)."""


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.IDLE, Event.FIRST): State.OPEN,
    (State.OPEN, Event.INTERMEDIATE): State.OPEN,
    (State.OPEN, Event.FINAL): State.CLOSED,
    (State.OPEN, Event.EXPIRED): State.CLOSED,  # reserved octets go home: RFC 8506 §7, Tcc
    (State.OPEN, Event.DISABLED): State.CLOSED,
    (State.IDLE, Event.ONCE): State.CLOSED,
    (State.CLOSED, Event.ONCE): State.CLOSED,
}

WHY_NOT: Final[dict[tuple[State, Event], Refusal]] = {
    (State.IDLE, Event.INTERMEDIATE): Refusal.UNKNOWN_SESSION,
    (State.IDLE, Event.FINAL): Refusal.UNKNOWN_SESSION,
    (State.OPEN, Event.FIRST): Refusal.SESSION_OPEN,
    (State.OPEN, Event.ONCE): Refusal.SESSION_OPEN,
    (State.CLOSED, Event.FIRST): Refusal.SESSION_CLOSED,
    (State.CLOSED, Event.INTERMEDIATE): Refusal.SESSION_CLOSED,
    (State.CLOSED, Event.FINAL): Refusal.SESSION_CLOSED,
}
"""What a holder is told when the table has no way on. Its usage is counted all the same."""


class Quota(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """Octets reserved for a holder; toward the ledger the same thing is a reservation."""

    id: QuotaId
    octets: int
    rating_group: int | None
    parts: tuple[Part, ...]
    """What is still reserved, and on which buckets."""
    valid_until: Instant
    deadline: Instant
    """When the sweeper releases it: validity plus grace."""
    used: int = 0
    unit: Unit = "octets"
    """What ``octets``, ``parts`` and ``used`` count, if it is not octets."""


class Grant(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """The answer to one request for units: a quota, or a refusal."""

    rating_group: int | None = None
    quota: QuotaId = QuotaId("")
    """Empty for a holder that names none."""
    octets: int = 0
    valid_until: Instant = Instant(0)
    threshold: int = 0
    """Ask for more when so many octets remain."""
    final: bool = False
    refusal: Refusal | None = None
    facts: dict[str, int | str] = {}
    unit: Unit = "octets"


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What an interrogation was told. Kept, so that a repeat is told the same."""

    number: int
    digest: int = 0
    """Of the request's contents: the same number with other contents is refused."""
    grants: tuple[Grant, ...] = ()
    refusal: Refusal | None = None
    """The whole interrogation was refused; what it reported was counted all the same."""
    facts: dict[str, int | str] = {}
    at: Instant = Instant(0)


ANSWERS_KEPT: Final = 4
"""A holder has one interrogation under way, a gateway one for each rating group: repeats come within the last few."""


WINDOW: Final = 48
"""Request numbers further behind the newest than this are taken for repeats (the anti-replay window of RFC 4303 §3.4.3)."""


LIVE: Final = "live/"
OVER: Final = "over/"
"""How the labels of sessions begin."""


class Session(Record, frozen=True, kw_only=True):
    """One credit-control session of a subscriber. Its ``due`` is the first deadline of a quota."""

    state: State = State.OPEN
    front: str = "agent"
    holder: str = ""
    """The terminal, base station or gateway that meters."""
    opened_at: Instant = Instant(0)
    last_at: Instant = Instant(0)
    used: int = 0
    rate: int = 0
    """Octets per second, as measured between reports."""
    measured_at: Instant = Instant(0)
    unmeasured: int = 0
    """Octets used since ``measured_at``."""
    quotas: tuple[Quota, ...] = ()
    answers: tuple[Answer, ...] = ()
    newest: int = -1
    """The highest request number answered; numbers need not arrive in order."""
    seen: int = 0
    """Bit n: request number ``newest − n`` was answered."""

    @property
    def label(self) -> str:
        """Live sessions come before those that are over: who lists them reads no other."""
        return f"{OVER if self.state is State.CLOSED else LIVE}{self.id}"

    @property
    def rests(self) -> bool:
        return self.state is State.CLOSED

    @property
    def reservations(self) -> tuple[Part, ...]:
        return tuple(part for quota in self.quotas for part in quota.parts)

    def answer_to(self, number: int) -> Answer | None:
        for answer in self.answers:
            if answer.number == number:
                return answer
        return None

    def has_seen(self, number: int) -> bool:
        """Tell whether this number was answered before, even if the answer is no longer kept."""
        behind = self.newest - number
        return behind >= WINDOW or (behind >= 0 and bool(self.seen >> behind & 1))
