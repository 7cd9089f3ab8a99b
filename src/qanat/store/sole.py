"""One server to a SQLite file: any number may append, since an entry's seq is its fence, but a row in a file has none.

A second server would write rows that are behind over newer ones, and later decide on them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qanat.errors import BadInput, StoreFault


@contextmanager
def sole_server(url: str) -> Iterator[None]:
    """Keep other servers from the file at an address until we end, by whatever cause; elsewhere any number may serve.

    Raises BadInput if another server is there, StoreFault if nothing can be written beside the file.
    """
    if not url.startswith("sqlite:///"):
        yield
        return
    path = Path(url.removeprefix("sqlite:///")).resolve()
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


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreFault(f"the database {path}: {error.strerror}. Look at the disk and the folder's owner.") from error
