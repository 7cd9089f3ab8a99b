"""Databases for the contract tests, and one that fails when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

from qanat.bench.postgres import OwnPostgres
from qanat.clock import Clock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.work import Record
from qanat.store.memory import MemoryLog
from qanat.store.port import Archivable, EntryRow, Log, Query, RecordRow, Snapshot
from qanat.store.postgres import PostgresLog
from qanat.store.postgres_archiving import PostgresArchiving
from qanat.store.postgres_link import connect
from qanat.store.sqlite import SqliteLog
from qanat.store.sqlite_archiving import SqliteArchiving
from qanat.store.store import Store
from qanat.units import Instant

T = TypeVar("T")
_numbers = count()
MIGRATED = "migrated"
"""A database with empty tables, of which others are copied."""


class Late(MemoryLog):
    """The first rows that are written are long on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.go_on = asyncio.Event(), asyncio.Event()

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        if not self.writing.is_set():
            self.writing.set()
            await self.go_on.wait()
        await super().project(rows, watermarks)


class Overtaken(MemoryLog):
    """While it says what is due something else happens."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        found = await super().due_owners(now, limit)
        if self.meanwhile is not None:
            await self.meanwhile()
        return found


class MachinesLog(MemoryLog):
    """In memory, and as if its shards were on several machines: what concerns two of them goes by post."""

    one_commit = False


class Database:
    """A database that outlives the stores opened on it, as one does that was killed and started again."""

    def __init__(self, kind: str, path: Path, postgres: OwnPostgres | None = None) -> None:
        self.kind = kind
        self.path = path / "qanat.db"
        self._memory = MachinesLog() if kind == "machines" else MemoryLog()
        self._postgres = postgres
        self._address = migrated_database(postgres) if postgres else ""

    def log(self) -> Log:
        if self._postgres:
            return PostgresLog(self._address)
        return SqliteLog(self.path, busy_ms=50) if self.kind == "sqlite" else self._memory

    def archivable(self) -> Archivable:
        if self._postgres:
            return PostgresArchiving(self._address)
        return SqliteArchiving(self.path) if self.kind == "sqlite" else self._memory

    def another(self, path: Path) -> Database:
        """Make an empty one of the same kind."""
        return Database(self.kind, path, self._postgres)

    async def open(self, clock: Clock, *, pages_kept: int = 1000) -> Store:
        return await Store(self.log(), clock, pages_kept=pages_kept).open()


def migrated_database(postgres: OwnPostgres) -> str:
    """Make a database with empty tables and return its address."""
    return postgres.create(f"test{next(_numbers)}", template=MIGRATED)


def fresh_database(postgres: OwnPostgres) -> str:
    """Make an empty database and return its address."""
    return postgres.create(f"test{next(_numbers)}")


class FailingLog:
    """A database whose n-th write fails: before it was done, or after it was done and before that was known."""

    def __init__(self, log: Log, *, fails_at: int, after: bool, appends_only: bool = False) -> None:
        self._log = log
        self._left = fails_at
        self._after = after
        self._appends_only = appends_only
        self.failed = False

    @property
    def one_commit(self) -> bool:
        return self._log.one_commit

    def shard_of(self, owner: Owner) -> Shard:
        return self._log.shard_of(owner)

    async def append(self, rows: Sequence[EntryRow]) -> None:
        await self._write(lambda: self._log.append(rows))

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        if self._appends_only:
            await self._log.project(rows, watermarks)
        else:
            await self._write(lambda: self._log.project(rows, watermarks))

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        self._left -= 1
        if self._left != 0:
            await write()
            return
        self.failed = True
        if self._after:
            await write()
        raise StoreFault("the disk failed, as it was told to")

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        return await self._log.load(owners)

    async def heads(self) -> dict[Shard, int]:
        return await self._log.heads()

    async def tail(self) -> list[EntryRow]:
        return await self._log.tail()

    async def find(self, query: Query) -> list[Record]:
        return await self._log.find(query)

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        return await self._log.due_owners(now, limit)

    async def newest(self) -> Instant | None:
        return await self._log.newest()

    def snapshot(self) -> Snapshot:
        return self._log.snapshot()

    async def close(self) -> None:
        await self._log.close()


def run(story: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end, in a loop of its own."""

    async def told() -> T:
        return await story()

    return asyncio.run(told())


def process_that_writes(path: Path) -> int:
    """Return the process that writes to a SQLite file, whoever started it."""
    return _process_of("qanat.store.sqlite_writer", path)


def process_that_reads(path: Path) -> int:
    """Return the process that reads from a SQLite file, whoever started it."""
    return _process_of("qanat.store.sqlite_reader", path)


def auditors(server: int) -> list[int]:
    """Return the processes that a process has audit."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [int(pid) for pid in children if b"audit_process" in _command(pid)]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""


@contextmanager
def held(process: int) -> Iterator[None]:
    """Hold a process up, as a disk would that hangs."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def _process_of(program: str, path: Path) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            words = (folder / "cmdline").read_text().split("\0")
            if program in words and str(path) in words:
                return int(folder.name)
    raise ProcessLookupError(f"{program} {path}")


async def waiting(address: str) -> int:
    """Return how many connections wait for another's commit."""
    connection = await connect(address)
    try:
        held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return int(await connection.fetchval(held))
    finally:
        await connection.close()
