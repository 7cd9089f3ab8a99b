"""The usage journal: what a holder must not forget, in SQLite on the local disk.

A commit that returned is on the disk (WAL, ``synchronous=FULL``). One process owns a journal at a time. Quotas keep
their running figures; rows wait here until the server has confirmed them; a question waits until it has its answer.
Why it looks like this: docs/decisions/0011.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from qanat.agents.actions import Acked, Change, CurrentSession, Gone, Pending
from qanat.agents.durable import JournalFault, cure, damaged, lock, open_durable
from qanat.agents.holding import Epoch, Held, Session, Snapshot
from qanat.system import fresh_id, fresh_leap
from qanat.wire.agent import Interrogation, UsageRow

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE meta (
    journal TEXT NOT NULL, floor INTEGER NOT NULL, sessions INTEGER NOT NULL,
    session TEXT, next_number INTEGER, pending BLOB
) STRICT;
CREATE TABLE epoch (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, up INTEGER NOT NULL, down INTEGER NOT NULL
) STRICT;
CREATE TABLE quota (
    place INTEGER PRIMARY KEY AUTOINCREMENT, quota TEXT NOT NULL UNIQUE, octets INTEGER NOT NULL,
    valid_until INTEGER NOT NULL, threshold INTEGER NOT NULL, final INTEGER NOT NULL, epoch INTEGER NOT NULL,
    up INTEGER NOT NULL, down INTEGER NOT NULL, reserved INTEGER NOT NULL, noted INTEGER NOT NULL,
    confirmed INTEGER NOT NULL, ended INTEGER NOT NULL
) STRICT;
CREATE TABLE usage (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, quota TEXT NOT NULL, epoch INTEGER NOT NULL, up INTEGER NOT NULL,
    down INTEGER NOT NULL, reserved INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
"""
_PUT_QUOTA: Final = """
INSERT INTO quota (quota, octets, valid_until, threshold, final, epoch, up, down, reserved, noted, confirmed, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (quota) DO UPDATE SET octets = excluded.octets, up = excluded.up, down = excluded.down,
    reserved = excluded.reserved, noted = excluded.noted, confirmed = excluded.confirmed, ended = excluded.ended
"""
_PUT_EPOCH: Final = """
INSERT INTO epoch VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET source = excluded.source, up = excluded.up, down = excluded.down
"""
_QUOTA_COLUMNS: Final = (
    "quota, octets, valid_until, threshold, final, epoch, up, down, reserved, noted, confirmed, ended"
)
_encode: Final = msgspec.json.encode


class Journal:
    """An open journal. Close it, or die: both leave it whole."""

    def __init__(
        self, path: Path, *, new_name: Callable[[str], str] = fresh_id, new_leap: Callable[[], int] = fresh_leap
    ) -> None:
        """Open or make the journal, and number its rows further on. Raises JournalInUse, JournalDamaged, JournalFault."""
        self.path = path
        self._lock = lock(path)
        try:
            self._db = open_durable(path, version=VERSION, create=lambda db: _create(db, new_name("jnl")))
            self._leap(new_leap())
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def commit(self, changes: tuple[Change, ...]) -> None:
        """Write the changes, all or none; they are on the disk when this returns. Raises JournalFault."""
        with self._transaction():
            for change in changes:
                self._write(change)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.rollback()
            raise JournalFault(f"{self.path}: {error}; {cure(error)}") from error

    def load(self) -> Snapshot:
        """Read everything back, as ``Holder`` wants it. Raises JournalDamaged."""
        try:
            return _load(self._db)
        except (sqlite3.Error, msgspec.DecodeError, TypeError) as error:
            raise damaged(self.path, error) from error

    def _leap(self, by: int) -> None:
        """Do what ``actions.leap`` does, durably."""
        with self._transaction():
            self._db.execute("UPDATE meta SET floor = floor + ?", (by,))
            self._db.execute("UPDATE usage SET seq = seq + ?", (by,))
            self._db.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'usage'", (by,))

    def _write(self, change: Change) -> None:
        run = self._db.execute
        match change:
            case Held():
                run(_PUT_QUOTA, msgspec.structs.astuple(change))
            case Epoch():
                run(_PUT_EPOCH, msgspec.structs.astuple(change))
                run("DELETE FROM epoch WHERE number < ?", (change.number,))
            case UsageRow():
                run("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(change))
            case Gone():
                run("DELETE FROM quota WHERE quota = ?", (change.quota,))
            case Acked():
                run("DELETE FROM usage WHERE seq <= ?", (change.seq,))
                run("UPDATE meta SET floor = max(floor, ?)", (change.seq,))
            case Pending():
                body = None if change.message is None else _encode(change.message)
                run("UPDATE meta SET pending = ?", (body,))
            case CurrentSession():
                self._write_session(change.session)

    def _write_session(self, session: Session | None) -> None:
        if session is None:
            self._db.execute("UPDATE meta SET session = NULL, next_number = NULL")
        else:
            self._db.execute(
                "UPDATE meta SET sessions = sessions + (session IS NOT ?1), session = ?1, next_number = ?2",
                (session.name, session.next_number),
            )


def read_only(path: Path) -> Snapshot:
    """Look into a journal that an agent may have open. Raises JournalDamaged, JournalFault."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise JournalFault(f"{path}: {error}; {cure(error)}") from error
    try:
        return _load(db)
    except (sqlite3.Error, msgspec.DecodeError, TypeError) as error:
        raise damaged(path, error) from error
    finally:
        db.close()


def _create(db: sqlite3.Connection, name: str) -> None:
    """Make the tables and the journal's name in one transaction, so that a crash leaves either nothing or all of it."""
    meta = f"INSERT INTO meta VALUES ('{name}', 0, 0, NULL, NULL, NULL);"  # noqa: S608  # a name made here
    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {meta} PRAGMA user_version = {VERSION}; COMMIT;")


def _load(db: sqlite3.Connection) -> Snapshot:
    db.execute("BEGIN")
    name, floor, sessions, session, number, pending = db.execute("SELECT * FROM meta").fetchone()
    epoch = db.execute("SELECT * FROM epoch ORDER BY number DESC LIMIT 1").fetchone()
    quotas = [_held(row) for row in db.execute(f"SELECT {_QUOTA_COLUMNS} FROM quota ORDER BY place")]  # noqa: S608
    rows = [_row(row) for row in db.execute("SELECT * FROM usage ORDER BY seq")]
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'usage'").fetchone()
    db.execute("COMMIT")
    return Snapshot(
        journal=name,
        epoch=None if epoch is None else Epoch(number=epoch[0], source=epoch[1], up=epoch[2], down=epoch[3]),
        quotas={held.quota: held for held in quotas},
        rows={row.seq: row for row in rows},
        floor=floor,
        next_seq=max(floor, 0 if last is None else last[0]) + 1,
        sessions=sessions,
        session=None if session is None else Session(name=session, next_number=number),
        pending=None if pending is None else msgspec.json.decode(pending, type=Interrogation),
    )


def _held(row: tuple[object, ...]) -> Held:
    return msgspec.convert(dict(zip(Held.__struct_fields__, row, strict=True)), Held, strict=False)


def _row(row: tuple[object, ...]) -> UsageRow:
    return msgspec.convert(dict(zip(UsageRow.__struct_fields__, row, strict=True)), UsageRow)
