"""Booking: at the end of a trade its supplier has given N octets and its demander has obtained them.

The first half is one entry in the supplier's shard: *given* against transit, the operators' clearing record, and a parcel
for each page on which something follows: the demander obtains, the pair's obligation is booked and offset, the base
station's excess becomes its debt. Each parcel takes effect once (``ledger.transit``). Usage that is reported after the
end is booked as a further piece, so bookings of a trade always add up to what was counted.
Source: S5 (B6, B7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from msgspec.structs import replace

from qanat.exchange import obligations
from qanat.exchange.clearing import ClearingRecord, clearing_owner, open_period
from qanat.exchange.disputes import receive_copy, reconcile
from qanat.exchange.prices import OCTET_FOR_OCTET
from qanat.exchange.trades import KEPT, Trade, count_obtained, receive_leaving
from qanat.ids import Owner
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.transit import Parcel, arrives, send, unpack
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import base_station_owner, name_of, subscriber_owner
from qanat.registry.subscribers import Subscriber
from qanat.registry.wallets import wallet_of, wallet_too_small
from qanat.units import Instant, MinorUnits, Octets, format_money, later

EXCHANGED: Final = "exchanged-octets"
"""The unit in which giving and obtaining are paired. The traffic itself was posted on the supplier's buckets before."""

Facts = dict[str, int | str]


class TradeShare(Record, frozen=True, kw_only=True):
    """On the demander's page: what a trade brought."""

    supplier: str
    base_station: str
    octets: Octets
    unit: str
    amount: int
    opened_at: Instant
    booked_at: Instant


class Piece(NamedTuple):
    """One booking of a trade: what was given and obtained, and what is owed for it."""

    octets: Octets
    amount: int


def book_trade(work: Work, trade: Trade) -> Trade:
    """Book what was counted and not booked yet of an ended trade. Repeating books nothing."""
    assert not trade.running, f"trade {trade.id} is booked when it has ended, not before"
    reconcile(work, trade)
    piece = _piece(trade)
    if trade.bookings and not piece.octets:
        return trade
    booked = replace(trade, booked=trade.counted, bookings=trade.bookings + 1)
    work.put(booked)
    parcels = [_obtained_by(booked, piece)]
    if piece.octets:
        obligations.link(work, trade.supplier, trade.demander)
        parcels.append(_owed_for(booked, piece))
        if len({trade.supplier_operator, trade.demander_operator, trade.station_operator}) > 1:
            work.put(_cleared(work, booked, piece))
    send(work, *parcels, source=_own(work, trade.owner, "given"))
    return booked


def report_excess(work: Work, trade: Trade, excess: Octets) -> None:
    """Send what a base station reported beyond its grants to its own page, and open the dispute."""
    if excess:
        facts: Facts = {"octets": excess, "trade": trade.id}
        target = base_station_owner(trade.base_station)
        send(work, Parcel(sender=trade.owner, target=target, act="excess", facts=facts))
        reconcile(work, trade)


def pay(
    work: Work, subscriber: Subscriber, *, creditor: str, currency: str, amount: MinorUnits, id: str
) -> int | Refused:
    """Pay what is owed to somebody in a currency from the wallet. Returns the amount."""
    owed = obligations.net_owed(work, debtor=subscriber.id, creditor=creditor, unit=currency)
    if amount > owed:
        facts: Facts = {"debtor": subscriber.id, "creditor": creditor, "currency": currency}
        sums = {"owed": format_money(max(owed, 0)), "amount": format_money(amount)}
        return Refused(Refusal.NOTHING_OWED, {**facts, **sums})
    wallet = wallet_of(work, subscriber, currency)
    if wallet.available < amount:
        return wallet_too_small(wallet, amount)
    facts = {"id": id, "debtor": subscriber.id, "creditor": creditor, "unit": currency, "amount": amount}
    sender, target, pair = subscriber.owner, subscriber_owner(creditor), obligations.pair_owner(subscriber.id, creditor)
    paid = Parcel(sender=sender, target=target, act="paid", unit=currency, amount=amount, facts=facts)
    paid_off = Parcel(sender=sender, target=pair, act="paid-off", facts=facts)
    send(work, paid, paid_off, source=wallet)
    work.act = "paid"
    return amount


def receive(work: Work, parcels: Iterable[Parcel]) -> None:
    """Do what parcels say on the pages they are for, in the order in which they were sent. Repeating is safe."""
    for parcel in parcels:
        if arrives(work, parcel):
            RECEIVE[parcel.act](work, parcel)
            work.act = f"{parcel.act} received"


