"""The log in PostgreSQL, shared by any number of servers.

A batch is one INSERT in one commit; the key (shard, seq) tells who was first. When a connection breaks during a commit,
the same rows are sent again: either they go in, or they are found to be there already. Rows are written only by whoever
moves a shard's watermark forward, so they are exactly the shard's state at its watermark, whoever wrote them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from qanat.errors import StoreFault
from qanat.ids import EVERY_SHARD, Owner, Shard, shard_of
from qanat.ledger.work import Record
from qanat.store.due import first_owners
from qanat.store.migrate import HEAD, REVISION, migrate_postgres, outdated
from qanat.store.port import NEWEST, NOTHING, EntryRow, Opening, Query, RecordRow, Snapshot, Standing, Taken
from qanat.store.postgres_link import (
    ERRORS,
    Broken,
    Collided,
    Connection,
    Link,
    Links,
    connect,
    fault_of,
    moment,
    named,
)
from qanat.store.postgres_text import from_columns, to_column, to_columns
from qanat.store.records import decode_record
from qanat.units import Instant

_READERS: Final = 3
"""Connections for reading; with the one that appends and the one that writes rows a server holds five."""
_GIVE_UP_S: Final = 1.5
"""So long a batch is sent again to a database that went away; then its requests are told."""
_RETRY_S: Final = 0.05

APPEND: Final = (
    "INSERT INTO entry (shard, seq, at, act, body) "
    "SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])"
)
_IF_OURS: Final = f" WHERE EXISTS (SELECT FROM alembic_version WHERE version_num = '{HEAD}')"
_IF_NO_ARCHIVE: Final = " AND NOT EXISTS (SELECT FROM beginning WHERE archive > $6)"
"""Was none made behind the last we know of?"""
_IF_UNCHANGED: Final = (
    " AND NOT EXISTS (SELECT FROM unnest($7::int[], $8::bigint[]) AS next (shard, seq) JOIN entry USING (shard, seq))"
)
_BEGINNINGS: Final = "SELECT shard, seq, archive FROM beginning"
_TOUCH: Final = "INSERT INTO watermark (shard, seq) VALUES (0, 0) ON CONFLICT (shard) DO UPDATE SET seq = watermark.seq"
_FORWARD: Final = (
    "INSERT INTO watermark (shard, seq) SELECT * FROM unnest($1::int[], $2::bigint[]) "
    "ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq WHERE watermark.seq < excluded.seq RETURNING shard"
)
_UPSERT: Final = (
    "INSERT INTO record (shard, owner, kind, id, label, due, body) "
    "SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[]) "
    "ON CONFLICT (shard, owner, kind, id) DO UPDATE SET label = excluded.label, due = excluded.due, body = excluded.body"
)
_DELETE: Final = (
    "DELETE FROM record USING unnest($1::int[], $2::text[], $3::text[], $4::text[]) AS gone (shard, owner, kind, id) "
    "WHERE record.shard = gone.shard AND record.owner = gone.owner AND record.kind = gone.kind AND record.id = gone.id"
)
_STANDING: Final = (
    "SELECT shard, coalesce((SELECT max(seq) FROM entry WHERE entry.shard = asked.shard), 0) AS head, "
    "coalesce((SELECT seq FROM watermark WHERE watermark.shard = asked.shard), 0) AS watermark "
    "FROM unnest($1::int[]) AS asked (shard)"
)
_WATERMARKS: Final = "SELECT shard, seq FROM watermark"
OPENINGS: Final = (
    "SELECT shard, seq, piece, at, body FROM opening JOIN beginning USING (shard, seq) ORDER BY shard, seq, piece"
)
COUNTED: Final = (
    "SELECT entry.* FROM entry LEFT JOIN beginning USING (shard) "
    "WHERE entry.seq > coalesce(beginning.seq, 0) ORDER BY shard, seq"
)
"""The entries that no opening stands for."""

_FIND: Final = (
    "SELECT body FROM record WHERE kind = $1 AND label > $2 AND label >= $3 AND label < $4 "
    "ORDER BY label, owner LIMIT $5"
)
_FIND_OF_OWNER: Final = _FIND.replace(" ORDER", " AND shard = $6 AND owner = $7 ORDER")
DUE: Final = "SELECT owner, CASE WHEN strpos(owner, E'\\x01') > 0 THEN body END FROM record WHERE due <= $1 ORDER BY due LIMIT $2"
"""With the body where the owner's name had to be cut."""
_AFTER_ALL: Final = "\U0010ffff"


