"""Matching: which supply order a demander is given.

Prefers what the demander has coming by offset (a supplier who owes it octets or money), then the lower price, then the
older order. Octet for octet costs no money and so comes before every price.
"""

from __future__ import annotations

from collections.abc import Iterable

from qanat.exchange.obligations import net_owed
from qanat.exchange.orders import SupplyOrder
from qanat.ledger.work import Work


def ranked(work: Work, demander: str, orders: Iterable[SupplyOrder]) -> list[SupplyOrder]:
    """Return the orders, the one to be tried first at the head."""
    return sorted(orders, key=lambda order: _rank(work, demander, order))


def _rank(work: Work, demander: str, order: SupplyOrder) -> tuple[bool, int, int, str]:
    due = net_owed(work, debtor=order.supplier, creditor=demander, unit=order.price.unit)
    return (due <= 0, order.price.money, order.opened_at, order.id)
