"""What the workers of a host must know together, whichever of them is asked: signed requests seen, tries counted.

A small SQLite file in the data directory, written without waiting for the disk: it outlives a worker and the server, and
after a power cut it may be forgotten or damaged, when the window of every signature in it is about to pass anyway. A look at it
takes some 20 µs. Servers on other hosts do not see it: there a replayed request is answered as a repeat, which by
its natural key changes nothing.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from qanat.clock import Clock
from qanat.errors import StoreFault
from qanat.refusals import Refused
from qanat.server.http.signed import TooManyNonces
from qanat.server.passwords import too_many_tries
from qanat.units import MINUTE
from qanat.wire.signature import Signed

_log: Final = structlog.get_logger("sharing")
_BUSY_S: Final = 5.0
_SLICE_S: Final = 60
_TIDY_S: Final = 10
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS nonce (slice INTEGER, key TEXT, nonce TEXT, PRIMARY KEY (slice, key, nonce)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS try (door TEXT, who TEXT, at INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS ix_try ON try (door, who, at);
"""


def shared_file(data: Path) -> Path:
    return data / "workers.db"


def forget_if_damaged(file: Path) -> None:
    """Let the workers begin with an empty file where this one can't be read any more. Nobody may have it open."""
    if not file.exists() or _is_whole(file):
        return
    _log.warning("what the workers share was damaged, by a power cut perhaps, and is forgotten", file=str(file))
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _is_whole(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_S)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True  # it can't be opened or is locked: who needs it will say so
    except sqlite3.DatabaseError:
        return False


class Shared:
    """Raises StoreFault, as all that uses it does."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._connection = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=OFF")
            self._connection.executescript(_TABLES)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def run(self, sql: str, *arguments: object) -> int:
        """Write, and return how many rows that concerned."""
        try:
            return self._connection.execute(sql, arguments).rowcount
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def ask(self, sql: str, *arguments: object) -> int | None:
        try:
            value: int | None = self._connection.execute(sql, arguments).fetchone()[0]
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return value

    def close(self) -> None:
        self._connection.close()

    def _fault(self, error: sqlite3.Error) -> StoreFault:
        is_whole = isinstance(error, sqlite3.OperationalError)
        cure = "Look at the disk and its owner" if is_whole else "Start the server again: it begins with an empty one"
        return StoreFault(f"the file that the workers share, {self._file}: {error}. {cure}.")


class SharedReplayMemory:
    """The nonces seen within the window by any worker."""

    def __init__(self, shared: Shared, *, window_s: int, bound: int) -> None:
        self._shared = shared
        self._window_s = window_s
        self._bound = bound
        self._tidied_at = 0
        self._room = 0

    def is_new(self, signed: Signed, *, now_s: int) -> bool:
        """Remember a nonce and tell whether this was the first time. Raises TooManyNonces."""
        self._tidy(now_s)
        if self._room <= 0:
            raise TooManyNonces
        self._room -= 1
        seen = (signed.created_s // _SLICE_S, signed.key_id, signed.nonce)
        return self._shared.run("INSERT OR IGNORE INTO nonce VALUES (?, ?, ?)", *seen) == 1

    def _tidy(self, now_s: int) -> None:
        """Now and then, forget the slices that no request comes in, and see how much room there is."""
        if abs(now_s - self._tidied_at) < _TIDY_S:
            return
        self._tidied_at = now_s
        oldest, newest = (now_s - self._window_s) // _SLICE_S - 1, (now_s + self._window_s) // _SLICE_S + 1
        self._shared.run("DELETE FROM nonce WHERE slice NOT BETWEEN ? AND ?", oldest, newest)
        self._room = self._bound - (self._shared.ask("SELECT count(*) FROM nonce") or 0)


class SharedTries:
    """How often somebody may try in a minute, at whichever worker."""

    def __init__(self, shared: Shared, door: str, *, per_minute: int, clock: Clock) -> None:
        self._shared = shared
        self._door = door
        self._per_minute = per_minute
        self._clock = clock

    def count(self, who: str) -> Refused | None:
        """Count a try, or refuse it."""
        now = self._clock.now()
        recent = (self._door, now - MINUTE + 1, now)
        self._shared.run("DELETE FROM try WHERE door = ? AND at NOT BETWEEN ? AND ?", *recent)
        mine = (self._door, who)
        if (self._shared.ask("SELECT count(*) FROM try WHERE door = ? AND who = ?", *mine) or 0) >= self._per_minute:
            first = self._shared.ask("SELECT min(at) FROM try WHERE door = ? AND who = ?", *mine) or now
            return too_many_tries(first, now)
        self._shared.run("INSERT INTO try VALUES (?, ?, ?)", *mine, now)
        return None

    def take_back(self, who: str) -> None:
        """Let the last try not count."""
        last = "(SELECT max(rowid) FROM try WHERE door = ? AND who = ?)"
        self._shared.run(f"DELETE FROM try WHERE rowid = {last}", self._door, who)  # noqa: S608 - a constant

    def forget(self, who: str) -> None:
        """Begin anew after a success."""
        self._shared.run("DELETE FROM try WHERE door = ? AND who = ?", self._door, who)
