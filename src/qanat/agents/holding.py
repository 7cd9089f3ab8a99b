"""What a holder holds: quotas, the epoch of the counters, and the arithmetic that attributes one to the other.

The gate counts up and down as two running totals. Whatever those totals grew by since the *mark* is attributed to the
quotas first in, first out. Only whole totals are compared, so a reading that is repeated or missed changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from qanat.units import MAX_OCTETS, SECOND, Instant, Millis, Octets
from qanat.wire.agent import Interrogation, QuotaGrant, UsageRow

CHUNK_MIN: Final = Octets(1 << 20)
CHUNK_MAX: Final = Octets(16 << 20)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What is charged so far, as running totals of one *source*: one boot of the machine and one gate or interface."""

    source: str
    up: Octets
    down: Octets
    spent: Octets = Octets(0)
    """Where the last grant ended that the gate has seen run dry: each may have left less than a packet over."""

    @property
    def total(self) -> Octets:
        return Octets(self.up + self.down)


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which the totals of one source only grow. The mark is how far they are attributed."""

    number: int
    source: str
    up: Octets
    down: Octets

    @property
    def total(self) -> Octets:
        return Octets(self.up + self.down)

    def follows(self, reading: Totals) -> bool:
        """Tell whether the reading continues this epoch; if not, its totals say nothing about what passed since."""
        return reading.source == self.source and reading.up >= self.up and reading.down >= self.down


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A quota in the holder's hands, and what passed under it."""

    quota: str
    octets: Octets
    valid_until: Instant
    threshold: Octets
    final: bool
    epoch: int
    up: Octets = Octets(0)
    down: Octets = Octets(0)
    reserved: Octets = Octets(0)
    """What the gate has been allowed under this quota: durable before the gate hears of it."""
    noted: Octets = Octets(0)
    """Use that the last row states: a row is written when there is more to say."""
    confirmed: Octets = Octets(0)
    """Use that the server has confirmed."""
    ended: bool = False

    @property
    def used(self) -> Octets:
        return Octets(self.up + self.down)

    @property
    def left(self) -> Octets:
        return Octets(max(0, self.octets - self.used))

    @property
    def is_settled(self) -> bool:
        """Nothing is left of it, and the server has confirmed all of its use."""
        return self.ended and not self.left and self.confirmed == self.used


class Session(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    next_number: int


class Snapshot(msgspec.Struct, kw_only=True):
    """All that a usage journal remembers: a holder made from it goes on where the last one was interrupted."""

    journal: str
    epoch: Epoch | None = None
    quotas: dict[str, Held] = {}
    rows: dict[int, UsageRow] = {}
    floor: int = 0
    next_seq: int = 1
    sessions: int = 0
    """How many sessions this journal has opened."""
    session: Session | None = None
    pending: Interrogation | None = None
    """A question without its answer: repeated with these exact contents."""

    @property
    def next_session(self) -> str:
        """A name that no session had, of a copy of this journal neither: it leaps with the numbers of the rows."""
        return f"{self.journal}.{self.next_seq + self.sessions}"


def hold(grant: QuotaGrant, *, epoch: int, ended: bool) -> Held:
    return Held(
        quota=grant.quota,
        octets=Octets(grant.octets),
        valid_until=grant.valid_until,
        threshold=Octets(grant.threshold),
        final=grant.final,
        epoch=epoch,
        ended=ended,
    )


def attribute(live: list[Held], *, up: Octets, down: Octets) -> list[Held]:
    """Charge the octets to the quotas in order; what is past the last quota's bound is charged to it all the same."""
    charged = []
    for place, held in enumerate(live):
        is_last = place == len(live) - 1
        room = up + down if is_last else held.left
        took_up = min(up, room)
        took_down = min(down, room - took_up)
        up, down = Octets(up - took_up), Octets(down - took_down)
        used = held.used + took_up + took_down
        charged.append(
            msgspec.structs.replace(
                held,
                up=held.up + took_up,
                down=held.down + took_down,
                reserved=Octets(max(held.reserved, used)),
            )
        )
    return charged


def reserve(live: list[Held], chunk: Octets) -> list[Held]:
    """Allow the next chunk ahead of what is used, across the quotas in order. An allowance never shrinks."""
    ahead, allowed = int(chunk), []
    for held in live:
        step = min(held.left, ahead)
        ahead -= step
        allowed.append(msgspec.structs.replace(held, reserved=Octets(max(held.reserved, held.used + step))))
    return allowed


def headroom(live: list[Held]) -> Octets:
    """Return what the gate may still let pass before it has to be raised."""
    return Octets(sum(held.reserved - held.used for held in live))


def close_at_reserved(held: Held) -> Held:
    """End a quota whose counters are gone: it is charged all that was allowed, never less than what passed."""
    return msgspec.structs.replace(held, down=Octets(max(held.down, held.reserved - held.up)), ended=True)


def chunk_for(rate_per_s: int) -> Octets:
    """Return the allowance for about half a second of traffic: few commits when fast, little to lose when slow."""
    return Octets(min(CHUNK_MAX, max(CHUNK_MIN, rate_per_s // 2)))


def whole_quotas(_rate_per_s: int) -> Octets:
    """Allow all that is held at once, so that each quota is one object in the kernel."""
    return MAX_OCTETS


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a holder goes about it: what fits one terminal that may lose power, or a base station with thousands."""

    session: str | None = None
    """The one session to hold, which was agreed on before; null opens one after another, as long as they are wanted."""
    is_over: bool = False
    """That session was closed before a crash: it is not opened again, only what is left of it is reported."""
    chunk_for: Callable[[int], Octets] = chunk_for
    """The allowance ahead of the traffic, by octets per second: as much is charged too much at most after a power cut."""
    asks_ahead: bool = False
    """Have a second quota waiting at all times; if not, ask when the only one has run down to its threshold."""
    look_every: Millis = SECOND
