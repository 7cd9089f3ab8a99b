"""``qanat bench trades``: trades end, and what each comes to is booked on the pages of those it concerns.

Client and store are one process, as in ``bench ledger``. Trades that ran are written first: people trade within circles, in
both directions, at base stations and under operators of their own. Measured is what the end of each sets off, until it is
durable on every page: the supplier has given, the demander has obtained, what is owed is booked and offset, the operators
have their clearing record. At the end given is obtained, to the octet, and nothing is under way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from qanat.bench.figures import Figures, figures
from qanat.bench.machine import cpu_s, rss_mb
from qanat.exchange.booking import book_trade, foresee
from qanat.exchange.obligations import EXCHANGED
from qanat.exchange.prices import Price
from qanat.exchange.trades import Event, Trade, TradeLink, end, find_trade
from qanat.ids import Owner
from qanat.ledger.transit import Parcel, parcels_of
from qanat.ledger.work import Work
from qanat.registry.names import base_station_owner, name_of, subscriber_owner
from qanat.server.trading import carry
from qanat.store.store import Store, open_store
from qanat.system import SystemClock, fresh_id, tune
from qanat.units import Octets

CIRCLE: Final = 5
"""So many people trade with each other, everyone with everyone."""
_BASE_STATIONS: Final = 50
_OPERATORS: Final = ("north", "south", "west")
_OCTETS: Final = 1_000_003
_AT_ONCE: Final = 64


@dataclass(slots=True)
class _Load:
    store: Store
    waiting: Iterator[Trade]
    latencies: list[float] = field(default_factory=list)
    octets: int = 0


async def bench_trades(database: str, *, trades: int, in_flight: int, subscribers: int) -> Figures:
    """End so many trades, so many of them at once. Raises StoreFault."""
    tune()
    store = await open_store(database, SystemClock())
    try:
        ran = _trades(fresh_id("bench"), trades, subscribers)
        await _write(store, ran)
        load = _Load(store, iter(ran))
        begun, cpu_before = time.perf_counter(), cpu_s()
        await asyncio.gather(*(_end_next(load) for _ in range(in_flight)))
        elapsed, cpu = time.perf_counter() - begun, cpu_s() - cpu_before
        return figures(
            load.latencies, seconds=elapsed, server_cpu_s=cpu, server_rss_mb=rss_mb(), conserved=await _conserved(load)
        )
    finally:
        await store.close()


async def _end_next(load: _Load) -> None:
    for trade in load.waiting:
        begun = time.perf_counter()
        posted = await load.store.decide(partial(_end, trade=trade))
        await carry(load.store, posted)
        load.latencies.append(time.perf_counter() - begun)
        load.octets += trade.counted


def _end(work: Work, trade: Trade) -> tuple[Parcel, ...]:
    ran = find_trade(work, trade.supplier, trade.id)
    assert ran is not None, f"trade {trade.id} was written before"
    foresee(work, ran)
    book_trade(work, end(work, ran, Event.FINAL))
    return parcels_of(work, trade.owner)


def _trades(run: str, count: int, subscribers: int) -> list[Trade]:
    """Make up trades: one after the other they are of other people, and each meets the same four again and again."""
    return [_trade(run, number, subscribers) for number in range(count)]


def _trade(run: str, number: int, subscribers: int) -> Trade:
    supplier, turn = number % subscribers, number // subscribers
    circle = supplier - supplier % CIRCLE
    demander = circle + (supplier + 1 + turn % (CIRCLE - 1)) % CIRCLE
    station = number * 7919 % _BASE_STATIONS
    return Trade(
        owner=subscriber_owner(f"{run}-{supplier}"),
        id=f"trd-{run}-{number}",
        order="bench",
        demander=f"{run}-{demander}",
        base_station=f"{run}-{station}",
        supplier_operator=_operator(supplier),
        demander_operator=_operator(demander),
        station_operator=_operator(station),
        price=Price(),
        opened_at=SystemClock().now(),
        counted=Octets(_OCTETS + number),
    )


def _operator(place: int) -> str:
    return _OPERATORS[place % len(_OPERATORS)]


async def _write(store: Store, ran: list[Trade]) -> None:
    """Write the trades as they stand before they end, a page at a time."""
    pages: dict[Owner, list[Trade | TradeLink]] = {}
    for trade in ran:
        pages.setdefault(trade.owner, []).append(trade)
        link = TradeLink(owner=base_station_owner(trade.base_station), id=trade.id, supplier=name_of(trade.owner))
        pages.setdefault(link.owner, []).append(link)
    filled = iter(pages.values())

    async def fill() -> None:
        for records in filled:
            await store.decide(partial(_put, records=records))

    await asyncio.gather(*(fill() for _ in range(_AT_ONCE)))
    await store.find(TradeLink, limit=1)


def _put(work: Work, records: list[Trade | TradeLink]) -> None:
    for record in records:
        work.put(record)


async def _conserved(load: _Load) -> bool:
    """What suppliers gave is what demanders obtained, nothing stands in transit, and no parcel is left."""
    verdict = await load.store.audit()
    moved = {role: verdict.totals.get(f"{EXCHANGED} {role}", 0) for role in ("given", "obtained", "transit")}
    under_way = await load.store.due_owners(1)
    return (
        verdict.balanced
        and moved == {"given": -load.octets, "obtained": load.octets, "transit": 0}
        and not under_way
        and load.octets > 0
    )
