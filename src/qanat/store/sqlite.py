"""The log in one SQLite file: WAL, ``synchronous=FULL``, one writer thread.

All shards share one log here (shard 0): a file has one writer anyway, and entries then land side by side on disk. Rows are
written many with a statement, so that Python's lock changes hands once for all of them and not once for each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.work import Record
from qanat.store.migrate import migrate_sqlite
from qanat.store.port import EntryRow, Query, RecordRow, Taken
from qanat.store.records import decode_record
from qanat.store.worker import Worker
from qanat.units import Instant

T = TypeVar("T")
Row = TypeVar("Row", bound=tuple[Any, ...])

_THE_SHARD: Final = Shard(0)
_BUSY_MS: Final = 5_000
"""How long to wait while another program writes to the file."""
_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=8000",
    "cache_size=-65536",
    "temp_store=MEMORY",
)
_STEPS: Final = (256, 64, 16, 4, 1)
"""How many rows a statement takes: few sizes, so that each is prepared once."""
_ONE_INSERT: Final = _STEPS[0]
"""Entries that one statement appends at most; SQLite keeps that many statements prepared."""

_KEEP_PLACE: Final = (
    " ON CONFLICT (shard, owner, kind, id) DO UPDATE SET body = excluded.body "
    "WHERE label = excluded.label AND due IS excluded.due"
)
"""Leaves both indexes alone, which is half the work of a row; where label or due are others now it does nothing."""
_MOVE: Final = (
    " ON CONFLICT (shard, owner, kind, id) "
    "DO UPDATE SET label = excluded.label, due = excluded.due, body = excluded.body"
)
_REACHED: Final = (
    "INSERT INTO watermark (shard, seq) VALUES (?, ?) ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq"
)
_TAIL: Final = (
    "SELECT entry.* FROM entry LEFT JOIN watermark USING (shard) "
    "WHERE entry.seq > coalesce(watermark.seq, 0) ORDER BY entry.shard, entry.seq"
)
_FIND: Final = (
    "SELECT body FROM record WHERE kind = ? AND label > ? AND label >= ? AND label < ? "
    "AND (? IS NULL OR owner = ?) ORDER BY label, owner LIMIT ?"
)
_DUE: Final = "SELECT owner FROM record WHERE due <= ? GROUP BY owner ORDER BY min(due) LIMIT ?"
_AFTER_ALL: Final = "\U0010ffff"
_kind: Final = attrgetter("kind")


class SqliteLog:
    """Two threads: one writes, one reads; both wait for the disk, the event loop never does."""

    one_commit: Final = True

    def __init__(self, path: Path, *, busy_ms: int = _BUSY_MS) -> None:
        self._path = path
        self._busy_ms = busy_ms
        path.parent.mkdir(parents=True, exist_ok=True)
        migrate_sqlite(path)
        self._writing = Worker("sqlite-writer")
        self._reading = Worker("sqlite-reader")
        self._writer = self._connect()
        self._reader = self._connect()
        self._reader.execute("PRAGMA query_only=ON")

    def shard_of(self, owner: Owner) -> Shard:  # noqa: ARG002 - one log for all
        return _THE_SHARD

    def append(self, rows: Sequence[EntryRow]) -> Awaitable[None]:
        if len(rows) > _ONE_INSERT:
            return self._write(lambda writer: _insert_entries(writer, rows))
        return self._writing.run(lambda: self._insert(rows))

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        await self._write(lambda writer: _write_rows(writer, rows, watermarks))

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        rows = await self._read(_load_many(len(owners)), (_THE_SHARD, *owners))
        return [decode_record(body) for (body,) in rows]

    async def heads(self) -> dict[Shard, int]:
        return dict(await self._read("SELECT shard, max(seq) FROM entry GROUP BY shard"))

    async def tail(self) -> list[EntryRow]:
        return [EntryRow(*row) for row in await self._read(_TAIL)]

    async def find(self, query: Query) -> list[Record]:
        upper = query.label_prefix + _AFTER_ALL
        where = (query.kind, query.after, query.label_prefix, upper, query.owner, query.owner, query.limit)
        return [decode_record(body) for (body,) in await self._read(_FIND, where)]

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        return [owner for (owner,) in await self._read(_DUE, (now, limit))]

    def snapshot(self) -> Iterator[EntryRow | RecordRow | tuple[Shard, int]]:
        connection = self._connect()
        try:
            connection.execute("BEGIN")
            yield from connection.execute("SELECT shard, seq FROM watermark")
            yield from map(EntryRow._make, connection.execute("SELECT * FROM entry ORDER BY shard, seq"))
            yield from map(RecordRow._make, connection.execute("SELECT * FROM record"))
        finally:
            connection.close()

    async def close(self) -> None:
        self._writing.stop()
        self._reading.stop()
        self._reader.close()
        self._writer.close()

    def _insert(self, rows: Sequence[EntryRow]) -> None:
        """Append with one statement, which is a transaction of its own."""
        with _faults(self._path):
            self._writer.execute(_insert_many(len(rows)), _flat(rows))

    async def _write(self, write: Callable[[sqlite3.Connection], None]) -> None:
        await self._writing.run(lambda: self._transaction(write))

    def _transaction(self, write: Callable[[sqlite3.Connection], None]) -> None:
        with _faults(self._path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                write(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    async def _read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        def read() -> list[Any]:
            with _faults(self._path):
                return self._reader.execute(sql, parameters).fetchall()

        return await self._reading.run(read)

    def _connect(self) -> sqlite3.Connection:
        with _faults(self._path):
            connection = sqlite3.connect(
                self._path,
                timeout=self._busy_ms / 1000,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=2 * _ONE_INSERT,
            )
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            return connection


class _faults:
    """Turn what SQLite raises into the fault that says what to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.IntegrityError):
            raise Taken(str(error)) from error
        if isinstance(error, sqlite3.Error):
            raise StoreFault(f"the database {self._path}: {error}. {_cure(error)}") from error


