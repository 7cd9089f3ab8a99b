"""How we open a SQLite file, and what its faults are called."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from qanat.errors import StoreFault
from qanat.store.port import Taken

STATEMENTS_KEPT: Final = 512
"""Prepared; one for each size of batch that there was."""
MAKE_ROOM: Final = "Make room on the disk"
LOOK: Final = "Look at the disk, the file's owner and the server's limit of open files"
_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=8000",
    "cache_size=-65536",
    "temp_store=MEMORY",
)
_NO_ROOM: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""The second is of the log's index, which lies beside the file and grows too."""


def connect(path: Path, busy_ms: int) -> sqlite3.Connection:
    """Open a file that is there; ``busy_ms`` is how long to wait while somebody else writes. Raises StoreFault."""
    with faults(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw",
            uri=True,
            timeout=busy_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_KEPT,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()  # it and its statements hold each other
            raise
        return connection


class faults:
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


def is_of_a_full_disk(error: object) -> bool:
    return getattr(error, "sqlite_errorcode", None) in _NO_ROOM


def _cure(error: sqlite3.Error) -> str:
    if is_of_a_full_disk(error):
        return f"{MAKE_ROOM}; nothing acknowledged is lost."
    if "locked" in str(error):
        return "Another program holds the file; close it."
    return f"{LOOK}."
