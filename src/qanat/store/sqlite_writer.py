"""What writes to a SQLite file: a process that does one job after another, each in one commit.

Entries are durable when their job is done. Rows wait for no disk: they stand behind their entries in the same log, so what a
power cut takes of them is made again from these. Rows are written many with a statement.

The process is started by the scribe, hears from it over its standard input, which is a socket, answers every job in order,
and ends when the scribe does, by whatever cause.
"""

from __future__ import annotations

import os
import select
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from qanat.errors import Fault, StoreFault
from qanat.ids import Shard
from qanat.store.frames import answer_all
from qanat.store.port import EntryRow, RecordRow, Taken
from qanat.store.processes import line_to_the_server
from qanat.store.sqlite_checkpoints import Checkpoints
from qanat.store.sqlite_link import LOOK, connect, faults
from qanat.store.sqlite_log_room import LogRoom

Row = TypeVar("Row", bound=tuple[Any, ...])

_STEPS: Final = (256, 64, 16, 4, 1)
"""How many rows a statement takes: few sizes, so that each is prepared once."""
_ONE_INSERT: Final = _STEPS[0]
"""Entries that one statement appends at most."""
_KEEP_PLACE: Final = (
    " ON CONFLICT (shard, owner, kind, id) DO UPDATE SET body = excluded.body "
    "WHERE label = excluded.label AND due IS excluded.due"
)
"""Leaves both indexes alone, which is half the work of a row; where label or due are others now it does nothing."""
_MOVE: Final = (
    " ON CONFLICT (shard, owner, kind, id) "
    "DO UPDATE SET label = excluded.label, due = excluded.due, body = excluded.body "
    "WHERE label <> excluded.label OR due IS NOT excluded.due"
)
"""For those."""
_REACHED: Final = (
    "INSERT INTO watermark (shard, seq) VALUES (?, ?) ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq"
)
_kind: Final = attrgetter("kind")


class Job(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is to be written in one commit."""

    entries: Sequence[EntryRow] = ()
    rows: Sequence[RecordRow] = ()
    watermarks: dict[Shard, int] = {}


class Outcome(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a job ended; without a fault its entries are durable."""

    fault: str = ""
    taken: bool = False


_DONE: Final = Outcome()
_jobs: Final = msgspec.msgpack.Decoder(Job)


class Writer:
    """Does a server's jobs; opens the file with the first."""

    def __init__(self, path: Path, busy_ms: int, server: socket.socket) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._server = server
        self._file: _OpenFile | None = None

    def do(self, job: Job) -> Outcome:
        """Do all of a job, or nothing and say why. Raises ConnectionError if there is nobody any more to say it to."""
        try:
            file = self._file = self._file or _OpenFile(self._path, self._busy_ms)
            with faults(self._path):
                self._do(file.connection, job)
        except Fault as fault:
            return Outcome(str(fault), isinstance(fault, Taken))
        file.log_room.committed()
        file.checkpoints.written(_pages(job))
        return _DONE

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _do(self, connection: sqlite3.Connection, job: Job) -> None:
        if not job.entries:
            with unsynced(connection):
                _in_one(connection, lambda: self._write_if_wanted(connection, job))
        elif job.rows or job.watermarks or len(job.entries) > _ONE_INSERT:
            _in_one(connection, lambda: self._write_if_wanted(connection, job))
        else:  # one statement is a transaction of its own
            connection.execute(_insert_many(len(job.entries)), _flat(job.entries))

    def _write_if_wanted(self, connection: sqlite3.Connection, job: Job) -> None:
        """Nobody else writes meanwhile. Entries are fenced by their seq, rows are not: a server that is gone may have a
        successor, which wrote newer ones while we waited.
        """
        if _is_gone(self._server):
            raise ConnectionResetError
        _write(connection, job)


class _OpenFile:
    """What writes to the file, and what works beside that."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        """Raises StoreFault, and nothing is left open."""
        with ExitStack() as opened:
            try:
                file = os.open(path, os.O_RDONLY)
                # Behind all connections: closing any descriptor of a file lets go of all locks a process holds on it (POSIX).
                opened.callback(os.close, file)
                self.connection, passing, looking, unwaiting = (
                    opened.enter_context(closing(connect(path, wait_ms))) for wait_ms in (busy_ms, busy_ms, busy_ms, 0)
                )
                checkpoints = Checkpoints(passing=passing, looking=looking, file=file)
                self.checkpoints = opened.enter_context(closing(checkpoints))
                self.log_room = opened.enter_context(closing(LogRoom(path, unwaiting)))
            except OSError as error:
                raise StoreFault(f"the database {path}: {error.strerror}. {LOOK}.") from error
            self.close = opened.pop_all().close


def _is_gone(peer: socket.socket) -> bool:
    asked = select.poll()
    asked.register(peer, 0)  # a closed end is told of unasked
    return bool(asked.poll(0))


@contextmanager
def unsynced(connection: sqlite3.Connection) -> Iterator[None]:
    """Let a commit wait for no disk; the next one that does takes it along."""
    connection.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous=FULL")


def _pages(job: Job) -> int:
    """Return about how many pages a job writes: those of the tables' ends and indexes, three entries in one, a row in each."""
    return 2 + len(job.entries) // 3 + len(job.rows)


def _in_one(connection: sqlite3.Connection, write: Callable[[], None]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        write()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _write(connection: sqlite3.Connection, job: Job) -> None:
    for part in _in_steps(job.entries):
        connection.execute(_insert_many(len(part)), _flat(part))
    kept = sorted((row for row in job.rows if row.body is not None), key=_kind)  # of a kind all move or none, mostly
    for rows in _in_steps(kept):
        insert = "INSERT INTO record (shard, owner, kind, id, label, due, body)" + _values(len(rows), 7)
        if connection.execute(insert + _KEEP_PLACE, _flat(rows)).rowcount < len(rows):
            connection.execute(insert + _MOVE, _flat(rows))
    for gone in _in_steps([row[:4] for row in job.rows if row.body is None]):
        connection.execute(
            f"DELETE FROM record WHERE (shard, owner, kind, id) IN ({_values(len(gone), 4)})",  # noqa: S608 - only its length varies
            _flat(gone),
        )
    connection.executemany(_REACHED, list(job.watermarks.items()))


def _in_steps(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    place = 0
    while place < len(rows):
        step = next(step for step in _STEPS if step <= len(rows) - place)
        yield rows[place : place + step]
        place += step


def _flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    return list(chain.from_iterable(rows))


@lru_cache(_ONE_INSERT)
def _insert_many(entries: int) -> str:
    return "INSERT INTO entry (shard, seq, at, act, body)" + _values(entries, 5)


@lru_cache(_ONE_INSERT)
def _values(rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f" VALUES {', '.join([row] * rows)}"


def main() -> None:
    """Do what comes over the standard input until that ends."""
    path, busy_ms = sys.argv[1:]
    line = line_to_the_server()
    writer = Writer(Path(path), int(busy_ms), line)
    answer_all(line, lambda job: writer.do(_jobs.decode(job)))
    writer.close()


if __name__ == "__main__":
    main()
