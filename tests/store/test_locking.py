"""Servers whose batches meet in several shards wait for each other in one order: none of them is ever a deadlock's victim."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tests.store.logs import migrated_database, run, waiting
from tests.store.test_postgres import entry

from qanat.bench.postgres import OwnPostgres
from qanat.ids import Shard
from qanat.store.port import EntryRow, Taken
from qanat.store.postgres import PostgresLog
from qanat.store.postgres_link import Connection, connect


class Counting(PostgresLog):
    """Counts how often it begins to write."""

    begun = 0

    async def _insert(self, connection: Connection, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int]) -> None:
        self.begun += 1
        await super()._insert(connection, rows, unchanged)


def test_batches_that_meet_in_several_shards_do_not_deadlock(postgres: OwnPostgres) -> None:
    """A third one holds both up in the middle of theirs; then they go on, each to where the other has been."""
    address = migrated_database(postgres)
    low, middle, high = (entry(1)._replace(shard=Shard(number)) for number in (3, 5, 7))

    async def story() -> None:
        one, two = Counting(address), Counting(address)
        third = await connect(address)
        holding = third.transaction()
        await holding.start()
        await third.execute("INSERT INTO entry VALUES (5, 1, 0, 'held', '{}')")
        appending = [asyncio.ensure_future(one.append([low, middle, high]))]
        while await waiting(address) < 1:
            pass
        appending.append(asyncio.ensure_future(two.append([high, middle, low])))
        while await waiting(address) < 2:
            pass
        await holding.rollback()
        told = await asyncio.gather(*appending, return_exceptions=True)
        assert sorted(map(str, map(type, told))) == sorted(map(str, (type(None), Taken)))
        assert (one.begun, two.begun) == (1, 1)
        for log in (one, two):
            await log.close()
        await third.close()

    run(story)
