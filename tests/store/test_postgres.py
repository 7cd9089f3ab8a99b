"""What only a database server can suffer: kill -9, a cable cut during a commit, starts at the same moment, a wrong address."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from operator import methodcaller
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from tests.store.cable import Cable
from tests.store.deciding import balance, fund
from tests.store.logs import fresh_database, run
from tests.store.writing import count_accounts, killed_after, writer

from qanat.bench.database import PromotedDatabase
from qanat.bench.postgres import OwnPostgres
from qanat.clock import ManualClock
from qanat.errors import BadInput, StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.store.port import EntryRow, RecordRow, Taken
from qanat.store.postgres import PostgresLog
from qanat.store.postgres_link import connect
from qanat.store.schema import metadata
from qanat.store.store import Store, open_store
from qanat.units import Instant

T = TypeVar("T")


@pytest.fixture
def database(postgres: OwnPostgres) -> str:
    return fresh_database(postgres)


@pytest.fixture
def mortal() -> Iterator[OwnPostgres]:
    """A PostgreSQL that this test may kill."""
    with OwnPostgres() as own:
        yield own


@pytest.mark.parametrize("acknowledged", [7, 700])
def test_when_a_server_is_killed_under_load_nothing_acknowledged_is_lost(database: str, acknowledged: int) -> None:
    last = killed_after(writer(database), acknowledged)
    assert run(lambda: count_accounts(database)) >= last >= acknowledged


def test_when_the_database_is_killed_under_load_nothing_acknowledged_is_lost(mortal: OwnPostgres) -> None:
    database = mortal.create("q")
    process = writer(database)
    assert process.stdout is not None
    told = ["0"]
    for line in process.stdout:
        told.append(line)
        if len(told) == 50:
            mortal.kill()
    fault = told.pop()
    assert "can't be reached" in fault
    assert "service resumes by itself" in fault
    mortal.start()
    assert run(lambda: count_accounts(database)) >= int(told[-1]) > 0


def test_while_the_database_is_away_everybody_is_told_and_service_resumes_by_itself(mortal: OwnPostgres) -> None:
    async def story() -> None:
        store = await open_store(mortal.create("q"), ManualClock())
        await store.decide(fund("alice", 10))
        mortal.kill()
        async with asyncio.timeout(20):
            told = await asyncio.gather(*(store.decide(fund(f"s{n}", 10)) for n in range(100)), return_exceptions=True)
            assert all(isinstance(one, StoreFault) for one in told)
            with pytest.raises(StoreFault, match="service resumes by itself"):
                await store.find(Account)
        await asyncio.to_thread(mortal.start)
        async with asyncio.timeout(20):
            while not await _is_served(store):
                pass
        await store.decide(fund("bob", 20))
        assert (await balance(store, "alice"), await balance(store, "bob")) == (10, 20)
        assert (await store.audit()).problems == []
        await store.close()

    run(story)


async def _is_served(store: Store) -> bool:
    """Tell whether pages are read and rows written: each has connections of its own, which try again when they may."""
    try:
        await balance(store, "alice")
        await store.find(Account)
    except StoreFault:
        return False
    return True


def test_a_promoted_standby_has_all_that_was_acknowledged_and_service_resumes_by_itself(mortal: OwnPostgres) -> None:
    async def story() -> None:
        with mortal.standby() as standby:
            database = PromotedDatabase(mortal, standby)
            store = await open_store(database.address, ManualClock())
            await asyncio.gather(*(store.decide(fund(f"s{n}", 10)) for n in range(100)))
            writing = asyncio.create_task(fund_until_told(store))
            for n in range(50):
                await store.decide(fund(f"s{n}", 10, id="c"))
            await asyncio.to_thread(database.strike, print)
            while not await told(balance(store, "after")):
                await told(store.decide(fund("after", 10)))
            acknowledged = await writing
            assert len(await store.find(Account, label_prefix="subscriber/s", limit=1000)) == 150
            written = {
                account.owner for account in await store.find(Account, label_prefix="subscriber/w", limit=100_000)
            }
            assert acknowledged <= written
            assert (await store.audit()).problems == []
            await store.close()

    run(story)


async def fund_until_told(store: Store) -> set[str]:
    """Open one account after another until another one is there, and return those that were acknowledged."""
    acknowledged: set[str] = set()
    while not await told(store.decide(bucket_of("after"))):
        name = f"w{len(acknowledged)}"
        await told(store.decide(fund(name, 10)))
        if await told(store.decide(bucket_of(name))):
            acknowledged.add(f"subscriber/{name}")
    return acknowledged


def bucket_of(name: str) -> Callable[[Work], Account | None]:
    return lambda work: work.get(Account, Owner(f"subscriber/{name}"), "b")


async def told(answer: Awaitable[T]) -> T | None:
    with suppress(StoreFault):
        return await answer
    return None


def test_nothing_is_acknowledged_that_the_standby_does_not_have(mortal: OwnPostgres) -> None:
    async def story() -> None:
        with mortal.standby() as standby:
            database = PromotedDatabase(mortal, standby)
            store = await open_store(database.address, ManualClock())
            await store.decide(fund("alice", 10))
            await asyncio.to_thread(standby.stop)
            async with asyncio.timeout(20):
                with pytest.raises(StoreFault):
                    await store.decide(fund("bob", 20))
                with pytest.raises(StoreFault):
                    await balance(store, "bob")
            await asyncio.to_thread(standby.start)
            await store.decide(fund("bob", 20))
            assert (await balance(store, "alice"), await balance(store, "bob")) == (10, 20)
            verdict = await store.audit()
            assert (verdict.problems, verdict.entries) == ([], 2)
            await store.close()

    run(story)


def test_servers_that_write_the_same_accounts_at_once_keep_the_books_together(database: str) -> None:
    """Four processes open the same accounts in the same order: every entry and row of each meets the others'."""
    processes = [writer(database) for _ in range(4)]
    acknowledged = [killed_after(process, 70) for process in processes]
    assert run(lambda: count_accounts(database)) >= max(acknowledged)


