"""Two servers book the ends of the same trades at the same time, on pages of two shards each: every one is booked once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from random import Random

import pytest
from tests.store.logs import run
from tests.store.test_shared_lane import Distance

from qanat.clock import ManualClock
from qanat.exchange.booking import book_trade, foresee
from qanat.exchange.obligations import Obligation
from qanat.exchange.prices import Price
from qanat.exchange.trades import Event, Trade, end, find_trade
from qanat.ids import shard_of
from qanat.ledger.work import Work
from qanat.registry.names import subscriber_owner
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