class Statements(NamedTuple):
    """Those that join a table with what was asked for."""

    there: str
    load: str
    since: str

    def only(self, condition: str) -> Statements:
        """Return the same with a condition on what is ``stored``."""
        return Statements(*(one.replace("/**/", f" WHERE {condition} ") for one in self))


_JOINED: Final = Statements(
    there="SELECT shard, seq, at, act, body FROM unnest($1::int[], $2::bigint[]) AS sent (shard, seq) "
    "JOIN entry AS stored USING (shard, seq)/**/",
    load="SELECT body FROM unnest($1::int[], $2::text[]) AS missed (shard, owner) "
    "JOIN record AS stored USING (shard, owner)/**/",
    since="SELECT stored.* FROM unnest($1::int[], $2::bigint[]) AS after (shard, seq) "
    "JOIN entry AS stored ON stored.shard = after.shard AND stored.seq > after.seq/**/ "
    "ORDER BY stored.shard, stored.seq",
)


class PostgresLog:
    """Five connections, each made when it is needed."""

    say: ClassVar[Statements] = _JOINED
    one_commit: ClassVar[bool] = True
    settings: ClassVar[Mapping[str, str]] = {}
    """Of the connections that write."""

    @classmethod
    async def open(cls, address: str) -> PostgresLog:
        """Bring the database to this version's schema. Raises BadInput for an address that is none, StoreFault."""
        connection = await connect(address)
        try:
            encoding, revision = await connection.fetchval("SHOW server_encoding"), await _revision(connection)
        except ERRORS as error:
            raise fault_of(error, address) from error
        finally:
            connection.terminate()
        if encoding != "UTF8":
            cure = "make one with createdb -E UTF8 -T template0 NAME"
            raise StoreFault(f"the database {named(address)} keeps text as {encoding}, names need UTF8: {cure}")
        await migrate_postgres(revision, lambda: connect(address, statement_timeout="0"), named(address))
        return cls(address)

    def __init__(self, address: str) -> None:
        self._address = address
        # One statement for ever: to plan it anew for each batch costs as much as to run it.
        self._writer = Link(address, "writer", plan_cache_mode="force_generic_plan", **self.settings)
        # It waits for the disk and the standby as well: who forgets images must know that their rows will be there.
        self._projector = Links(address, "projector", 1, **self.settings)
        self._readers = Links(address, "reader", _READERS)
        self._beginnings: dict[Shard, int] = {}
        """Of the shards whose oldest entries are in archives, as of the last of these that we know of."""
        self._archives = 0

    def shard_of(self, owner: Owner) -> Shard:
        return shard_of(owner)

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        rows = sorted(rows)  # who waits for others' commits in the same order never deadlocks
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _GIVE_UP_S
        may_be_there = False
        while True:
            try:
                if not may_be_there or not await self._are_there(rows):
                    await self._writer.run(lambda connection: self._insert(connection, rows, unchanged))
                return
            except Taken:
                if not may_be_there or not await self._are_there(rows):
                    raise
                return
            except (Broken, Collided) as fault:
                may_be_there = may_be_there or isinstance(fault, Broken)
                if loop.time() >= give_up_at:
                    raise
                await asyncio.sleep(_RETRY_S)

    async def check_version(self) -> None:
        await self._readers.run(self._check_version)

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        rows = await self._read(_STANDING, list(shards))
        return {shard: Standing(head, watermark) for shard, head, watermark in rows}

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        return [EntryRow(*row) for row in await self._read(self.say.since, list(known), list(known.values()))]

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        async def write(connection: Connection) -> None:
            async with connection.transaction():
                await _write_rows(connection, rows, watermarks)
                await self._check_version(connection)

        await self._projector.run(write)

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        rows = await self._read(self.say.load, list(map(shard_of, owners)), list(map(to_column, owners)))
        return [decode_record(body) for (body,) in rows]

    async def heads(self) -> dict[Shard, int]:
        # What is seen after a commit of our own has reached the standby as well, even if another's commit was cut short.
        await self._writer.run(lambda connection: connection.execute(_TOUCH))
        return {shard: standing.head for shard, standing in (await self.standing(EVERY_SHARD)).items() if standing.head}

    async def tail(self) -> list[EntryRow]:
        behind = (await self.standing(EVERY_SHARD)).items()
        return await self.since({shard: one.watermark for shard, one in behind if one.head > one.watermark})

    async def find(self, query: Query) -> list[Record]:
        prefix = to_column(query.label_prefix)  # one that does not fit finds the label that it is the whole of
        where = (query.kind, to_column(query.after), prefix, prefix + _AFTER_ALL, query.limit)
        if query.owner is None:
            rows = await self._read(_FIND, *where)
        else:
            rows = await self._read(_FIND_OF_OWNER, *where, shard_of(query.owner), to_column(query.owner))
        return [decode_record(body) for (body,) in rows]

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        async def of_first(records: int) -> list[Owner]:
            rows = await self._read(DUE, now, records)
            return [Owner(owner) if body is None else decode_record(body).owner for owner, body in rows]

        return await first_owners(of_first, limit)

    async def newest(self) -> Instant | None:
        ((at,),) = await self._read(NEWEST)
        return None if at is None else Instant(at)

    def snapshot(self) -> Snapshot:
        """Read in an event loop and a transaction of its own: call it in a thread."""
        with moment(self._address) as rows_of:
            yield from ((shard, seq) for shard, seq in rows_of(_WATERMARKS))
            yield from (Opening(*row) for row in rows_of(OPENINGS))
            yield from (EntryRow(*row) for row in rows_of(COUNTED))
            records = "SELECT shard, owner, kind, id, label, due, body FROM record"
            yield from (from_columns(RecordRow(*row)) for row in rows_of(records))

    async def close(self) -> None:
        for link in (self._writer, self._projector, self._readers):
            await link.close()

    async def _are_there(self, rows: Sequence[EntryRow]) -> bool:
        """Tell whether a batch was committed by a connection that broke before it could say so.

        An entry like ours is ours, or another server decided the very same: then its answer is the same as well.
        """
        shards, seqs = columns(rows)[:2]
        found = await self._read(self.say.there, shards, seqs)
        if {EntryRow(*row) for row in found} != set(rows):
            return False
        await self._writer.run(lambda connection: connection.execute(_TOUCH))  # as in heads()
        return True

    async def _insert(self, connection: Connection, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int]) -> None:
        while True:
            self._refuse_gone(rows, unchanged)
            arguments, statement = [*columns(rows), self._archives], APPEND + _IF_OURS + _IF_NO_ARCHIVE
            if unchanged:
                arguments += [list(unchanged), [seq + 1 for seq in unchanged.values()]]
                statement += _IF_UNCHANGED
            if await connection.execute(statement, *arguments) != "INSERT 0 0":
                return
            await self._check_version(connection)
            if not await self._learn_beginnings(connection):
                raise Taken("a shard that was read has moved")

    def _refuse_gone(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int]) -> None:
        """Raise Taken where the next entry is in an archive: the key that would tell is gone with it."""
        if any(row.seq <= self._beginnings.get(row.shard, 0) for row in rows) or any(
            seq < self._beginnings.get(shard, 0) for shard, seq in unchanged.items()
        ):
            raise Taken("entries of a shard that was read or is written to are in an archive")

    async def _learn_beginnings(self, connection: Connection) -> bool:
        """Return whether archives were made since we looked last."""
        before, rows = self._archives, await connection.fetch(_BEGINNINGS)
        self._beginnings = {shard: seq for shard, seq, _ in rows}
        self._archives = max((archive for _, _, archive in rows), default=0)
        return self._archives > before

    async def _check_version(self, connection: Connection) -> None:
        """Raises Outdated. In a transaction it comes last: what was written before waits for a migration to end."""
        revision = await connection.fetchval(REVISION)
        if revision != HEAD:
            raise outdated(named(self._address), revision)

    async def _read(self, sql: str, *arguments: Any) -> list[Any]:
        return await self._readers.run(lambda connection: connection.fetch(sql, *arguments))


async def _revision(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    found: str | None = await connection.fetchval(REVISION)
    return found


async def _write_rows(connection: Connection, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
    ordered = sorted(watermarks.items())  # whoever locks in the same order never deadlocks
    moved = {shard for (shard,) in await connection.fetch(_FORWARD, *columns(ordered, 2))}
    ours = [to_columns(row) for row in rows if row.shard in moved or row.shard not in watermarks]
    kept = [row for row in ours if row.body is not None]
    gone = [row[:4] for row in ours if row.body is None]
    if kept:
        await connection.execute(_UPSERT, *columns(kept))
    if gone:
        await connection.execute(_DELETE, *columns(gone))


def columns(rows: Sequence[tuple[Any, ...]], width: int = 0) -> list[list[Any]]:
    """Turn rows into columns; of no rows there are ``width``."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