@pytest.mark.parametrize("done", [False, True], ids=["before-it-was-done", "after-it-was-done"])
def test_a_commit_whose_connection_breaks_takes_effect_once(postgres: OwnPostgres, tmp_path: Path, done: bool) -> None:
    async def story() -> None:
        name = fresh_database(postgres).partition("?")[0]
        cable = Cable(postgres.host, tmp_path)
        await cable.lay()
        store = await open_store(f"{name}?host={tmp_path}", ManualClock())
        await store.decide(fund("alice", 10))
        (cable.cut_after if done else cable.cut_before)(b"marked")
        await store.decide(fund("alice", 70, id="marked"))
        assert cable.cuts == 1
        assert await balance(store, "alice", "marked") == 70
        verdict = await store.audit()
        assert (verdict.problems, verdict.entries) == ([], 2)
        await store.close()

    run(story)


def test_a_commit_that_broke_is_taken_if_somebody_else_appended_there(postgres: OwnPostgres, tmp_path: Path) -> None:
    async def story() -> None:
        name = fresh_database(postgres).partition("?")[0]
        cable = Cable(postgres.host, tmp_path)
        await cable.lay()
        ours = await PostgresLog.open(f"{name}?host={tmp_path}")
        other = await PostgresLog.open(f"{name}?host={postgres.host}")
        await other.append([entry(1, "theirs")])
        cable.cut_before(b"marked")
        with pytest.raises(Taken):
            await ours.append([entry(1, "marked")])
        assert cable.cuts == 1
        await ours.close()
        await other.close()

    run(story)


def test_a_batch_is_appended_wholly_or_not_at_all(database: str) -> None:
    async def story() -> None:
        log = await PostgresLog.open(database)
        await log.append([entry(1), entry(2)])
        with pytest.raises(Taken):
            await log.append([entry(3), entry(2)])
        assert await log.heads() == {17: 2}
        assert [row.seq for row in await log.tail()] == [1, 2]
        await log.close()

    run(story)


