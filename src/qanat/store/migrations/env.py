"""Run by alembic: migrate on the connection that ``migrate.py`` hands over, all in its one transaction."""

from __future__ import annotations

from alembic import context

from qanat.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
context.run_migrations()
