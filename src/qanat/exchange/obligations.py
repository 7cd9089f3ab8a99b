"""Obligations: who owes whom, and the offset: what somebody supplied pays for what it receives later, oldest first.

All that stands between two people is kept on the page of the pair, so that both always see the same, and an offset is one
decision. What one has given the other has obtained: both accounts are on that page, and so is what is owed for it. A
position account says the net of that, the obligations say what it consists of; the audit holds one against the other. Octets
are offset against octets, a currency against the same currency.
Source: docs/conformance.md, B7; docs/decisions/0008.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from qanat.exchange.prices import Price
from qanat.ids import Owner
from qanat.ledger.book import Account
from qanat.ledger.work import Balance, Posting, Record, Work
from qanat.registry.names import name_of, subscriber_owner
from qanat.units import DAY, Instant, Millis, Octets, later

EXCHANGED: Final = "exchanged-octets"
"""The unit in which giving and obtaining are paired. The traffic itself was posted on the supplier's buckets before."""
_ACCOUNTS: Final = "accounts"
_PAID_KEPT: Final = Millis(400 * DAY)
"""How long statements show what is paid."""


class PairLink(Record, frozen=True, kw_only=True):
    """On a subscriber's page, named after the other: there is something between them."""

    rest: dict[str, int] = {}
    """By currency, what the other obtained for less than a minor unit and was not charged yet, in billionths of one."""


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


class PairAccounts(Record, frozen=True, kw_only=True):
    """The accounts of a pair, all in one record: each stands opposite to one of the other's."""

    given: dict[str, int] = {}
    """By who gave it: octets, which the other obtained."""
    owed: dict[str, int] = {}
    """By unit: what the second, in the order of names, owes the first; negative, what it is owed."""

    def is_first(self, name: str) -> bool:
        return self.owner.startswith(f"pair/{name}~")

    def net(self, unit: str, *, creditor: str) -> int:
        """Return what the creditor is owed on balance."""
        owed = self.owed.get(unit, 0)
        return owed if self.is_first(creditor) else -owed

    @property
    def balances(self) -> tuple[Balance, ...]:
        first, second = sides = name_of(self.owner).split("~")
        found: list[Balance] = []
        for giver, octets in self.given.items():
            other = sides[giver == first]
            found.append(Balance(f"given/{giver}", "given", EXCHANGED, -octets))
            found.append(Balance(f"obtained/{other}", "obtained", EXCHANGED, octets))
        for unit, amount in self.owed.items():
            found.append(Balance(_position_id(unit, first), "position", f"owed-{unit}", amount))
            found.append(Balance(_position_id(unit, second), "position", f"owed-{unit}", -amount))
        return tuple(found)


class _Sides(NamedTuple):
    creditor: str
    debtor: str


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


def owe(work: Work, new: Obligation) -> None:
    """Book what was given, obtained and is owed for it, and offset that against what the creditor owes, oldest first."""
    accounts = _accounts(work, new.owner)
    paid, left = [], new.amount
    for old in _still_open(work, accounts, debtor=new.creditor, creditor=new.debtor, unit=new.unit):
        part = min(left, old.left)
        if part:
            _reduce(work, old, part)
            paid.append(Paid(old.id, part, work.now))
            left -= part
    between = _Sides(creditor=new.creditor, debtor=new.debtor)
    _post(work, accounts, between, unit=new.unit, amount=new.amount, octets=new.octets)
    work.put(replace(new, left=left, paid=tuple(paid), due=None if left else later(work.now, _PAID_KEPT)))


def pay_off(work: Work, *, id: str, debtor: str, creditor: str, unit: str, amount: int) -> None:
    """Book a payment against what the debtor owes, oldest first. What is too much is owed back."""
    accounts = _accounts(work, pair_owner(debtor, creditor))
    left = amount
    for old in _still_open(work, accounts, debtor=debtor, creditor=creditor, unit=unit):
        part = min(left, old.left)
        if part:
            _reduce(work, old, part, Paid(id, part, work.now))
            left -= part
    _post(work, accounts, _Sides(creditor=debtor, debtor=creditor), unit=unit, amount=amount - left)
    if left:
        page, now = accounts.owner, work.now
        owe(
            work,
            Obligation(
                owner=page, id=id, debtor=creditor, creditor=debtor, unit=unit, amount=left, left=left, since=now
            ),
        )


def net_owed(work: Work, *, debtor: str, creditor: str, unit: str) -> int:
    """Return what the debtor owes on balance; negative when it is the other way round."""
    return _accounts(work, pair_owner(debtor, creditor)).net(unit, creditor=creditor)


def link(work: Work, subscriber: str, other: str) -> bool:
    """Note with a subscriber that there is something between it and another; False if it was noted before."""
    if is_linked(work, subscriber, other):
        return False
    work.put(PairLink(owner=subscriber_owner(subscriber), id=other))
    return True


def charge(work: Work, *, creditor: str, debtor: str, price: Price, octets: Octets) -> int:
    """Return what is to be owed for octets between two who are linked; less than a minor unit is charged with what follows."""
    held = work.get(PairLink, subscriber_owner(creditor), debtor)
    assert held is not None, f"{creditor} gave to {debtor}, and there is nothing between them"
    carried = held.rest.get(price.unit, 0)
    amount, rest = price.of(octets, carried=carried)
    if rest != carried:
        work.put(replace(held, rest={**held.rest, price.unit: rest}))
    return amount


def is_linked(work: Work, subscriber: str, other: str) -> bool:
    return work.get(PairLink, subscriber_owner(subscriber), other) is not None


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


def _still_open(work: Work, accounts: PairAccounts, *, debtor: str, creditor: str, unit: str) -> list[Obligation]:
    """Return what the debtor still owes, oldest first: nothing unless it owes on balance, since what can be is offset."""
    if accounts.net(unit, creditor=creditor) <= 0:
        return []
    found = [
        one
        for one in work.records(Obligation, accounts.owner).values()
        if one.left and one.debtor == debtor and one.unit == unit
    ]
    return sorted(found, key=lambda obligation: (obligation.since, obligation.id))


def _post(work: Work, accounts: PairAccounts, between: _Sides, *, unit: str, amount: int, octets: int = 0) -> None:
    """Add to what the creditor gave and the debtor obtained, and to what is owed for it."""
    page, owed, given = accounts.owner, accounts.owed, accounts.given
    creditor, debtor = between
    if amount:
        owed = {**owed, unit: owed.get(unit, 0) + (amount if accounts.is_first(creditor) else -amount)}
        work.post(page, _position_id(unit, creditor), amount)
        work.post(page, _position_id(unit, debtor), -amount)
    if octets:
        given = {**given, creditor: given.get(creditor, 0) + octets}
        work.post(page, f"given/{creditor}", -octets)
        work.post(page, f"obtained/{debtor}", octets)
    work.put(replace(accounts, owed=owed, given=given))
    for older in work.all(Account, page):
        work.drop(older)


def _accounts(work: Work, page: Owner) -> PairAccounts:
    """Return a pair's accounts; versions before kept positions apart, which are taken over."""
    held = work.get(PairAccounts, page, _ACCOUNTS)
    if held is None:
        held = PairAccounts(owner=page, id=_ACCOUNTS)
        for older in work.all(Account, page):
            unit, _, name = older.id.rpartition("/")
            if held.is_first(name):
                held = replace(held, owed={**held.owed, unit: older.balance})
    return held


def _position_id(unit: str, name: str) -> str:
    return f"{unit}/{name}"
