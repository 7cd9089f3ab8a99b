"""Servers of different versions on one database: what a later one knows, an earlier one must not write over."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec import json
from sqlalchemy.ext.asyncio import create_async_engine
from tests.store.deciding import fund
from tests.store.logs import migrated_database, run, waiting
from tests.store.test_postgres import entry

from qanat.bench.postgres import OwnPostgres
from qanat.clock import ManualClock
from qanat.errors import Outdated
from qanat.ids import Owner, Shard
from qanat.store.citus import CitusLog
from qanat.store.migrate import HEAD
from qanat.store.port import RecordRow
from qanat.store.postgres import PostgresLog
from qanat.store.postgres_link import connect
from qanat.store.records import KINDS
from qanat.store.store import Store
from qanat.store.upgrade import upgrade

ROW = RecordRow(Shard(17), Owner("a/b"), "account", "b", "a/b:b", None, "{}")


@pytest.fixture
def database(postgres: OwnPostgres) -> str:
    return migrated_database(postgres)


def taken_over(postgres: OwnPostgres, database: str, *, version: str = "9999") -> None:
    """A server of a later version was started on the database."""
    postgres.ask(f"UPDATE alembic_version SET version_num = '{version}'", urlsplit(database).path[1:])


def made_older(postgres: OwnPostgres, database: str) -> None:
    """A server of an earlier version was the last that was started on the database."""
    taken_over(postgres, database, version="0002")
    postgres.ask("DROP TABLE opening, beginning", urlsplit(database).path[1:])


def test_a_server_whose_database_a_later_version_took_over_writes_nothing_more(
    postgres: OwnPostgres, database: str
) -> None:
    async def story() -> None:
        store = await Store(PostgresLog(database), ManualClock()).open()
        await store.decide(fund("alice", 10))
        await store.check_version()
        taken_over(postgres, database)
        with pytest.raises(Outdated, match=f"its schema is 9999, this one's {HEAD}"):
            await store.decide(fund("bob", 10))
        with pytest.raises(Outdated, match="update this one"):
            await store.check_version()
        await store.close()
        assert postgres.ask("SELECT count(*) FROM entry", urlsplit(database).path[1:]) == "1"

    run(story)


def test_rows_are_not_written_over_those_of_a_later_version(postgres: OwnPostgres, database: str) -> None:
    async def story() -> None:
        log = PostgresLog(database)
        taken_over(postgres, database)
        for watermarks in ({}, {Shard(17): 1}):
            with pytest.raises(Outdated):
                await log.project([ROW], watermarks)
        assert postgres.ask("SELECT count(*) FROM record", urlsplit(database).path[1:]) == "0"
        await log.close()

    run(story)


@pytest.mark.parametrize("kind", [PostgresLog, CitusLog])
def test_what_waits_for_a_migration_to_end_is_not_written_behind_it(
    postgres: OwnPostgres, database: str, kind: type[PostgresLog]
) -> None:
    """It is of an earlier version, and the migration would not have changed it."""
    made_older(postgres, database)

    async def story() -> None:
        log = kind(database)
        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(database))
        async with engine.begin() as migrating:
            await migrating.run_sync(upgrade, "it")
            await migrating.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
            writing = [asyncio.ensure_future(log.append([entry(1)])), asyncio.create_task(log.project([ROW], {}))]
            while not any(one.done() for one in writing) and await waiting(database) < len(writing):
                pass
        assert [type(one) for one in await asyncio.gather(*writing, return_exceptions=True)] == [Outdated, Outdated]
        assert await log.heads() == {}
        await log.close()
        await engine.dispose()

    run(story)


def test_servers_that_start_at_once_on_an_older_database_bring_it_up_together(
    postgres: OwnPostgres, database: str
) -> None:
    made_older(postgres, database)

    async def story() -> None:
        logs = await asyncio.gather(*(PostgresLog.open(database) for _ in range(5)))
        for log in logs:
            await log.check_version()
            await log.close()

    run(story)


FORMS = {"0003": "fb50f041250fb5b0", "0004": "fb50f041250fb5b0"}
"""Which fields records have, by the schema's number. Once a number is released its line stands: who adds a field adds a line."""


def test_whoever_adds_a_field_to_a_record_adds_a_migration_too() -> None:
    """An earlier version drops a field that it does not know. Only the number of the schema keeps it from the database."""
    known: dict[str, Any] = json.schema_components(KINDS.values())[1]
    # In the compiled build shapes have modules of their own (decision 26), and some names here begin with the module's.
    fields = sorted(
        (name.replace("_shapes", ""), sorted(one.get("properties", ())), len(one.get("prefixItems", ())))
        for name, one in known.items()
    )
    digest = blake2b(repr(fields).encode(), digest_size=8).hexdigest()
    assert FORMS.get(HEAD) == digest, (
        "add a migration, be it an empty one, with this digest; was the last never released, change its"
    )
