"""What is said to Citus in other words, held against PostgreSQL itself, which understands both.

A cluster was tried by hand: docs/guides/scaling.md says how and what came of it.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from tests.store.deciding import balance, fund, say
from tests.store.logs import migrated_database, run

from qanat.bench.postgres import OwnPostgres
from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import EVERY_SHARD, Shard
from qanat.ledger.book import Account
from qanat.store.citus import CitusLog, open_postgres
from qanat.store.port import EntryRow, Taken
from qanat.store.postgres import PostgresLog
from qanat.store.store import Store
from qanat.units import Instant


@pytest.fixture
def address(postgres: OwnPostgres) -> str:
    return migrated_database(postgres)


def test_both_say_the_same_of_where_shards_stand(address: str) -> None:
    async def story() -> None:
        plain, citus = PostgresLog(address), CitusLog(address)
        store = await Store(plain, ManualClock()).open()
        await store.decide(fund("projected", 10))
        await store.find(Account)
        await store.decide(fund("projected", 10, id="c"))
        await store.decide(fund("fresh", 10))
        assert await citus.standing(EVERY_SHARD) == await plain.standing(EVERY_SHARD)
        assert await citus.heads() == await plain.heads()
        await store.close()
        await citus.close()

    run(story)


def test_a_batch_is_not_appended_when_a_shard_it_read_has_moved(address: str) -> None:
    def entry(shard: int, seq: int) -> EntryRow:
        return EntryRow(Shard(shard), seq, Instant(1), "test", "{}")

    async def story() -> None:
        log = CitusLog(address)
        await log.append([entry(1, 1), entry(2, 1)])
        await log.append([entry(1, 2)], {Shard(2): 1})
        with pytest.raises(Taken):
            await log.append([entry(3, 1), entry(4, 1)], {Shard(1): 1})
        with pytest.raises(Taken):
            await log.append([entry(3, 1), entry(1, 2)])
        assert await log.heads() == {1: 2, 2: 1}
        await log.close()

    run(story)


def test_two_servers_on_tables_that_are_distributed_know_what_each_other_acknowledged(address: str) -> None:
    async def story() -> None:
        one, two = [await Store(CitusLog(address), ManualClock()).open() for _ in range(2)]
        await asyncio.gather(*(one.decide(fund(f"s{n}", 1000)) for n in range(30)))
        await asyncio.gather(*(two.decide(say(f"s{n}", "s", 0, Event.FIRST)) for n in range(30)))
        await asyncio.gather(*(one.decide(say(f"s{n}", "s", 1, Event.FINAL, used=n)) for n in range(30)))
        assert [await balance(two, f"s{n}") for n in range(30)] == [1000 - n for n in range(30)]
        assert (await two.audit()).problems == []
        await one.close()
        await two.close()

    run(story)


def test_a_table_that_only_has_the_name_of_one_of_citus_is_a_fault(address: str, postgres: OwnPostgres) -> None:
    """Whatever the database answers when it is opened, it is said as a fault."""
    postgres.ask("CREATE TABLE pg_dist_partition ()", urlsplit(address).path[1:])
    with pytest.raises(StoreFault, match="logicalrelid"):
        run(lambda: open_postgres(address))


def test_tables_that_are_not_distributed_are_served_as_ever(address: str) -> None:
    async def story() -> None:
        log = await open_postgres(address)
        assert type(log) is PostgresLog
        await log.close()

    run(story)