_OPEN = """
import asyncio, sys
from qanat.store.postgres import PostgresLog

async def main():
    log = await PostgresLog.open(sys.argv[1])
    print(await log.heads())
    await log.close()

asyncio.run(main())
"""


def test_servers_that_start_at_the_same_moment_do_not_collide(database: str) -> None:
    command = [sys.executable, "-c", _OPEN, database]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    starting = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(5)
    ]
    assert [process.communicate()[0] for process in starting] == ["{}\n"] * 5


def test_a_migration_that_fails_half_way_leaves_nothing_behind(postgres: OwnPostgres) -> None:
    address = fresh_database(postgres)
    name = address.partition("?")[0].rpartition("/")[2]
    postgres.ask("CREATE TABLE watermark (in_the_way int)", name)
    with pytest.raises(StoreFault, match="nothing was changed"):
        run(lambda: PostgresLog.open(address))
    assert postgres.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name) == "watermark"
    postgres.ask("DROP TABLE watermark", name)
    run(lambda: open_and_close(address))
    run(lambda: open_and_close(address))


def test_a_database_of_a_later_version_is_left_alone(postgres: OwnPostgres) -> None:
    address = fresh_database(postgres)
    run(lambda: open_and_close(address))
    postgres.ask("UPDATE alembic_version SET version_num = '9999'", address.partition("?")[0].rpartition("/")[2])
    with pytest.raises(StoreFault, match="later version of Qanat"):
        run(lambda: PostgresLog.open(address))


def test_the_migrated_schema_is_the_declared_one(database: str) -> None:
    def differences(connection: Connection) -> list[object]:
        found: list[object] = compare_metadata(MigrationContext.configure(connection), metadata)
        return found

    async def story() -> None:
        await open_and_close(database)
        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(database))
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        await engine.dispose()

    run(story)


def test_the_database_holds_tables_and_their_indexes_and_nothing_else(postgres: OwnPostgres) -> None:
    """No sequence, trigger, function or view: what is distributed or moved is tables alone."""
    address = fresh_database(postgres)
    run(lambda: open_and_close(address))
    kinds = "SELECT DISTINCT relkind FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"
    rest = "SELECT count(*) FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'public'"
    name = address.partition("?")[0].rpartition("/")[2]
    assert set(postgres.ask(kinds, name).split()) == {"r", "i"}
    assert postgres.ask(rest, name) == postgres.ask("SELECT count(*) FROM pg_trigger", name) == "0"


def test_the_audit_finds_a_row_that_somebody_changed(postgres: OwnPostgres) -> None:
    address = fresh_database(postgres)
    name = address.partition("?")[0].rpartition("/")[2]

    async def story() -> list[str]:
        store = await open_store(address, ManualClock())
        await store.decide(fund("alice", 10))
        await store.find(Account)
        changed = """UPDATE record SET body = replace(body, '"balance":10', '"balance":99')"""
        await asyncio.to_thread(postgres.ask, changed, name)
        problems = (await store.audit()).problems
        await store.close()
        return problems

    assert run(story) == ["account subscriber/alice:b differs between its row and its entries"]


def test_every_connection_waits_for_the_disk_and_has_limits(database: str) -> None:
    async def story() -> None:
        log = await PostgresLog.open(database)
        for setting, value in (("synchronous_commit", "on"), ("statement_timeout", "3s")):
            assert await log._writer.run(methodcaller("fetchval", f"SHOW {setting}")) == value
        await asyncio.gather(*(log.due_owners(Instant(0), 1) for _ in range(50)))
        held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert await log._writer.run(lambda one: one.fetchval(held)) <= 5
        await log.close()

    run(story)


def test_what_is_planned_while_the_tables_are_empty_reads_no_table_from_end_to_end(database: str) -> None:
    """The plan is kept, and the tables fill."""

    async def story() -> None:
        log = await PostgresLog.open(database)
        batch = [*range(64)]
        plan = await log._writer.run(methodcaller("fetch", f"EXPLAIN {log.say.there}", batch, batch))
        assert [line for (line,) in plan if "pk_entry" in line]
        assert not [line for (line,) in plan if "Seq Scan" in line]
        await log.close()

    run(story)


