"""What a batch asks about one shard is asked of one piece of the tables, wherever they lie: EXPLAIN says so.

On any PostgreSQL the tables are divided by hash of the shard, as Citus divides them, and a plan names the pieces it reads.
Where Citus is installed it is asked as well; that it is not, the last lines of the test run say.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest
from tests.store.citus_here import citus_is_here
from tests.store.deciding import balance, fund, say
from tests.store.logs import fresh_database, migrated_database, run

from qanat.bench.postgres import OwnPostgres
from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.ids import EVERY_SHARD
from qanat.store.citus import HOT, CitusLog, open_postgres
from qanat.store.distribute import distribute
from qanat.store.postgres import APPEND
from qanat.store.store import Store

PIECES = 8
DIVIDED = [
    f"""
    ALTER TABLE {table} RENAME TO whole;
    CREATE TABLE {table} (LIKE whole INCLUDING INDEXES) PARTITION BY HASH (shard);
    DROP TABLE whole;
    """
    + "".join(
        f"CREATE TABLE {table}_{piece} PARTITION OF {table} FOR VALUES WITH (MODULUS {PIECES}, REMAINDER {piece});"
        for piece in range(PIECES)
    )
    for table in ("entry", "record", "watermark")
]


@pytest.fixture
def partitions(postgres: OwnPostgres) -> str:
    address = migrated_database(postgres)
    for statement in DIVIDED:
        postgres.ask(statement, urlsplit(address).path[1:])
    return address


@pytest.fixture
def cluster() -> Iterator[str]:
    """One machine that is coordinator and worker, as Citus allows."""
    with OwnPostgres({"shared_preload_libraries": "citus"}) as own:
        address = fresh_database(own)
        name = urlsplit(address).path[1:]
        own.ask("CREATE EXTENSION citus", name)
        own.ask(f"SELECT citus_set_coordinator_host('{own.host}', 5432)", name)
        own.ask(f"SELECT citus_set_node_property('{own.host}', 5432, 'shouldhaveshards', true)", name)
        run(lambda: is_laid_out(address))
        run(lambda: is_recognised(address))
        yield address


async def is_laid_out(address: str) -> None:
    """In one piece, since it is one machine; then with an entry in it in several, and once more, which changes nothing."""
    layouts = [await distribute(address)]
    store = await Store(CitusLog(address), ManualClock()).open()
    await store.decide(fund("first", 1000))
    await store.close()
    layouts += [
        await distribute(address, pieces=PIECES),
        await distribute(address),
        await distribute(address, pieces=PIECES),
    ]
    assert [(one.pieces_before, one.pieces, len(one.tables)) for one in layouts] == [
        (0, 1, 3),
        (1, PIECES, 0),
        (PIECES, PIECES, 0),
        (PIECES, PIECES, 0),
    ]
    store = await Store(CitusLog(address), ManualClock()).open()
    assert await balance(store, "first") == 1000
    await store.close()


async def is_recognised(address: str) -> None:
    log = await open_postgres(address)
    assert type(log) is CitusLog
    await log.close()


@pytest.fixture(params=["partitions", *(["cluster"] if citus_is_here() else [])])
def divided(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


def test_what_concerns_one_shard_is_asked_of_one_piece(divided: str) -> None:
    async def story() -> None:
        await written(divided)
        async with explaining(divided) as plan_of:
            for statement in HOT:
                one = arguments(statement, EVERY_SHARD[7:8])
                assert pieces_read(await plan_of(statement, *one)) == 1, statement
                every = arguments(statement, EVERY_SHARD)
                assert pieces_read(await plan_of(statement, *every)) > 1, "the plan tells the pieces apart"

    run(story)


def test_appending_reads_no_piece(divided: str) -> None:
    async def story() -> None:
        async with explaining(divided) as plan_of:
            assert pieces_read(await plan_of(APPEND, [7], [1], [1], ["act"], ["{}"])) == 0

    run(story)


def test_tables_in_pieces_are_served_like_whole_ones(divided: str) -> None:
    async def story() -> None:
        await written(divided)
        again = await Store(CitusLog(divided), ManualClock()).open()
        assert [await balance(again, f"s{n}") for n in range(30)] == [1000 - n for n in range(30)]
        assert (await again.audit()).problems == []
        await again.close()

    run(story)


async def written(address: str) -> None:
    """Let there be entries, rows and watermarks in every piece."""
    store = await Store(CitusLog(address), ManualClock()).open()
    await asyncio.gather(*(store.decide(fund(f"s{n}", 1000)) for n in range(30)))
    await asyncio.gather(*(store.decide(say(f"s{n}", "s", 0, Event.FIRST)) for n in range(30)))
    await asyncio.gather(*(store.decide(say(f"s{n}", "s", 1, Event.FINAL, used=n)) for n in range(30)))
    await store.close()


def arguments(statement: str, shards: Any) -> list[Any]:
    """Make up what a statement wants beside the shards: as many seqs, or owners."""
    second = ["owner"] * len(shards) if "$2::text[]" in statement else [1] * len(shards)
    return [list(shards), second] if "$2" in statement else [list(shards)]


class explaining:
    def __init__(self, address: str) -> None:
        self._address = address

    async def __aenter__(self) -> Callable[..., Awaitable[Any]]:
        self._connection = await asyncpg.connect(self._address)
        await self._connection.execute("SET plan_cache_mode = force_custom_plan")
        return self._plan

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def _plan(self, statement: str, *arguments: Any) -> Any:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            return json.loads(await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments))
        finally:
            await transaction.rollback()


def pieces_read(plan: Any) -> int:
    """Count the pieces that a plan reads: Citus says how many tasks it has, PostgreSQL names what it scans."""
    tasks = list(found(plan, "Task Count"))
    return sum(tasks) if tasks else len(set(found(plan, "Relation Name")) - {"entry", "record", "watermark"})


def found(plan: Any, key: str) -> Iterator[Any]:
    if isinstance(plan, dict):
        if key in plan:
            yield plan[key]
        for value in plan.values():
            yield from found(value, key)
    elif isinstance(plan, list):
        for value in plan:
            yield from found(value, key)
