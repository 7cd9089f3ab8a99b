"""SQLite files that lose nothing: opened for one process, on the disk when a commit returns (WAL, ``synchronous=FULL``)."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from qanat.errors import Fault


class JournalFault(Fault):
    """The journal cannot be written; nothing of the commit is in it. The gate keeps its last limit."""


class JournalInUse(Fault):
    """Another agent holds this journal."""


class JournalDamaged(Fault):
    """The file is no journal that can be read."""


def lock(path: Path) -> int:
    """Take the journal for this process; the kernel gives it back when the process ends, however it ends."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalFault(f"{error}; name a writable folder with --state") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise JournalInUse(f"{path} is in use by another agent; stop that one, or name another --state") from error
    return lock


def is_locked(path: Path) -> bool:
    """Tell whether an agent owns the file now."""
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def open_durable(path: Path, *, version: int, create: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """Open or make a database in which a commit that returned is on the disk. Raises JournalFault, JournalDamaged.

    ``create`` makes the tables and sets the version.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -256")
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            create(db)
            os.chmod(path, 0o600)
        elif found != version:
            raise JournalDamaged(f"{path} has version {found}, this agent writes {version}; use the agent that made it")
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise damaged(path, "quick_check found errors")
    except sqlite3.OperationalError as error:
        raise JournalFault(f"{path}: {error}; {cure(error)}") from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error
    return db


def cure(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    cures = {
        "SQLITE_FULL": "the disk is full: free some space, the agent goes on by itself",
        "SQLITE_READONLY": "make the folder writable for the agent",
        "SQLITE_CANTOPEN": "name a folder that exists and is writable with --state",
        "SQLITE_BUSY": "another program holds the file open for writing: close it",
    }
    return next(
        (cure for prefix, cure in cures.items() if name.startswith(prefix)), "look at the disk and its free space"
    )


def damaged(path: Path, error: object) -> JournalDamaged:
    return JournalDamaged(
        f"{path} cannot be read ({error}); move it aside and start again: the server releases what was reserved"
        " when its time is over, and usage that was not reported is in the moved file"
    )
