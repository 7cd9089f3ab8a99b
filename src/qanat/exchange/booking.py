"""Booking: at the end of a trade its supplier has given N octets and its demander has obtained them.

Two pages have to know: the supplier's, where the trade is marked as booked and the operators' clearing record is put beside
it, and the pair's, where giving, obtaining and what is owed for it are one booking (``obligations``). Where one commit holds
both, both are one decision. Where it does not, or something waits in the post already, the second is a parcel, which takes
effect once (``ledger.transit``). Usage that is reported after the end is booked as a further piece, so bookings of a trade
always add up to what was counted.
Source: docs/conformance.md, B6 and B7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from qanat.exchange import obligations, older
from qanat.exchange.clearing import ClearingRecord, clearing_owner, open_period
from qanat.exchange.disputes import receive_copy, reconcile
from qanat.exchange.obligations import Obligation
from qanat.exchange.prices import OCTET_FOR_OCTET
from qanat.exchange.recall import receive_leaving
from qanat.exchange.trades import Trade, count_obtained
from qanat.ids import Owner
from qanat.ledger import book
from qanat.ledger.transit import Parcel, Receipt, arrives, parcels_of, send, unpack
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import base_station_owner, name_of, subscriber_owner
from qanat.registry.subscribers import Subscriber
from qanat.registry.wallets import wallet_of, wallet_too_small
from qanat.units import MinorUnits, Octets, format_amount

Facts = dict[str, int | str]


def foresee(work: Work, trade: Trade) -> None:
    """Have the pages that booking will take, before a decision has gone far. Raises NotLoaded for all that are missing."""
    if work.one_commit:
        pages = [obligations.pair_owner(trade.supplier, trade.demander)]
        if trade.demand or not obligations.is_linked(work, trade.supplier, trade.demander):
            pages.append(subscriber_owner(trade.demander))
        work.need(pages)


def book_trade(work: Work, trade: Trade) -> None:
    """Book what was counted and not booked yet of an ended trade. Repeating books nothing."""
    assert not trade.running, f"trade {trade.id} is booked when it has ended, not before"
    reconcile(work, trade)
    octets = Octets(trade.counted - trade.booked)
    if not octets:
        return
    booked = replace(trade, booked=trade.counted, bookings=trade.bookings + 1)
    work.put(booked)
    is_first = obligations.link(work, trade.supplier, trade.demander)
    owed = _owed_for(work, booked, octets)
    if not trade.supplier_operator == trade.demander_operator == trade.station_operator:
        work.put(_cleared(work, booked, owed))
    _exchange(work, booked, owed, is_first=is_first)


def report_excess(work: Work, trade: Trade, excess: Octets) -> None:
    """Send what a base station reported beyond its grants to its own page, and open the dispute."""
    if excess:
        facts: Facts = {"octets": excess, "trade": trade.id}
        target = base_station_owner(trade.base_station)
        send(work, Parcel(sender=trade.owner, target=target, act="excess", facts=facts))
        reconcile(work, trade)


def excess_under_way(work: Work, supplier: Owner, base_station: Owner) -> int:
    """Return what a base station reported beyond its grants of this supplier's octets and its own page does not show yet."""
    sent = parcels_of(work, supplier)
    return sum(int(one.facts["octets"]) for one in sent if one.act == "excess" and one.target == base_station)


def pay(
    work: Work, subscriber: Subscriber, *, creditor: str, currency: str, amount: MinorUnits, id: str
) -> int | Refused:
    """Pay what is owed to somebody in a currency from the wallet. Returns the amount."""
    owed = obligations.net_owed(work, debtor=subscriber.id, creditor=creditor, unit=currency)
    owed -= _on_its_way(work, debtor=subscriber.id, creditor=creditor, currency=currency)
    if amount > owed:
        facts: Facts = {"debtor": subscriber.id, "creditor": creditor, "currency": currency}
        sums = {"owed": format_amount(max(owed, 0), currency), "amount": format_amount(amount, currency)}
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


