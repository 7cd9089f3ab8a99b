"""The log in tables that Citus has laid out over machines: what it can't plan is said in other words.

Citus plans no statement with a subquery for each row, and none in advance; both only cost time. It asks every piece of a
table unless a condition on the shard stands beside the join, so one does in each statement of the hot path: what concerns
one shard goes to one machine. A batch that touches several machines is committed on all of them or on none, by Citus' own
two-phase commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from qanat.ids import Shard
from qanat.store.port import EntryRow, Standing, Taken
from qanat.store.postgres import APPEND, PostgresLog, columns
from qanat.store.postgres_link import ERRORS, Connection, connect, fault_of

_DISTRIBUTED: Final = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
_IS_ENTRY: Final = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'entry'::regclass)"
_WATERMARKS: Final = "SELECT shard, seq FROM watermark WHERE shard = ANY($1::int[])"
_HEADS: Final = (
    "SELECT entry.shard, max(entry.seq) FROM unnest($1::int[], $2::bigint[]) AS after (shard, seq) "
    "JOIN entry ON entry.shard = after.shard AND entry.seq > after.seq "
    "WHERE entry.shard = ANY($1::int[]) GROUP BY entry.shard"
)
_MOVED: Final = (
    "SELECT count(*) FROM unnest($1::int[], $2::bigint[]) AS next (shard, seq) JOIN entry USING (shard, seq) "
    "WHERE entry.shard = ANY($1::int[])"
)
_SAY: Final = PostgresLog.say.only("stored.shard = ANY($1::int[])")
HOT: Final = (_WATERMARKS, _HEADS, _MOVED, *_SAY)
"""What a batch asks of the tables; the shards that it concerns are always the first argument."""


async def open_postgres(address: str) -> PostgresLog:
    """Open a PostgreSQL, distributed or not. Raises as ``PostgresLog.open`` does."""
    log = await PostgresLog.open(address)
    connection = await connect(address)
    try:
        distributed = await connection.fetchval(_DISTRIBUTED) and await connection.fetchval(_IS_ENTRY)
    except ERRORS as error:
        raise fault_of(error, address) from error
    finally:
        connection.terminate()
    return CitusLog(address) if distributed else log


class CitusLog(PostgresLog):
    say = _SAY
    one_commit = False
    settings: ClassVar = {"citus.multi_shard_modify_mode": "sequential"}
    """One connection to a machine, however many pieces of the tables lie there: each is a transaction that is prepared."""

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        asked = list(shards)
        marks = dict.fromkeys(asked, 0) | dict(await self._read(_WATERMARKS, asked))
        heads = dict(await self._read(_HEADS, list(marks), list(marks.values())))
        return {shard: Standing(heads.get(shard, mark), mark) for shard, mark in marks.items()}

    async def _insert(self, connection: Connection, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int]) -> None:
        async with connection.transaction():
            if unchanged:
                next_seqs = [seq + 1 for seq in unchanged.values()]
                if await connection.fetchval(_MOVED, list(unchanged), next_seqs):
                    raise Taken("a shard that was read has moved")
            await connection.execute(APPEND, *columns(rows))
            await self._check_version(connection)
