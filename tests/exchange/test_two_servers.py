"""Two servers book the ends of the same trades at the same time, on pages of two shards each: every one is booked once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random

import pytest
from tests.store.logs import migrated_database, run, waiting
from tests.store.test_shared_lane import Distance

from qanat.bench.postgres import OwnPostgres
from qanat.clock import ManualClock
from qanat.exchange.booking import book_trade, foresee
from qanat.exchange.clearing import period_of
from qanat.exchange.obligations import Obligation
from qanat.exchange.prices import Price
from qanat.exchange.trades import Event, Trade, end, find_trade
from qanat.ids import Shard, shard_of
from qanat.ledger.work import Work
from qanat.registry.names import subscriber_owner
from qanat.server.settling import Settled, settle
from qanat.store.port import EntryRow
from qanat.store.postgres import PostgresLog
from qanat.store.postgres_link import Connection
from qanat.store.store import Store
from qanat.units import Octets

PEOPLE = ("alice", "bob", "carol", "dan")


def ran(number: int, chance: Random) -> Trade:
    supplier, demander = chance.sample(PEOPLE, 2)
    return Trade(
        owner=subscriber_owner(supplier),
        id=f"trd-{number}",
        order="ord-1",
        demander=demander,
        base_station="bst-carol",
        supplier_operator="north",
        demander_operator="south",
        station_operator="west",
        price=Price(),
        opened_at=ManualClock().now(),
        counted=Octets(1_000 + number),
    )


def put(work: Work, trades: Sequence[Trade]) -> None:
    for trade in trades:
        work.put(trade)


def end_and_book(work: Work, supplier: str, id: str) -> None:
    trade = find_trade(work, supplier, id)
    assert trade is not None
    foresee(work, trade)
    book_trade(work, end(work, trade, Event.FINAL))


@pytest.mark.parametrize("seed", range(6))
def test_a_trade_whose_end_two_servers_are_told_of_is_booked_once(seed: int) -> None:
    async def story() -> None:
        chance, log = Random(seed), Distance(seed)
        servers = [await Store(log, ManualClock()).open() for _ in range(2)]
        trades = [ran(number, chance) for number in range(40)]
        await servers[0].decide(partial(put, trades=trades))
        told = [(server, trade) for server in servers for trade in trades]
        chance.shuffle(told)
        ends = (server.decide(partial(end_and_book, supplier=trade.supplier, id=trade.id)) for server, trade in told)
        await asyncio.gather(*ends)
        total = sum(trade.counted for trade in trades)
        verdict = await servers[0].audit()
        assert verdict.problems == []
        assert verdict.totals["exchanged-octets given"] == -total
        assert sum(one.octets for one in await servers[1].find(Obligation)) == total
        assert len({shard_of(trade.owner) for trade in trades}) > 1, "the story crosses shards"
        for server in servers:
            await server.close()

    run(story)


class Held(PostgresLog):
    """Between a statement and the end of its commit there is time, once."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.holds = False
        self.written, self.go_on = asyncio.Event(), asyncio.Event()

    async def _insert(self, connection: Connection, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int]) -> None:
        async with connection.transaction():
            await super()._insert(connection, rows, unchanged)
            if self.holds:
                self.holds = False
                self.written.set()
                await self.go_on.wait()


def test_a_trade_that_is_booked_while_its_month_is_closed_elsewhere_is_in_the_figures(postgres: OwnPostgres) -> None:
    """The booking read the period as open, and is committed when the closing has been."""

    async def story() -> None:
        address = migrated_database(postgres)
        held = Held(address)
        one, two = [await Store(log, ManualClock()).open() for log in (held, PostgresLog(address))]
        trade = ran(1, Random(1))
        await one.decide(partial(put, trades=[trade]))
        held.holds = True
        booking = asyncio.ensure_future(one.decide(partial(end_and_book, supplier=trade.supplier, id=trade.id)))
        await held.written.wait()
        period = period_of(ManualClock().now())
        closing = asyncio.create_task(settle(two, period, close=True))
        while not closing.done() and not await waiting(address):
            pass
        held.go_on.set()
        closed = await closing
        await booking
        assert isinstance(closed, Settled)
        assert closed.clearing.records == 1
        after = await settle(two, period)
        assert isinstance(after, Settled)
        assert after.unchanged
        for server in (one, two):
            await server.close()

    run(story)
