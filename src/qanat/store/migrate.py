"""Migrations: bring a database to the schema of this version, in one transaction, at every start.

A migration that fails half-way leaves the database as it was.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from qanat.errors import StoreFault

_HERE = Path(__file__).parent / "migrations"


def migrate_sqlite(path: Path) -> None:
    """Migrate a SQLite file, new or old. Repeating does nothing. Raises StoreFault; nothing was changed then."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            migrate(connection)
    except SQLAlchemyError as error:
        raise StoreFault(f"the database {path} could not be migrated: {error}; nothing was changed") from error
    finally:
        engine.dispose()


def migrate(connection: Connection) -> None:
    """Upgrade within the caller's transaction. Raises StoreFault for a database of a later version."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    have = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if have is not None and have not in known:
        raise StoreFault(f"the database is of a later version of Qanat (schema {have}): update Qanat to open it")
    command.upgrade(config, "head")
