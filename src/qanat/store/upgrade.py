"""Migrations: bring a database to the schema of this version, in one transaction.

A migration that fails half-way leaves the database as it was. Loaded by ``migrate`` for a database that needs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from qanat.errors import StoreFault
from qanat.store.migrate import REVISION, outdated
from qanat.store.sqlite_link import MAKE_ROOM, is_of_a_full_disk

_HERE: Final = Path(__file__).parent / "migrations"
_TRIES: Final = 5
"""Servers that start at the same moment may get into each other's way; whoever was second finds the work done."""


def upgrade_sqlite(path: Path) -> None:
    """Migrate a SQLite file, new or old. Repeating does nothing. Raises StoreFault; nothing was changed then."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            upgrade(connection, path)
    except SQLAlchemyError as error:
        cause = _cause(error)
        cure = f". {MAKE_ROOM}." if is_of_a_full_disk(cause) else ""
        raise StoreFault(f"the database {path} could not be migrated: {cause}; nothing was changed{cure}") from error
    finally:
        engine.dispose()


async def upgrade_postgres(connect: Callable[[], Awaitable[Any]], name: str) -> None:
    """Migrate a PostgreSQL database as above, through connections that ``connect`` makes; any number may try at once."""
    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)
    try:
        for last in (False,) * (_TRIES - 1) + (True,):
            try:
                await _upgrade_once(engine, name)
            except (SQLAlchemyError, CommandError) as error:
                if last:
                    raise StoreFault(
                        f"the database {name} could not be migrated: {_cause(error)}; nothing was changed"
                    ) from error
            else:
                return
    finally:
        await engine.dispose()


def _cause(error: Exception) -> object:
    """Return what the driver said, without statement and links."""
    return getattr(error, "orig", None) or error


async def _upgrade_once(engine: AsyncEngine, name: str) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, name)


def upgrade(connection: Connection, name: object) -> None:
    """Upgrade within the caller's transaction, while nobody else writes. Raises Outdated for a database of a later version."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    have = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if have is not None and have not in known:
        raise outdated(name, have)
    if have is not None and connection.dialect.name == "postgresql":
        # Whoever writes waits for us, and then sees that the database is not of its version any more.
        connection.exec_driver_sql("LOCK TABLE entry, record, watermark IN EXCLUSIVE MODE")
    command.upgrade(config, "head")


def new_file() -> str:
    """Return as statements what all migrations make of an empty SQLite file."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection, "")
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").scalars().all()
        revision = connection.exec_driver_sql(REVISION).scalar_one()
    engine.dispose()
    statements = [*(" ".join(sql.split()) for sql in made), f"INSERT INTO alembic_version VALUES ('{revision}')"]  # noqa: S608
    return "-- Printed from the migrations by `make docs`.\n" + "".join(f"{statement};\n" for statement in statements)
