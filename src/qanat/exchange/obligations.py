"""Obligations: who owes whom, and the offset: what somebody supplied pays for what it receives later, oldest first.

All that stands between two people is kept on the page of the pair, so that both always see the same, and an offset is one
decision. What one has given the other has obtained: both accounts are on that page, and so is what is owed for it. A
position account says the net of that, the obligations say what it consists of; the audit holds one against the other. Octets
are offset against octets, a currency against the same currency.
Source: the second document's background (two-way metering, reverse deduction).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.book import Account, Role, transfer
from qanat.ledger.work import Posting, Record, Work
from qanat.registry.names import subscriber_owner
from qanat.units import DAY, Instant, Millis, Octets, later

EXCHANGED: Final = "exchanged-octets"
"""The unit in which giving and obtaining are paired. The traffic itself was posted on the supplier's buckets before."""
_PAID_KEPT: Final = Millis(400 * DAY)
"""How long statements show what is paid."""


class PairLink(Record, frozen=True, kw_only=True):
    """On a subscriber's page, named after the other: there is something between them."""


class Paid(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """So much of an obligation was paid with an older one in the other direction, or with money."""

    paid_with: str
    amount: int
    at: Instant


class Obligation(Record, frozen=True, kw_only=True):
    """What one booking of a trade, named ``trade:booking``, or too large a payment left behind."""

    debtor: str
    creditor: str
    unit: str
    amount: int
    left: int
    since: Instant
    octets: Octets = Octets(0)
    """What the debtor obtained for it."""
    base_station: str = ""
    opened_at: Instant = Instant(0)
    booked_at: Instant = Instant(0)
    paid: tuple[Paid, ...] = ()
    """How it became smaller, with money or with older ones; what a younger one was paid with stands in that one only."""

    @property
    def trade(self) -> str:
        return self.id.rpartition(":")[0]

    @property
    def positions(self) -> tuple[Posting, ...]:
        return ((_position_id(self.unit, self.creditor), self.left), (_position_id(self.unit, self.debtor), -self.left))


class Offset(Record, frozen=True, kw_only=True):
    """A part of an obligation as statements show it. Versions before kept these beside the obligations."""

    obligation: str
    paid_with: str
    unit: str
    amount: int
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What stands between a subscriber and one other. ``net`` per unit: positive is what the other owes."""

    other: str
    net: dict[str, int]
    obligations: list[Obligation]
    offsets: list[Offset]


def pair_owner(one: str, other: str) -> Owner:
    """Return the page of a pair; neither name can contain the separator."""
    first, second = sorted((one, other))
    return Owner(f"pair/{first}~{second}")


def give(work: Work, new: Obligation) -> None:
    """Book what a trade brought: its creditor has given, its debtor has obtained, and owes for it."""
    given = _exchanged(work, new.owner, "given", new.creditor)
    transfer(work, given, _exchanged(work, new.owner, "obtained", new.debtor), new.octets)
    owe(work, new)


def owe(work: Work, new: Obligation) -> None:
    """Book an obligation and offset it against what the creditor owes, oldest first."""
    debtor, creditor, unit = new.debtor, new.creditor, new.unit
    paid, left = [], new.amount
    for old in open_obligations(work, debtor=creditor, creditor=debtor, unit=unit):
        part = min(left, old.left)
        if part:
            _reduce(work, old, part)
            paid.append(Paid(old.id, part, work.now))
            left -= part
    if new.amount:
        _move(work, new.owner, unit=unit, debtor=debtor, creditor=creditor, amount=new.amount)
    work.put(replace(new, left=left, paid=tuple(paid), due=None if left else later(work.now, _PAID_KEPT)))


def pay_off(work: Work, *, id: str, debtor: str, creditor: str, unit: str, amount: int) -> None:
    """Book a payment against what the debtor owes, oldest first. What is too much is owed back."""
    page = pair_owner(debtor, creditor)
    left = amount
    for old in open_obligations(work, debtor=debtor, creditor=creditor, unit=unit):
        part = min(left, old.left)
        if part:
            _reduce(work, old, part, Paid(id, part, work.now))
            _move(work, page, unit=unit, debtor=creditor, creditor=debtor, amount=part)
            left -= part
    if left:
        back = Obligation(
            owner=page, id=id, debtor=creditor, creditor=debtor, unit=unit, amount=left, left=left, since=work.now
        )
        owe(work, back)


def open_obligations(work: Work, *, debtor: str, creditor: str, unit: str) -> list[Obligation]:
    """Return what the debtor still owes the creditor, oldest first: nothing unless it owes on balance, as all is offset."""
    if net_owed(work, debtor=debtor, creditor=creditor, unit=unit) <= 0:
        return []
    found = [
        obligation
        for obligation in work.all(Obligation, pair_owner(debtor, creditor))
        if obligation.left and (obligation.debtor, obligation.creditor, obligation.unit) == (debtor, creditor, unit)
    ]
    return sorted(found, key=lambda obligation: (obligation.since, obligation.id))


def net_owed(work: Work, *, debtor: str, creditor: str, unit: str) -> int:
    """Return what the debtor owes on balance; negative when it is the other way round."""
    position = work.get(Account, pair_owner(debtor, creditor), _position_id(unit, creditor))
    return position.balance if position else 0


def link(work: Work, subscriber: str, other: str) -> bool:
    """Note with a subscriber that there is something between it and another; False if it was noted before."""
    page = subscriber_owner(subscriber)
    is_new = work.get(PairLink, page, other) is None
    if is_new:
        work.put(PairLink(owner=page, id=other))
    return is_new


def partners(work: Work, subscriber: str) -> list[str]:
    """Return those with whom there is or was something to settle."""
    return sorted(held.id for held in work.all(PairLink, subscriber_owner(subscriber)))


def statement(work: Work, subscriber: str) -> list[Statement]:
    """Tell a subscriber what is owed to and by it, and how offsets came about."""
    return [_statement_with(work, subscriber, other) for other in partners(work, subscriber)]


def _statement_with(work: Work, subscriber: str, other: str) -> Statement:
    page = pair_owner(subscriber, other)
    owed = [obligation for obligation in work.all(Obligation, page) if obligation.amount]
    owed.sort(key=lambda obligation: (obligation.since, obligation.id))
    offsets = [offset for obligation in owed for offset in _offsets(obligation)] + work.all(Offset, page)
    units = sorted({obligation.unit for obligation in owed})
    return Statement(
        other=other,
        net={unit: net_owed(work, debtor=other, creditor=subscriber, unit=unit) for unit in units},
        obligations=owed,
        offsets=sorted(offsets, key=lambda offset: (offset.at, offset.id)),
    )


def _offsets(obligation: Obligation) -> Iterator[Offset]:
    for part in obligation.paid:
        yield Offset(
            owner=obligation.owner,
            id=f"{obligation.id}~{part.paid_with}",
            obligation=obligation.id,
            paid_with=part.paid_with,
            unit=obligation.unit,
            amount=part.amount,
            at=part.at,
        )


def _reduce(work: Work, obligation: Obligation, amount: int, *paid: Paid) -> None:
    left = obligation.left - amount
    assert left >= 0, f"{amount} were to be paid on obligation {obligation.id}, {obligation.left} are left"
    due = None if left else later(work.now, _PAID_KEPT)
    work.put(replace(obligation, left=left, paid=obligation.paid + paid, due=due))


def _exchanged(work: Work, page: Owner, role: Role, name: str) -> Account:
    id = f"{role}/{name}"
    return work.get(Account, page, id) or Account(owner=page, id=id, role=role, unit=EXCHANGED)


def _move(work: Work, page: Owner, *, unit: str, debtor: str, creditor: str, amount: int) -> None:
    transfer(work, _position(work, page, unit, debtor), _position(work, page, unit, creditor), amount)


def _position(work: Work, page: Owner, unit: str, name: str) -> Account:
    id = _position_id(unit, name)
    return work.get(Account, page, id) or Account(owner=page, id=id, role="position", unit=f"owed-{unit}")


def _position_id(unit: str, name: str) -> str:
    return f"{unit}/{name}"
