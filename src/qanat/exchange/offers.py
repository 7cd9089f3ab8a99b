"""Offers: the supply orders that a demander could draw on, before it is anywhere and asks for anything.

What an order promises here it may have given away a moment later; only admission at a base station decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qanat.exchange import identity
from qanat.exchange.bounds import left_in, shortage, worth_serving
from qanat.exchange.identity import IdentityCode
from qanat.exchange.matching import ranked
from qanat.exchange.orders import SupplyOrder, is_for
from qanat.ledger import book
from qanat.ledger.work import Work
from qanat.registry.base_stations import find_base_station
from qanat.registry.names import subscriber_owner
from qanat.units import Octets


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    order: SupplyOrder
    identity: IdentityCode
    """The supplier's: what a demander types in to be served by this one."""
    left: Octets
    places: tuple[str, ...]
    """Where it holds, as its base stations are called; empty is everywhere."""


def offers_for(work: Work, demander: str, suppliers: Iterable[str]) -> list[Offer]:
    """Return what these suppliers offer the demander now, the one to be tried first at the head."""
    orders = [
        order for one in sorted({*suppliers} - {demander}) for order in work.all(SupplyOrder, subscriber_owner(one))
    ]
    return [_offer(work, order) for order in ranked(work, demander, orders) if _serves(work, order, demander)]


def _serves(work: Work, order: SupplyOrder, demander: str) -> bool:
    return is_for(work, order, demander) and shortage(work, order, wanted=worth_serving(order)) is None


def _offer(work: Work, order: SupplyOrder) -> Offer:
    return Offer(
        order=order,
        identity=identity.issue(work, order.owner),
        left=Octets(min(left_in(work, order), book.available(work, order.owner))),
        places=tuple(
            station.place or station.id for id in order.base_stations if (station := find_base_station(work, id))
        ),
    )
