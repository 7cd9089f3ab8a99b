"""Taking the oldest entries out of a PostgreSQL, beside any number of servers.

A server that has not looked at a shard for long may know it only as of an entry that goes. So whoever appends names the last
archive that it knows of, and if there is a newer one looks at the beginnings first. Where they move, all appending that began
before has ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Final, TypeVar

from qanat.ids import Owner, Shard, shard_of
from qanat.store.port import ANOTHER_ARCHIVE, EntryRow, Opening, Taken
from qanat.store.postgres import COUNTED, OPENINGS, columns
from qanat.store.postgres_link import ERRORS, Connection, connect, fault_of, moment
from qanat.units import Instant

T = TypeVar("T")

_SETTINGS: Final = {
    "application_name": "qanat archive",
    "statement_timeout": "0",
    # Entries that have left keep their room until the database has swept it: only the key skips their pages.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}
_LAST: Final = (
    "SELECT shard, (SELECT seq FROM entry WHERE entry.shard = watermark.shard AND entry.at < $1 "
    "AND entry.seq < watermark.seq ORDER BY seq DESC LIMIT 1) FROM watermark"
)
"""Looks from each shard's newest entry back, so at those that stay."""
_OLD: Final = COUNTED.replace(
    " LEFT JOIN", " JOIN unnest($1::int[], $2::bigint[]) AS last (shard, seq) USING (shard) LEFT JOIN"
).replace(" ORDER", " AND entry.seq <= last.seq ORDER")
_LAY: Final = (
    "INSERT INTO opening (shard, seq, piece, at, body) "
    "SELECT * FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::text[])"
)
_ONE_AT_A_TIME: Final = "LOCK TABLE beginning IN EXCLUSIVE MODE"
"""Those who read it don't wait."""
_WAIT: Final = "SET LOCAL lock_timeout = '2s'"
"""Servers wait behind us: less long than they would for a database that is away."""
_APPENDED: Final = "LOCK TABLE entry IN EXCLUSIVE MODE"
_LAID: Final = (
    "SELECT count(*) FROM opening JOIN unnest($1::int[], $2::bigint[]) AS begun (shard, seq) USING (shard, seq)"
)
_BEGINNINGS: Final = "SELECT shard, seq FROM beginning WHERE shard = ANY($1)"
_FORWARD: Final = (
    "INSERT INTO beginning (shard, seq, archive) SELECT begun.*, (SELECT coalesce(max(archive), 0) + 1 FROM beginning) "
    "FROM unnest($1::int[], $2::bigint[]) AS begun ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq, "
    "archive = excluded.archive"
)
GONE: Final = (
    "DELETE FROM entry WHERE (shard, seq) IN (SELECT old.* FROM beginning, LATERAL (SELECT shard, seq FROM entry "
    "WHERE shard = beginning.shard AND seq <= beginning.seq LIMIT $1) AS old LIMIT $1)"
)
"""Shard by shard: a join begins anew at the table's front in each step, and reads past all that has left and all that stays."""
_VOID: Final = (
    "DELETE FROM opening WHERE (shard, seq, piece) IN (SELECT opening.shard, opening.seq, piece FROM opening "
    "LEFT JOIN beginning USING (shard) WHERE opening.seq <> coalesce(beginning.seq, 0) LIMIT $1)"
)


class PostgresArchiving:
    def __init__(self, address: str) -> None:
        self._address = address

    def shard_of(self, owner: Owner) -> Shard:
        return shard_of(owner)

    def old_entries(self, before: Instant) -> Generator[Opening | EntryRow, None, None]:
        """Read in an event loop and a transaction of its own: call it in a thread."""
        with moment(self._address) as rows_of:
            last = [(shard, seq) for shard, seq in rows_of(_LAST, before) if seq is not None]
            yield from (Opening(*row) for row in rows_of(OPENINGS))
            yield from (EntryRow(*row) for row in rows_of(_OLD, *columns(last, 2)))

    async def lay(self, openings: Sequence[Opening]) -> None:
        await self._in_one(lambda connection: connection.execute(_LAY, *columns(openings, 5)))

    async def begin_behind(self, seqs: Mapping[Shard, int], pieces: int, *, begun: Mapping[Shard, int]) -> None:
        async def write(connection: Connection) -> None:
            arguments = columns(sorted(seqs.items()), 2)
            await connection.execute(_ONE_AT_A_TIME)
            await connection.execute(_WAIT)
            await connection.execute(_APPENDED)
            laid = await connection.fetchval(_LAID, *arguments)
            begins = dict(await connection.fetch(_BEGINNINGS, arguments[0]))
            if laid != pieces or any(begins.get(shard, 0) != begun.get(shard, 0) for shard in seqs):
                raise Taken(ANOTHER_ARCHIVE)
            await connection.execute(_FORWARD, *arguments)

        await self._in_one(write)

    async def shed(self, limit: int) -> int:
        async def write(connection: Connection) -> int:
            await connection.execute(_ONE_AT_A_TIME)
            return _count(await connection.execute(GONE, limit)) or _count(
                await connection.execute(_VOID, max(1, limit // 64))
            )

        return await self._in_one(write)

    async def _in_one(self, write: Callable[[Connection], Awaitable[T]]) -> T:
        connection = await connect(self._address, **_SETTINGS)
        try:
            async with connection.transaction():
                return await write(connection)
        except ERRORS as error:
            raise fault_of(error, self._address) from error
        finally:
            connection.terminate()


def _count(done: str) -> int:
    """Return how many rows a command says that it took, as ``DELETE 17`` does."""
    return int(done.rpartition(" ")[2])
