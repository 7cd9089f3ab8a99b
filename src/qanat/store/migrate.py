"""At every start: is a database of this version's schema? Mostly it is, or it is a new file, whose tables are known.

Only another one is handed to ``upgrade``, whose libraries cost a start half a second.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from qanat.errors import Outdated
from qanat.system import create_private

HEAD: Final = "0004"
"""The last migration in ``migrations/versions``."""
NEW_FILE: Final = Path(__file__).parent / "migrations" / "new_file.sql"
"""What all migrations make of an empty SQLite file; printed from them by ``make docs``."""
REVISION: Final = "SELECT version_num FROM alembic_version"
"""Asks a database which migration was its last."""


def migrate_sqlite(path: Path) -> None:
    """Bring a SQLite file, new or old, to this version. Repeating does nothing. Raises StoreFault; nothing was changed then."""
    if not _is_ready(path):
        from qanat.store.upgrade import upgrade_sqlite  # noqa: PLC0415 - see above

        upgrade_sqlite(path)


async def migrate_postgres(revision: str | None, connect: Callable[[], Awaitable[Any]], name: str) -> None:
    """Bring a PostgreSQL database at a ``revision`` to this version, as above; any number of servers may try at once."""
    if revision != HEAD:
        from qanat.store.upgrade import upgrade_postgres  # noqa: PLC0415 - see above

        await upgrade_postgres(connect, name)


def outdated(name: object, revision: str) -> Outdated:
    """Return the fault of a database that a later version has brought further than this one knows."""
    return Outdated(
        f"the database {name} is of a later version of Qanat (its schema is {revision}, this one's {HEAD}): "
        "update this one to serve it"
    )


def _is_ready(path: Path) -> bool:
    """Return whether a file is of this version, or was empty and now is. What is wrong with one, ``upgrade`` tells."""
    with suppress(OSError):
        create_private(Path(os.path.realpath(path)))  # SQLite would follow a link, and let others read what it leads to
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            if _is_empty(file):
                _fill(file)
            return bool(file.execute(REVISION).fetchone() == (HEAD,))
    except sqlite3.Error:
        return False


def _fill(file: sqlite3.Connection) -> None:
    file.execute("BEGIN IMMEDIATE")
    if _is_empty(file):  # another server may have been here first
        for statement in NEW_FILE.read_text(encoding="utf-8").split(";\n"):
            file.execute(statement)
    file.execute("COMMIT")


def _is_empty(file: sqlite3.Connection) -> bool:
    return not file.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
