"""Bounds: how much may be promised now, of what the order, the demander and the supplier's buckets leave.

Judged before a trade is opened, and anew at every grant.
Source: docs/conformance.md, B3 (the supplier's traffic covers the request) and B5 (judged in real time).
"""

from __future__ import annotations

from typing import Final

from qanat.exchange.orders import SupplyOrder
from qanat.exchange.trades import Trade
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.units import MAX_OCTETS, Instant, Octets, format_instant

PACKET: Final = Octets(1_500)
"""The longest packet of most links (IEEE 802.3): what lets none through serves nobody."""


def worth_serving(order: SupplyOrder) -> Octets:
    """Return the least that an order must cover for somebody who does not say how much: a packet, unless it was smaller."""
    return Octets(min(PACKET, order.total, order.per_day or PACKET))


def shortage(work: Work, order: SupplyOrder, *, wanted: int) -> Refused | None:
    """Tell why the order and its supplier can't cover ``wanted`` octets now, if they can't."""
    facts: dict[str, int | str] = {"order": order.id, "holder": order.supplier, "wanted": wanted}
    left = _left_in_all(order)
    if left < wanted:
        return Refused(Refusal.ORDER_EXHAUSTED, {**facts, "left": max(left, 0), "total": order.total})
    left = left_in(work, order)
    if left < wanted:
        return Refused(Refusal.ORDER_USED_UP_TODAY, {**facts, "left": max(left, 0), "per_day": order.per_day or 0})
    available = book.available(work, order.owner)
    if available < wanted:
        return _supplier_short(work, order, available=available, wanted=wanted)
    return None


def room(work: Work, trade: Trade, order: SupplyOrder) -> Octets:
    """Return how much may be promised now: what order and demander leave. The supplier's buckets are judged with it."""
    left = left_in(work, order)
    if trade.limit is not None:
        left = min(left, trade.limit - trade.counted - trade.outstanding)
    return Octets(max(0, min(left, MAX_OCTETS)))


def bounded_out(work: Work, trade: Trade, order: SupplyOrder) -> Refused | None:
    """Tell why nothing more can be promised to this trade, if so."""
    if trade.limit is not None and trade.counted + trade.outstanding >= trade.limit:
        facts: dict[str, int | str] = {"demand": trade.demand or trade.id, "demander": trade.demander}
        return Refused(Refusal.DEMAND_OBTAINED, {**facts, "total": trade.limit})
    return shortage(work, order, wanted=1)


def left_in(work: Work, order: SupplyOrder) -> int:
    """Return how much an order leaves to be promised now, in all and today; below zero once late reports took more."""
    today = order.left_today(work.now)
    left = _left_in_all(order)
    return left if today is None else min(left, today - order.promised + order.silent)


def _left_in_all(order: SupplyOrder) -> int:
    return order.total - order.given - order.promised


def _supplier_short(work: Work, order: SupplyOrder, *, available: Octets, wanted: int) -> Refused:
    buckets = [
        account for account in work.all(Account, order.owner) if account.role == "bucket" and account.unit == "octets"
    ]
    if buckets and all(bucket.expired(work.now) for bucket in buckets):
        at = format_instant(max(bucket.expires_at or Instant(0) for bucket in buckets))
        return Refused(Refusal.SUPPLIER_EXPIRED, {"supplier": order.supplier, "at": at})
    facts: dict[str, int | str] = {"supplier": order.supplier, "available": available, "wanted": wanted}
    return Refused(Refusal.SUPPLIER_SHORT, facts)