def _cure(error: sqlite3.Error) -> str:
    if "full" in str(error):
        return "Make room on the disk; nothing acknowledged is lost."
    if "locked" in str(error):
        return "Another program holds the file; close it."
    return "Look at the disk and the file's owner."


def _insert_entries(writer: sqlite3.Connection, rows: Sequence[EntryRow]) -> None:
    for part in _in_steps(rows):
        writer.execute(_insert_many(len(part)), _flat(part))


@lru_cache(_ONE_INSERT)
def _insert_many(entries: int) -> str:
    return "INSERT INTO entry (shard, seq, at, act, body)" + _values(entries, 5)


def _write_rows(writer: sqlite3.Connection, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
    kept = sorted((row for row in rows if row.body is not None), key=_kind)  # of a kind all move or none, mostly
    for part in _in_steps(kept):
        insert = "INSERT INTO record (shard, owner, kind, id, label, due, body)" + _values(len(part), 7)
        if writer.execute(insert + _KEEP_PLACE, _flat(part)).rowcount < len(part):
            writer.execute(insert + _MOVE, _flat(part))
    for gone in _in_steps([row[:4] for row in rows if row.body is None]):
        writer.execute(f"DELETE FROM record WHERE (shard, owner, kind, id) IN ({_values(len(gone), 4)})", _flat(gone))  # noqa: S608 - only its length varies
    writer.executemany(_REACHED, list(watermarks.items()))


def _in_steps(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    place = 0
    while place < len(rows):
        step = next(step for step in _STEPS if step <= len(rows) - place)
        yield rows[place : place + step]
        place += step


def _flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [value for row in rows for value in row]


@lru_cache
def _values(rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f" VALUES {', '.join([row] * rows)}"


@lru_cache
def _load_many(owners: int) -> str:
    return f"SELECT body FROM record WHERE shard = ? AND owner IN ({', '.join('?' * owners)})"  # noqa: S608 - as above
