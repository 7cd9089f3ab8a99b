"""The log in one SQLite file: WAL, ``synchronous=FULL``, one writer.

All shards share one log here (shard 0): a file has one writer anyway, and entries then land side by side on disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import starmap
from pathlib import Path
from typing import Final

from qanat.ids import Owner, Shard
from qanat.ledger.work import Record
from qanat.store.due import first_owners
from qanat.store.lector import Lector
from qanat.store.migrate import migrate_sqlite
from qanat.store.port import NEWEST, EntryRow, Opening, Query, RecordRow, Snapshot
from qanat.store.records import decode_record
from qanat.store.scribe import Scribe
from qanat.store.sqlite_link import connect, faults
from qanat.store.sqlite_writer import Job
from qanat.units import Instant

THE_SHARD: Final = Shard(0)
_BUSY_MS: Final = 5_000
"""How long to wait while another program writes to the file."""
HEAD: Final = "SELECT shard, seq FROM entry WHERE shard = ? ORDER BY seq DESC LIMIT 1"
REACHED: Final = "SELECT seq FROM watermark WHERE shard = ?"
TAIL: Final = "SELECT * FROM entry WHERE shard = ? AND seq > ? ORDER BY seq LIMIT ?"
_PIECE: Final = 4096
"""Entries that are read at once: what a crash left behind may be a hundred megabytes."""
FIND: Final = (
    "SELECT body FROM record WHERE kind = ? AND label >= ? AND label < ? AND label <> ? "
    "AND (? IS NULL OR owner = ?) ORDER BY label, owner LIMIT ?"
)
"""One lower bound: of two SQLite begins at the first, and reads all that lies before the other."""
DUE: Final = "SELECT owner FROM record WHERE due <= ? ORDER BY due LIMIT ?"
OPENINGS: Final = "SELECT opening.* FROM opening JOIN beginning USING (shard, seq) ORDER BY shard, seq, piece"
COUNTED: Final = "SELECT * FROM entry WHERE seq > coalesce((SELECT seq FROM beginning WHERE shard = entry.shard), 0)"
"""The entries that no opening stands for."""
_AFTER_ALL: Final = "\U0010ffff"


def where(query: Query) -> tuple[str | int | None, ...]:
    """Return what ``FIND`` asks for."""
    lower, upper = max(query.after, query.label_prefix), query.label_prefix + _AFTER_ALL
    return query.kind, lower, upper, query.after, query.owner, query.owner, query.limit


class SqliteLog:
    """One process writes and another reads; both wait for the disk, the event loop never does."""

    one_commit: Final = True

    def __init__(self, path: Path, *, busy_ms: int = _BUSY_MS) -> None:
        self._path = path
        self._busy_ms = busy_ms
        path.parent.mkdir(parents=True, exist_ok=True)
        migrate_sqlite(path)
        self._refuse_read_only()
        self._scribe = Scribe(path, busy_ms)
        self._lector = Lector(path, busy_ms)

    def shard_of(self, owner: Owner) -> Shard:  # noqa: ARG002 - one log for all
        return THE_SHARD

    def append(self, rows: Sequence[EntryRow]) -> Awaitable[None]:
        return self._scribe.write(Job(entries=rows))

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        await self._scribe.write(Job(rows=rows, watermarks=watermarks))

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        rows = await self._lector.read(_load_many(len(owners)), (THE_SHARD, *owners))
        return [decode_record(body) for (body,) in rows]

    async def heads(self) -> dict[Shard, int]:
        return dict(await self._lector.read(HEAD, (THE_SHARD,)))

    async def tail(self) -> list[EntryRow]:
        reached = next((seq for (seq,) in await self._lector.read(REACHED, (THE_SHARD,))), 0)
        rows: list[EntryRow] = []
        while piece := await self._lector.read(TAIL, (THE_SHARD, reached, _PIECE)):
            rows += starmap(EntryRow, piece)
            reached = rows[-1].seq
        return rows

    async def find(self, query: Query) -> list[Record]:
        return [decode_record(body) for (body,) in await self._lector.read(FIND, where(query))]

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        async def of_first(records: int) -> list[Owner]:
            return [owner for (owner,) in await self._lector.read(DUE, (now, records))]

        return await first_owners(of_first, limit)

    async def newest(self) -> Instant | None:
        ((at,),) = await self._lector.read(NEWEST)
        return None if at is None else Instant(at)

    def snapshot(self) -> Snapshot:
        connection = connect(self._path, self._busy_ms)
        try:
            connection.execute("BEGIN")
            yield from connection.execute("SELECT shard, seq FROM watermark")
            yield from map(Opening._make, connection.execute(OPENINGS))
            yield from map(EntryRow._make, connection.execute(COUNTED + " ORDER BY shard, seq"))
            yield from map(RecordRow._make, connection.execute("SELECT * FROM record"))
        finally:
            connection.close()

    async def close(self) -> None:
        await self._scribe.stop()
        await self._lector.stop()

    def _refuse_read_only(self) -> None:
        """Tell it now: SQLite opens for reading what it can't write to, and only the first change would fail."""
        with faults(self._path), closing(connect(self._path, self._busy_ms)) as connection:
            connection.execute("DELETE FROM entry WHERE FALSE")


@lru_cache
def _load_many(owners: int) -> str:
    return f"SELECT body FROM record WHERE shard = ? AND owner IN ({', '.join('?' * owners)})"  # noqa: S608 - only its length varies
