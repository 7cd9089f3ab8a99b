"""What the base station must not forget, in SQLite on its disk: one image for each slot.

A *slot* is one usage journal that serves one trade after another; its rows are numbered on through all of them, so the
server's record of what it has counted stays as small as the greatest number of demanders there were at once. An image
is written whole: a holder's few quotas and rows are less than a page.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from qanat.agents.actions import leap
from qanat.agents.durable import JournalFault, cure, damaged, lock, open_durable
from qanat.agents.holding import Snapshot
from qanat.system import fresh_id, fresh_leap
from qanat.units import Instant
from qanat.wire.base_station import Admitted

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE meta (journal TEXT NOT NULL) STRICT;
CREATE TABLE slot (number INTEGER PRIMARY KEY, image BLOB NOT NULL) STRICT;
"""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """The trade in a slot, and from where its demander came."""

    admitted: Admitted
    link_address: str
    addresses: list[str]
    merging: list[str]
    """Offloads that could not be switched off on the metered ports: with any of them some headers go uncounted."""
    since: Instant
    sessions_before: int = 0
    """Sessions that the slot's journal has seen before this one."""


class Slot(msgspec.Struct, kw_only=True):
    number: int
    snapshot: Snapshot
    visit: Visit | None = None

    @property
    def label(self) -> str:
        return f"s{self.number}"

    @property
    def is_over(self) -> bool:
        """Its trade's session was opened and closed; a crash came before the slot was free."""
        return (
            self.visit is not None
            and self.snapshot.session is None
            and (self.snapshot.sessions > self.visit.sessions_before)
        )


_decode: Final = msgspec.msgpack.Decoder(Slot).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class Slots:
    """The open file. One process owns it at a time. Raises JournalInUse, JournalDamaged, JournalFault."""

    def __init__(self, path: Path, *, new_leap: Callable[[], int] = fresh_leap) -> None:
        self.path = path
        self._new_leap = new_leap
        self._lock = lock(path)
        try:
            self._db = open_durable(path, version=VERSION, create=_create)
            self._journal = str(self._db.execute("SELECT journal FROM meta").fetchone()[0])
        except BaseException:
            os.close(self._lock)
            raise
        self._free: list[Slot] = []
        self._count = 0

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def load(self) -> list[Slot]:
        """Return the slots in use, numbered further on; the others are free from now on. Raises JournalDamaged."""
        slots = list(_read(self._db, self.path))
        for slot in slots:
            leap(slot.snapshot, self._new_leap())
        self._count = max((slot.number for slot in slots), default=0)
        self._free = [slot for slot in slots if slot.visit is None]
        return [slot for slot in slots if slot.visit is not None]

    def take(self) -> Slot:
        """Return a free slot; nothing is written yet."""
        if self._free:
            return self._free.pop()
        self._count += 1
        made = Slot(number=self._count, snapshot=Snapshot(journal=f"{self._journal}.{self._count}"))
        leap(made.snapshot, self._new_leap())  # in a file that was put back from a copy this slot may have been before
        return made

    def put(self, slot: Slot) -> None:
        """Write a slot's image; it is on the disk when this returns. Raises JournalFault."""
        try:
            self._db.execute("INSERT OR REPLACE INTO slot VALUES (?, ?)", (slot.number, _encode(slot)))
        except sqlite3.Error as error:
            raise JournalFault(f"{self.path}: {error}; {cure(error)}") from error

    def free(self, slot: Slot) -> None:
        """Write that the slot's trade is over, and give it to the next one. Raises JournalFault."""
        slot.visit = None
        self.put(slot)
        self._free.append(slot)


def read_only(path: Path) -> list[Slot]:
    """Look at the slots of a base station that may be running. Raises JournalDamaged, JournalFault."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise JournalFault(f"{path}: {error}; {cure(error)}") from error
    try:
        return list(_read(db, path))
    finally:
        db.close()


def _read(db: sqlite3.Connection, path: Path) -> Iterator[Slot]:
    try:
        for (image,) in db.execute("SELECT image FROM slot ORDER BY number"):
            yield _decode(image)
    except (sqlite3.Error, msgspec.DecodeError) as error:
        raise damaged(path, error) from error


def _create(db: sqlite3.Connection) -> None:
    name = fresh_id("jnl")
    meta = f"INSERT INTO meta VALUES ('{name}');"  # noqa: S608  # a name made here
    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {meta} PRAGMA user_version = {VERSION}; COMMIT;")
