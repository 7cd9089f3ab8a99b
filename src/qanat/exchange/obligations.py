"""Obligations: who owes whom, and the offset: what somebody supplied pays for what it receives later, oldest first.

All that stands between two people is kept on the page of the pair, so that both always see the same, and an offset is one
decision. A position account says the net of it, the obligations say what it consists of; the audit holds one against the
other. Octets are offset against octets, a currency against the same currency.
Source: the second document's background (two-way metering, reverse deduction).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.book import Account, transfer
from qanat.ledger.work import Posting, Record, Work
from qanat.registry.names import subscriber_owner
from qanat.units import DAY, Instant, Millis, later

_PAID_KEPT: Final = Millis(400 * DAY)
"""How long statements show what is paid."""


class PairLink(Record, frozen=True, kw_only=True):
    """On a subscriber's page, named after the other: there is something between them."""


class Obligation(Record, frozen=True, kw_only=True):
    debtor: str
    creditor: str
    unit: str
    amount: int
    left: int
    since: Instant

    @property
    def positions(self) -> tuple[Posting, ...]:
        return ((_position_id(self.unit, self.creditor), self.left), (_position_id(self.unit, self.debtor), -self.left))


class Offset(Record, frozen=True, kw_only=True):
    """So much of a new obligation was paid with an older one in the other direction, or with money."""

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


def owe(work: Work, *, id: str, debtor: str, creditor: str, unit: str, amount: int, since: Instant) -> None:
    """Book an obligation and offset it against what the creditor owes, oldest first."""
    if not amount:
        return
    page = pair_owner(debtor, creditor)
    _move(work, page, unit=unit, debtor=debtor, creditor=creditor, amount=amount)
    new = Obligation(
        owner=page, id=id, debtor=debtor, creditor=creditor, unit=unit, amount=amount, left=amount, since=since
    )
    for old in open_obligations(work, debtor=creditor, creditor=debtor, unit=unit):
        part = min(new.left, old.left)
        if part:
            new = _reduce(work, new, part)
            _reduce(work, old, part)
            _note(work, page, obligation=new.id, paid_with=old.id, unit=unit, amount=part)
    work.put(new)


def pay_off(work: Work, *, id: str, debtor: str, creditor: str, unit: str, amount: int) -> None:
    """Book a payment against what the debtor owes, oldest first. What is too much is owed back."""
    page = pair_owner(debtor, creditor)
    left = amount
    for old in open_obligations(work, debtor=debtor, creditor=creditor, unit=unit):
        part = min(left, old.left)
        if part:
            _reduce(work, old, part)
            _note(work, page, obligation=old.id, paid_with=id, unit=unit, amount=part)
            _move(work, page, unit=unit, debtor=creditor, creditor=debtor, amount=part)
            left -= part
    owe(work, id=id, debtor=creditor, creditor=debtor, unit=unit, amount=left, since=work.now)


def open_obligations(work: Work, *, debtor: str, creditor: str, unit: str) -> list[Obligation]:
    """Return what the debtor still owes the creditor, oldest first."""
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


def link(work: Work, subscriber: str, other: str) -> None:
    """Note with a subscriber that there is something between it and another. Repeating changes nothing."""
    page = subscriber_owner(subscriber)
    if work.get(PairLink, page, other) is None:
        work.put(PairLink(owner=page, id=other))


def partners(work: Work, subscriber: str) -> list[str]:
    """Return those with whom there is or was something to settle."""
    return sorted(held.id for held in work.all(PairLink, subscriber_owner(subscriber)))


def statement(work: Work, subscriber: str) -> list[Statement]:
    """Tell a subscriber what is owed to and by it, and how offsets came about."""
    return [_statement_with(work, subscriber, other) for other in partners(work, subscriber)]


def _statement_with(work: Work, subscriber: str, other: str) -> Statement:
    page = pair_owner(subscriber, other)
    obligations = sorted(work.all(Obligation, page), key=lambda obligation: (obligation.since, obligation.id))
    units = sorted({obligation.unit for obligation in obligations})
    return Statement(
        other=other,
        net={unit: net_owed(work, debtor=other, creditor=subscriber, unit=unit) for unit in units},
        obligations=obligations,
        offsets=sorted(work.all(Offset, page), key=lambda offset: (offset.at, offset.id)),
    )


def _reduce(work: Work, obligation: Obligation, amount: int) -> Obligation:
    left = obligation.left - amount
    assert left >= 0, f"{amount} were to be paid on obligation {obligation.id}, {obligation.left} are left"
    reduced = replace(obligation, left=left, due=None if left else later(work.now, _PAID_KEPT))
    work.put(reduced)
    return reduced


def _note(work: Work, page: Owner, *, obligation: str, paid_with: str, unit: str, amount: int) -> None:
    work.put(
        Offset(
            owner=page,
            id=f"{obligation}~{paid_with}",
            obligation=obligation,
            paid_with=paid_with,
            unit=unit,
            amount=amount,
            at=work.now,
            due=later(work.now, _PAID_KEPT),
        )
    )


def _move(work: Work, page: Owner, *, unit: str, debtor: str, creditor: str, amount: int) -> None:
    transfer(work, _position(work, page, unit, debtor), _position(work, page, unit, creditor), amount)


def _position(work: Work, page: Owner, unit: str, name: str) -> Account:
    id = _position_id(unit, name)
    return work.get(Account, page, id) or Account(owner=page, id=id, role="position", unit=f"owed-{unit}")


def _position_id(unit: str, name: str) -> str:
    return f"{unit}/{name}"
