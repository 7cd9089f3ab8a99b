"""Taking the oldest entries out of a SQLite file, beside a server that writes to it or without one.

Each step is a short transaction on a connection of its own, which brings nothing of the log into the file while a server has
it open: that is the server's (decision 25). The server only waits while a step writes: behind each the file is left alone as
long as the step took. What is removed leaves room in the file that is written to next; the file does not become smaller.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from qanat.ids import Owner, Shard
from qanat.store.port import ANOTHER_ARCHIVE, EntryRow, Opening, Taken
from qanat.store.sqlite import COUNTED, OPENINGS, THE_SHARD
from qanat.store.sqlite_link import connect, faults
from qanat.units import Instant

T = TypeVar("T")

_BUSY_MS: Final = 20_000
_LAST: Final = (
    "SELECT max(seq) FROM (SELECT seq FROM entry WHERE shard = ?1 AND at < ?2 "
    "AND seq < (SELECT seq FROM watermark WHERE shard = ?1) ORDER BY seq DESC LIMIT 1)"
)
"""Looks from the newest entry back, so at those that stay."""
_BEGINNING: Final = "SELECT coalesce(max(seq), 0) FROM beginning WHERE shard = ?"
_PIECES: Final = "SELECT count(*) FROM opening WHERE shard = ? AND seq = ?"
_BEGIN_BEHIND: Final = (
    "INSERT INTO beginning (shard, seq, archive) VALUES (?, ?, 1) "
    "ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq, archive = archive + 1"
)
_GONE: Final = (
    "DELETE FROM entry WHERE shard = ?1 AND seq <= ?2 AND seq < (SELECT min(seq) FROM entry WHERE shard = ?1) + ?3"
)
_VOID: Final = "DELETE FROM opening WHERE rowid IN (SELECT rowid FROM opening WHERE shard = ? AND seq <> ? LIMIT ?)"


class SqliteArchiving:
    def __init__(self, path: Path) -> None:
        self._path = path

    def shard_of(self, owner: Owner) -> Shard:  # noqa: ARG002 - one log for all
        return THE_SHARD

    def old_entries(self, before: Instant) -> Generator[Opening | EntryRow, None, None]:
        with closing(self._connect()) as connection, faults(self._path):
            connection.execute("BEGIN")
            ((last,),) = connection.execute(_LAST, (THE_SHARD, before))
            yield from map(Opening._make, connection.execute(OPENINGS))
            yield from map(EntryRow._make, connection.execute(COUNTED + " AND seq <= ? ORDER BY shard, seq", (last,)))

    async def lay(self, openings: Sequence[Opening]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT INTO opening (shard, seq, piece, at, body) VALUES (?, ?, ?, ?, ?)", openings)

        await self._in_one(write, synchronous="NORMAL")

    async def begin_behind(self, seqs: Mapping[Shard, int], pieces: int, *, begun: Mapping[Shard, int]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            seq = seqs[THE_SHARD]
            ((begins,),) = connection.execute(_BEGINNING, (THE_SHARD,))
            ((laid,),) = connection.execute(_PIECES, (THE_SHARD, seq))
            if begins != begun.get(THE_SHARD, 0) or laid != pieces:
                raise Taken(ANOTHER_ARCHIVE)
            connection.execute(_BEGIN_BEHIND, (THE_SHARD, seq))

        await self._in_one(write, synchronous="FULL")

    async def shed(self, limit: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            ((begun,),) = connection.execute(_BEGINNING, (THE_SHARD,))
            gone = connection.execute(_GONE, (THE_SHARD, begun, limit)).rowcount
            return gone or connection.execute(_VOID, (THE_SHARD, begun, max(1, limit // 64))).rowcount

        return await self._in_one(write, synchronous="NORMAL")

    async def _in_one(self, write: Callable[[sqlite3.Connection], T], *, synchronous: str) -> T:
        result, took_s = await asyncio.to_thread(self._write, write, synchronous)
        # SQLite keeps no queue: who waits looks now and then, and must not find the file taken each time.
        await asyncio.sleep(took_s)
        return result

    def _write(self, write: Callable[[sqlite3.Connection], T], synchronous: str) -> tuple[T, float]:
        with closing(self._connect()) as connection, faults(self._path):
            connection.execute(f"PRAGMA synchronous={synchronous}")
            begun_s = monotonic()
            connection.execute("BEGIN IMMEDIATE")
            result = write(connection)
            connection.execute("COMMIT")
            return result, monotonic() - begun_s

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, _BUSY_MS)
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA secure_delete=OFF")
        return connection
