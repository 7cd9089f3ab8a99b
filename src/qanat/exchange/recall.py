"""Recall: a supplier takes consent back, and what runs on its order ends.

A base station is told when it asks, until it has reported the end; what it was granted before may still be used, for
minutes at most.
"""

from __future__ import annotations

from msgspec.structs import replace

from qanat.exchange.authorise import still_authorised
from qanat.exchange.orders import SupplyOrder, stop_supply
from qanat.exchange.trades import Event, Trade, TradeLink, step
from qanat.ledger.transit import Parcel
from qanat.ledger.work import Work
from qanat.registry.names import base_station_owner, subscriber_owner
from qanat.registry.refused import remember


def stop(work: Work, order: SupplyOrder) -> SupplyOrder:
    """Stop a supply order and recall what runs on it, with the reason. Repeating is safe."""
    stopped = stop_supply(work, order)
    for trade in work.all(Trade, order.owner):
        if trade.order == order.id and trade.running:
            _recall(work, trade)
            why = still_authorised(work, trade, stopped)
            if why is not None:
                who, by = subscriber_owner(trade.demander), base_station_owner(trade.base_station)
                remember(work, why, who=who, by=by, session=trade.id)
    return stopped


def recalled_at(work: Work, base_station: str) -> list[str]:
    """Return the names of the trades that this base station must end."""
    links = work.all(TradeLink, base_station_owner(base_station))
    return sorted(link.id for link in links if link.recalled)


def receive_leaving(work: Work, parcel: Parcel) -> None:
    """A trade that was recalled has ended: its base station need not be told any more."""
    link = work.get(TradeLink, parcel.target, str(parcel.facts["trade"]))
    if link is not None:
        work.put(replace(link, recalled=False))


def _recall(work: Work, trade: Trade) -> None:
    step(work, trade, Event.STOPPED)
    link = work.get(TradeLink, base_station_owner(trade.base_station), trade.id)
    assert link is not None, f"base station {trade.base_station} carries trade {trade.id} and does not know it"
    work.put(replace(link, recalled=True))