@pytest.mark.parametrize(
    ("address", "kind", "cure"),
    [
        ("postgresql://nobody:secret@/q?host=/nowhere", StoreFault, "can't be reached"),
        ("postgresql://host:port/q", BadInput, "postgresql://USER@HOST:5432/NAME"),
        ("mysql://host/q", BadInput, "postgresql://user@host/name"),
    ],
)
def test_a_wrong_address_is_named_with_its_cure_and_without_the_password(
    address: str, kind: type[Exception], cure: str
) -> None:
    with pytest.raises(kind) as raised:
        run(lambda: open_store(address, ManualClock()))
    assert cure in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_address_that_is_good_no_more_is_a_fault_of_the_database_to_a_server_that_runs(tmp_path: Path) -> None:
    """Such as a certificate that it names: whoever asks is told to come again, and is not to blame."""

    async def story() -> None:
        log = PostgresLog(f"postgresql://localhost/q?sslmode=verify-full&sslrootcert={tmp_path}/gone.pem")
        for _ in range(2):
            with pytest.raises(StoreFault, match=r"gone\.pem"):
                await log.load([Owner("subscriber/alice")])

    run(story)


def test_a_database_that_is_not_there_is_named_with_its_cure(postgres: OwnPostgres) -> None:
    with pytest.raises(StoreFault, match="createdb"):
        run(lambda: open_store(postgres.url("nowhere"), ManualClock()))


def test_a_database_that_keeps_text_in_another_way_is_refused(postgres: OwnPostgres) -> None:
    postgres.ask("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreFault, match="keeps text as LATIN1"):
        run(lambda: open_store(postgres.url("latin"), ManualClock()))


def entry(seq: int, body: str = "{}") -> EntryRow:
    return EntryRow(Shard(17), seq, Instant(0), "test", body)


async def open_and_close(address: str) -> None:
    store: Store = await open_store(address, ManualClock())
    await store.close()


def test_rows_are_written_by_whoever_moves_the_watermark_forward(database: str) -> None:
    def row(balance: int, shard: int = 17) -> RecordRow:
        return RecordRow(Shard(shard), Owner("a/b"), "account", "b", "a/b:b", None, f'{{"balance":{balance}}}')

    async def story() -> None:
        log = await PostgresLog.open(database)
        await log.project([row(2), row(2, 18)], {Shard(17): 2, Shard(18): 2})
        await log.project([row(1), row(3, 18)], {Shard(17): 1, Shard(18): 3})
        items = await asyncio.to_thread(lambda: list(log.snapshot()))
        bodies = {item.shard: item.body for item in items if isinstance(item, RecordRow)}
        assert bodies == {17: '{"balance":2}', 18: '{"balance":3}'}
        assert await log.standing([Shard(17), Shard(18), Shard(19)]) == {17: (0, 2), 18: (0, 3), 19: (0, 0)}
        await log.close()

    run(story)


def test_a_batch_is_taken_if_a_shard_it_read_has_moved(database: str) -> None:
    async def story() -> None:
        log = await PostgresLog.open(database)
        await log.append([entry(1), entry(2)])
        elsewhere = entry(1)._replace(shard=Shard(3))
        connected = methodcaller("fetchval", "SELECT pg_backend_pid()")
        connection = await log._writer.run(connected)
        with pytest.raises(Taken):
            await log.append([elsewhere], {Shard(17): 1, Shard(18): 0})
        assert await log._writer.run(connected) == connection, "who came second connects anew for nothing"
        await log.append([elsewhere], {Shard(17): 2, Shard(18): 0})
        assert await log.heads() == {3: 1, 17: 2}
        assert [row.seq for row in await log.since({Shard(17): 1, Shard(3): 1})] == [2]
        await log.close()

    run(story)
