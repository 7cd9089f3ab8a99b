"""One server to a SQLite file: any number may append, since an entry's seq is its fence, but a row in a file has none.

A second server would write rows that are behind over newer ones, and later decide on them.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from qanat.errors import BadInput, StoreFault
from qanat.store.address import file_at


@contextmanager
def sole_server(url: str) -> Iterator[None]:
    """Keep other servers from the file at an address until we end, by whatever cause; elsewhere any number may serve.

    Raises BadInput if another server is there, StoreFault if nothing can be written beside the file.
    """
    file = file_at(url)
    if file is None:
        yield
        return
    path = file.resolve()
    lock = _opened(path)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(
                f"another server serves {path}: stop it first, or name another --data", field="data"
            ) from error
        yield
    finally:
        os.close(lock)


def is_written_to(url: str) -> bool:
    """Tell whether another program, such as a shell of SQLite's, is writing to the file: who opens it waits for that."""
    path = file_at(url)
    if path is None or not path.exists():
        return False
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)
        ) as file:
            file.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    return False


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreFault(f"the database {path}: {error.strerror}. Look at the disk and the folder's owner.") from error
