"""Backing a SQLite database up while it is served, and putting a copy in its place.

A copy is as of one moment, lies under another name until it is whole and on the disk, and is audited before it gets its
own. Nothing that exists is ever written over. Blocks. PostgreSQL has its own tools for this.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from qanat.errors import BadInput, StoreFault
from qanat.ledger.audit import Verdict
from qanat.store.audit import audit
from qanat.store.sqlite import SqliteLog
from qanat.system import create_private, sync_directory

_PAGES_AT_ONCE: Final = 2_000
_BESIDE: Final = ("-wal", "-shm")
"""Files that SQLite keeps beside a database that is open, or was when its program died."""

Tell = Callable[[int, int], None]
"""Told how many of how many octets are copied."""


def back_up(database: Path, to: Path, *, tell: Tell) -> Verdict:
    """Copy a database as it is at this moment, served or not; return the audit of the copy.

    Raises BadInput if there is nothing to copy or something in the way, StoreFault if the copy could not be written or
    its books do not add up; nothing is at ``to`` then.
    """
    _must_exist(database)
    return _copy(database, to, tell=tell)


def restore(copy: Path, to: Path, *, tell: Tell) -> tuple[Verdict, Path | None]:
    """Put a copy in the place of a database; return its audit, and where what was there before is now.

    Raises BadInput if a server holds the database, StoreFault as ``back_up`` does.
    """
    _must_exist(copy)
    kept = to.with_name(f"{to.name}.before-restore")
    if to.exists() and kept.exists():
        raise BadInput(f"{kept} is there already, from an earlier restore: look at it and move it away", field="to")
    if to.exists() and is_held(to):
        raise BadInput(f"a server holds {to}: stop it first", field="to")
    fresh = to.with_name(f"{to.name}.restoring")
    fresh.unlink(missing_ok=True)
    verdict = _copy(copy, fresh, tell=tell)
    replaced = _move_away(to, kept)
    fresh.rename(to)
    sync_directory(to.parent)
    return verdict, replaced


def is_held(database: Path) -> bool:
    """Tell whether another program has the database open: then it can't leave WAL mode. A damaged file nobody holds."""
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.DatabaseError:
        return False
    return False


def _copy(database: Path, to: Path, *, tell: Tell) -> Verdict:
    if to.exists():
        raise BadInput(f"{to} exists; a copy is never written over anything: name another file", field="to")
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f"{to.name}.partial")
    _remove(partial)
    try:
        create_private(partial)
        _copy_pages(database, partial, tell=tell)
        verdict = _audit(partial)
        os.link(partial, to)  # unlike a rename, it does not replace what came there meanwhile
    except (sqlite3.Error, OSError) as error:
        raise StoreFault(f"{database} could not be copied to {to}: {error}") from error
    finally:
        _remove(partial)
    sync_directory(to.parent)
    return verdict


def _copy_pages(database: Path, to: Path, *, tell: Tell) -> None:
    uri = f"{database.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source, closing(sqlite3.connect(to)) as copy:
        page_size = source.execute("PRAGMA page_size").fetchone()[0]
        # The reader's snapshot stands while others write; without it every write would begin the copy anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        copy.execute("PRAGMA synchronous=FULL")

        def progress(_: int, remaining: int, total: int) -> None:
            tell((total - remaining) * page_size, total * page_size)

        source.backup(copy, pages=_PAGES_AT_ONCE, progress=progress)
    with to.open("rb") as written:
        os.fsync(written.fileno())


def _audit(copy: Path) -> Verdict:
    log = SqliteLog(copy)
    try:
        verdict = audit(log)
    finally:
        asyncio.run(log.close())
    if not verdict.balanced:
        raise StoreFault(f"the books of the copy do not add up, so it was not kept: {verdict.problems[0]}")
    return verdict


def _must_exist(database: Path) -> None:
    if not database.is_file():
        raise BadInput(f"there is no database at {database}", field="database")


def _move_away(database: Path, kept: Path) -> Path | None:
    if not database.exists():
        return None
    for ending in ("", *_BESIDE):
        beside = Path(f"{database}{ending}")
        if beside.exists():
            beside.rename(f"{kept}{ending}")
    return kept


def _remove(database: Path) -> None:
    for ending in ("", "-journal", *_BESIDE):
        Path(f"{database}{ending}").unlink(missing_ok=True)