def _on_its_way(work: Work, *, debtor: str, creditor: str, currency: str) -> int:
    """Return what the debtor has paid already and the page of the two has not heard of: else it would pay twice."""
    sender, page = subscriber_owner(debtor), obligations.pair_owner(debtor, creditor)
    heard = work.get(Receipt, page, sender)
    coming = [one for one in parcels_of(work, sender) if one.target == page and one.seq > (heard.seq if heard else 0)]
    return sum(int(one.facts["amount"]) for one in coming if one.act == "paid-off" and one.facts["unit"] == currency)


def receive(work: Work, parcels: Iterable[Parcel]) -> None:
    """Do what parcels say on the pages they are for, in the order in which they were sent. Repeating is safe."""
    for parcel in parcels:
        if arrives(work, parcel):
            RECEIVE[parcel.act](work, parcel)
            work.act = f"{parcel.act} received"


def _exchange(work: Work, trade: Trade, owed: Obligation, *, is_first: bool) -> None:
    """Let the demander have obtained what the supplier gave, at once where that can be one commit."""
    told = [_news_for_demander(trade, owed)] if is_first or trade.demand else []
    if work.one_commit and not parcels_of(work, trade.owner):
        obligations.owe(work, owed)
        for parcel in told:
            _obtained(work, parcel)
    else:
        facts: Facts = msgspec.to_builtins(owed)
        send(work, Parcel(sender=trade.owner, target=owed.owner, act="given", facts=facts), *told)


def _given(work: Work, parcel: Parcel) -> None:
    obligations.owe(work, msgspec.convert(parcel.facts, Obligation))


def _obtained(work: Work, parcel: Parcel) -> None:
    facts = parcel.facts
    obligations.link(work, name_of(parcel.target), str(facts["supplier"]))
    if facts["demand"]:
        count_obtained(work, parcel.target, str(facts["demand"]), Octets(int(facts["octets"])))


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
    "given": _given,
    "obtained from": _obtained,
    "obtained": older.obtained,
    "owed": older.owed,
    "left": receive_leaving,
    "excess": _excess,
    "dispute": receive_copy,
    "paid": _paid,
    "paid-off": _paid_off,
}
"""What each act of a parcel does on the receiving page."""


def _owed_for(work: Work, trade: Trade, octets: Octets) -> Obligation:
    supplier, demander, price = trade.supplier, trade.demander, trade.price
    amount = obligations.charge(work, creditor=supplier, debtor=demander, price=price, octets=octets)
    assert price.unit != OCTET_FOR_OCTET or amount == octets, "octet for octet is a gigabyte for a gigabyte"
    return Obligation(
        owner=obligations.pair_owner(supplier, demander),
        id=f"{trade.id}:{trade.bookings}",
        debtor=demander,
        creditor=supplier,
        unit=price.unit,
        amount=amount,
        left=amount,
        since=trade.ended_at or work.now,
        octets=octets,
        base_station=trade.base_station,
        opened_at=trade.opened_at,
        booked_at=work.now,
    )


def _news_for_demander(trade: Trade, owed: Obligation) -> Parcel:
    """Return what the demander's own page must know: with whom there is something between, and of its demand order."""
    facts: Facts = {"supplier": owed.creditor, "demand": trade.demand, "octets": owed.octets, "booked": trade.id}
    return Parcel(sender=trade.owner, target=subscriber_owner(trade.demander), act="obtained from", facts=facts)


def _cleared(work: Work, trade: Trade, owed: Obligation) -> ClearingRecord:
    return ClearingRecord(
        owner=clearing_owner(owed.id, trade.owner),
        id=owed.id,
        period=open_period(work, work.now),
        trade=trade.id,
        booking=trade.bookings,
        supplier_operator=trade.supplier_operator,
        demander_operator=trade.demander_operator,
        station_operator=trade.station_operator,
        supplier=owed.creditor,
        demander=owed.debtor,
        base_station=trade.base_station,
        octets=owed.octets,
        unit=owed.unit,
        amount=owed.amount,
        opened_at=trade.opened_at,
        booked_at=work.now,
        cause=trade.cause,
    )
