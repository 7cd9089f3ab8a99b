"""Booking: at the end of a trade its supplier has given N octets and its demander has obtained them.

The first half is one entry on the supplier's page: *given* against transit, and a parcel for each page on which something
follows: the demander obtains, the pair's obligation is booked and offset, the operators' clearing record is kept, the base
station's excess becomes its debt. Each parcel takes effect once (``ledger.transit``). Usage that is reported after the
end is booked as a further piece, so bookings of a trade always add up to what was counted.
Source: S5 (B6, B7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from qanat.exchange import obligations
from qanat.exchange.clearing import ClearingRecord, clearing_owner, open_period
from qanat.exchange.disputes import receive_copy, reconcile
from qanat.exchange.prices import OCTET_FOR_OCTET
from qanat.exchange.trades import KEPT, Trade, TradeLink, count_obtained
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


def book_trade(work: Work, trade: Trade) -> Trade:
    """Book what was counted and not booked yet of an ended trade. Repeating books nothing."""
    assert not trade.running, f"trade {trade.id} is booked when it has ended, not before"
    octets = Octets(trade.counted - trade.booked)
    reconcile(work, trade)
    if trade.bookings and not octets:
        return trade
    facts = _facts(trade, octets)
    booked = replace(trade, booked=trade.counted, bookings=trade.bookings + 1)
    work.put(booked)
    given = _own(work, trade.owner, "given")
    send(work, _parcel(trade, "obtained", subscriber_owner(trade.demander), facts, octets), source=given)
    send(work, _parcel(trade, "left", base_station_owner(trade.base_station), facts))
    if octets:
        obligations.link(work, trade.supplier, trade.demander)
        send(work, _parcel(trade, "owed", obligations.pair_owner(trade.supplier, trade.demander), facts))
        if len({trade.supplier_operator, trade.demander_operator, trade.station_operator}) > 1:
            send(work, _parcel(trade, "cleared", clearing_owner(str(facts["id"])), facts))
    return booked


def report_excess(work: Work, trade: Trade, excess: Octets) -> None:
    """Send what a base station reported beyond its grants to its own page, and open the dispute."""
    if excess:
        id = f"excess:{trade.id}:{trade.excess}"
        facts: Facts = {"octets": excess, "trade": trade.id}
        target = base_station_owner(trade.base_station)
        send(work, Parcel(owner=trade.owner, id=id, target=target, act="excess", facts=facts))
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
    target = subscriber_owner(creditor)
    paid = Parcel(
        owner=subscriber.owner, id=f"paid:{id}", target=target, act="paid", unit=currency, amount=amount, facts=facts
    )
    send(work, paid, source=wallet)
    pair = obligations.pair_owner(subscriber.id, creditor)
    send(work, Parcel(owner=subscriber.owner, id=f"paid-off:{id}", target=pair, act="paid-off", facts=facts))
    work.act = "paid"
    return amount


def receive(work: Work, parcel: Parcel) -> None:
    """Do what a parcel says, on the page it is for. Repeating is safe."""
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


def _left(work: Work, parcel: Parcel) -> None:
    link = work.get(TradeLink, parcel.target, str(parcel.facts["trade"]))
    if link is not None:
        work.put(replace(link, due=later(work.now, KEPT)))


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


def _cleared(work: Work, parcel: Parcel) -> None:
    facts = parcel.facts
    work.put(
        ClearingRecord(
            owner=parcel.target,
            id=str(facts["id"]),
            period=open_period(work, work.now),
            trade=str(facts["trade"]),
            booking=int(facts["booking"]),
            supplier_operator=str(facts["supplier_operator"]),
            demander_operator=str(facts["demander_operator"]),
            station_operator=str(facts["station_operator"]),
            supplier=str(facts["supplier"]),
            demander=str(facts["demander"]),
            base_station=str(facts["base_station"]),
            octets=Octets(int(facts["octets"])),
            unit=str(facts["unit"]),
            amount=int(facts["amount"]),
            opened_at=Instant(int(facts["opened_at"])),
            booked_at=work.now,
            cause=str(facts["cause"]),
        )
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
    "left": _left,
    "owed": _owed,
    "cleared": _cleared,
    "excess": _excess,
    "dispute": receive_copy,
    "paid": _paid,
    "paid-off": _paid_off,
}
"""What each act of a parcel does on the receiving page."""


def _parcel(trade: Trade, act: str, target: Owner, facts: Facts, octets: Octets | None = None) -> Parcel:
    return Parcel(
        owner=trade.owner,
        id=f"{act}:{facts['id']}",
        target=target,
        act=act,
        unit="" if octets is None else EXCHANGED,
        amount=octets or 0,
        facts=facts,
    )


def _facts(trade: Trade, octets: Octets) -> Facts:
    """Price running totals, so that rounding never loses anything between two bookings."""
    amount = trade.price.of(trade.counted) - trade.price.of(trade.booked)
    assert trade.price.unit != OCTET_FOR_OCTET or amount == octets, "octet for octet is a gigabyte for a gigabyte"
    return {
        "id": f"{trade.id}:{trade.bookings + 1}",
        "trade": trade.id,
        "booking": trade.bookings + 1,
        "supplier": trade.supplier,
        "demander": trade.demander,
        "demand": trade.demand,
        "base_station": trade.base_station,
        "supplier_operator": trade.supplier_operator,
        "demander_operator": trade.demander_operator,
        "station_operator": trade.station_operator,
        "octets": octets,
        "unit": trade.price.unit,
        "amount": amount,
        "opened_at": trade.opened_at,
        "ended_at": trade.ended_at or 0,
        "cause": trade.cause,
    }


def _own(work: Work, owner: Owner, role: book.Role) -> Account:
    return work.get(Account, owner, role) or Account(owner=owner, id=role, role=role, unit=EXCHANGED)