def _obtained(work: Work, parcel: Parcel) -> None:
    facts = parcel.facts
    unpack(work, parcel, _own(work, parcel.target, "obtained"))
    count_obtained(work, parcel.target, str(facts["demand"]), Octets(parcel.amount))
    if not parcel.amount:
        return
    obligations.link(work, name_of(parcel.target), str(facts["supplier"]))
    held = work.get(TradeShare, parcel.target, str(facts["trade"]))
    work.put(
        TradeShare(
            owner=parcel.target,
            id=str(facts["trade"]),
            supplier=str(facts["supplier"]),
            base_station=str(facts["base_station"]),
            octets=Octets(parcel.amount + (held.octets if held else 0)),
            unit=str(facts["unit"]),
            amount=int(facts["amount"]) + (held.amount if held else 0),
            opened_at=Instant(int(facts["opened_at"])),
            booked_at=work.now,
            due=later(work.now, KEPT),
        )
    )


def _owed(work: Work, parcel: Parcel) -> None:
    facts = parcel.facts
    obligations.owe(
        work,
        id=str(facts["id"]),
        debtor=str(facts["demander"]),
        creditor=str(facts["supplier"]),
        unit=str(facts["unit"]),
        amount=int(facts["amount"]),
        since=Instant(int(facts["ended_at"])),
    )


def _excess(work: Work, parcel: Parcel) -> None:
    """A base station's page has no bucket, so what is posted there is debt."""
    book.post(work, parcel.target, (), Octets(int(parcel.facts["octets"])))


def _paid(work: Work, parcel: Parcel) -> None:
    creditor = work.get(Subscriber, parcel.target, name_of(parcel.target))
    assert creditor is not None, f"{parcel.target} was owed something and is missing"
    unpack(work, parcel, wallet_of(work, creditor, parcel.unit))


def _paid_off(work: Work, parcel: Parcel) -> None:
    facts = parcel.facts
    obligations.pay_off(
        work,
        id=str(facts["id"]),
        debtor=str(facts["debtor"]),
        creditor=str(facts["creditor"]),
        unit=str(facts["unit"]),
        amount=int(facts["amount"]),
    )


RECEIVE: Final[dict[str, Callable[[Work, Parcel], None]]] = {
    "obtained": _obtained,
    "left": receive_leaving,
    "owed": _owed,
    "excess": _excess,
    "dispute": receive_copy,
    "paid": _paid,
    "paid-off": _paid_off,
}
"""What each act of a parcel does on the receiving page."""


def _piece(trade: Trade) -> Piece:
    """Price running totals, so that rounding never loses anything between two bookings."""
    octets = Octets(trade.counted - trade.booked)
    amount = trade.price.of(trade.counted) - trade.price.of(trade.booked)
    assert trade.price.unit != OCTET_FOR_OCTET or amount == octets, "octet for octet is a gigabyte for a gigabyte"
    return Piece(octets, amount)


def _obtained_by(trade: Trade, piece: Piece) -> Parcel:
    facts: Facts = {
        "trade": trade.id,
        "supplier": trade.supplier,
        "demand": trade.demand,
        "base_station": trade.base_station,
        "unit": trade.price.unit,
        "amount": piece.amount,
        "opened_at": trade.opened_at,
    }
    target = subscriber_owner(trade.demander)
    return Parcel(sender=trade.owner, target=target, act="obtained", unit=EXCHANGED, amount=piece.octets, facts=facts)


def _owed_for(trade: Trade, piece: Piece) -> Parcel:
    facts: Facts = {
        "id": _name(trade),
        "demander": trade.demander,
        "supplier": trade.supplier,
        "unit": trade.price.unit,
        "amount": piece.amount,
        "ended_at": trade.ended_at or 0,
    }
    pair = obligations.pair_owner(trade.supplier, trade.demander)
    return Parcel(sender=trade.owner, target=pair, act="owed", facts=facts)


def _cleared(work: Work, trade: Trade, piece: Piece) -> ClearingRecord:
    return ClearingRecord(
        owner=clearing_owner(_name(trade), trade.owner),
        id=_name(trade),
        period=open_period(work, work.now),
        trade=trade.id,
        booking=trade.bookings,
        supplier_operator=trade.supplier_operator,
        demander_operator=trade.demander_operator,
        station_operator=trade.station_operator,
        supplier=trade.supplier,
        demander=trade.demander,
        base_station=trade.base_station,
        octets=piece.octets,
        unit=trade.price.unit,
        amount=piece.amount,
        opened_at=trade.opened_at,
        booked_at=work.now,
        cause=trade.cause,
    )


def _name(trade: Trade) -> str:
    """Return the name of a trade's last booking."""
    return f"{trade.id}:{trade.bookings}"


def _own(work: Work, owner: Owner, role: book.Role) -> Account:
    return work.get(Account, owner, role) or Account(owner=owner, id=role, role=role, unit=EXCHANGED)
