"""What only a file can suffer: kill -9, a full disk, a lock, a damaged row, a migration that fails half-way."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from tests.small_files import biggest_file
from tests.store.deciding import balance, fund, say
from tests.store.logs import run
from tests.store.writing import count_accounts, killed_after, writer

from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.ledger.work import Record
from qanat.store import sqlite as sqlite_log
from qanat.store.migrate import HEAD, migrate_sqlite
from qanat.store.port import EntryRow, Query, RecordRow
from qanat.store.records import encode
from qanat.store.schema import metadata
from qanat.store.sqlite import SqliteLog
from qanat.store.sqlite_link import connect
from qanat.store.store import Store, open_store
from qanat.store.upgrade import upgrade_sqlite
from qanat.units import Instant


@pytest.mark.parametrize("acknowledged", [7, 210, 1400])
def test_killed_under_load_nothing_acknowledged_is_lost(tmp_path: Path, acknowledged: int) -> None:
    database = f"sqlite:///{tmp_path}/q.db"
    last = killed_after(writer(database), acknowledged)
    assert run(lambda: count_accounts(database)) >= last >= acknowledged


def test_a_commit_that_returned_is_synced_to_the_disk(tmp_path: Path) -> None:
    """2 is FULL: the log is synced at every commit, and a power cut takes nothing that was acknowledged."""
    migrate_sqlite(tmp_path / "q.db")
    with closing(connect(tmp_path / "q.db", 20)) as link:
        found = [link.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


def test_a_full_disk_is_a_fault_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/q.db"
    output, _ = writer(database, file_limit=400_000).communicate()
    *counts, fault = output.splitlines()
    assert fault.startswith("fault")
    assert run(lambda: count_accounts(database)) >= int(counts[-1]) > 0


def test_a_start_on_a_full_disk_says_that_it_is_full(tmp_path: Path) -> None:
    """Nothing is left for the index of SQLite's log, which a server that stopped in order takes away."""
    path = tmp_path / "q.db"
    migrate_sqlite(path)
    connect(path, 20).close()
    with biggest_file(octets=4096):
        for start in (lambda: SqliteLog(path), lambda: connect(path, 20)):
            with pytest.raises(StoreFault, match=r"disk I/O error.*Make room on the disk"):
                start()
    connect(path, 20).close()


def test_a_locked_database_is_a_fault_with_the_cure_and_passes(tmp_path: Path) -> None:
    path = tmp_path / "q.db"

    async def story() -> None:
        store = await Store(SqliteLog(path, busy_ms=20), ManualClock()).open()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFault, match="Another program holds the file"):
            await store.decide(fund("alice", 10))
        other.execute("ROLLBACK")
        await store.decide(fund("alice", 10))
        assert (await store.audit()).accounts == 2
        await store.close()

    run(story)


def test_a_file_that_can_neither_be_written_nor_read_leaves_nothing_to_believe(tmp_path: Path) -> None:
    async def story() -> None:
        log = Stricken(tmp_path / "q.db")
        store = await Store(log, ManualClock()).open()
        log.stricken = True
        with pytest.raises(StoreFault):
            await store.decide(fund("alice", 10))
        assert await balance(store, "alice") == 0
        log.stricken = False
        await store.decide(say("alice", "s", 0, Event.FIRST))
        assert (await store.audit()).problems == []
        await store.close()

    run(story)


class Stricken(SqliteLog):
    """Takes no entries and does not tell where it stands."""

    stricken = False

    def append(self, rows: Sequence[EntryRow]) -> Awaitable[None]:
        return _no_disk() if self.stricken else super().append(rows)

    async def heads(self) -> dict[Shard, int]:
        if self.stricken:
            await _no_disk()
        return await super().heads()


async def _no_disk() -> None:
    raise StoreFault("the disk is gone")


def test_whoever_waits_for_a_page_when_the_store_closes_is_told(tmp_path: Path) -> None:
    class Slow(SqliteLog):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.asked, self.go_on = asyncio.Event(), asyncio.Event()

        async def load(self, owners: Sequence[Owner]) -> list[Record]:
            self.asked.set()
            await self.go_on.wait()
            return await super().load(owners)

    async def story() -> None:
        log = Slow(tmp_path / "q.db")
        store = await Store(log, ManualClock()).open()
        waits = asyncio.create_task(balance(store, "alice"))
        await log.asked.wait()
        closing = asyncio.create_task(store.close())
        for _ in range(5):  # it closes as far as it may
            await asyncio.sleep(0)
        log.go_on.set()
        with pytest.raises(StoreFault, match="closing"):
            await asyncio.wait_for(waits, 5)
        await closing

    run(story)


def test_the_audit_finds_a_row_that_somebody_changed(tmp_path: Path) -> None:
    path = tmp_path / "q.db"

    async def story() -> list[str]:
        store = await open_store(f"sqlite:///{path}", ManualClock())
        await store.decide(fund("alice", 10))
        await store.find(Account)
        with sqlite3.connect(path) as other:
            other.execute("UPDATE record SET body = replace(body, '\"balance\":10', '\"balance\":99')")
        other.close()
        problems = (await store.audit()).problems
        await store.close()
        return problems

    assert run(story) == ["account subscriber/alice:b differs between its row and its entries"]


def test_a_migration_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with sqlite3.connect(path) as before:
        before.execute("CREATE TABLE watermark (in_the_way INTEGER)")
    before.close()
    with pytest.raises(StoreFault, match="nothing was changed"):
        migrate_sqlite(path)
    with sqlite3.connect(path) as after:
        assert after.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall() == [
            ("watermark",)
        ]
        after.execute("DROP TABLE watermark")
    after.close()
    migrate_sqlite(path)
    migrate_sqlite(path)


def test_sessions_of_an_older_database_are_told_apart_by_whether_they_are_live(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    migrate_sqlite(path)
    rows = [(0, "subscriber/a", "session", id, id, body) for id, body in (("s1", "{}"), ("s2", '{"state":"closed"}'))]
    with sqlite3.connect(path) as older:
        older.executemany("INSERT INTO record (shard, owner, kind, id, label, body) VALUES (?, ?, ?, ?, ?, ?)", rows)
        older.execute("UPDATE alembic_version SET version_num = '0001'")
        older.execute("DROP TABLE opening")
        older.execute("DROP TABLE beginning")
    migrate_sqlite(path)
    assert older.execute("SELECT label FROM record ORDER BY id").fetchall() == [("live/s1",), ("over/s2",)]
    older.close()


def test_a_new_file_is_what_all_migrations_make_of_an_empty_one(tmp_path: Path) -> None:
    migrate_sqlite(tmp_path / "new.db")
    upgrade_sqlite(tmp_path / "upgraded.db")
    new, upgraded = (_content(tmp_path / name) for name in ("new.db", "upgraded.db"))
    assert new == upgraded
    assert f"INSERTINTO\"alembic_version\"VALUES('{HEAD}');" in new


def test_a_start_on_a_new_or_a_current_file_loads_no_migrations(tmp_path: Path) -> None:
    start = "import sys; from pathlib import Path; from qanat.store.migrate import migrate_sqlite as start"
    said = "start(Path(sys.argv[1])); start(Path(sys.argv[1])); print('alembic' in sys.modules)"
    command = [sys.executable, "-c", f"{start}; {said}", str(tmp_path / "q.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"})
    assert done.stdout == "False\n"


def _content(path: Path) -> list[str]:
    """Return its statements without spaces."""
    with closing(sqlite3.connect(path)) as file:
        return ["".join(statement.split()) for statement in file.iterdump()]


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    migrate_sqlite(path)
    with sqlite3.connect(path) as later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")
    later.close()
    with pytest.raises(StoreFault, match="later version of Qanat"):
        migrate_sqlite(path)


def test_the_migrated_schema_is_the_declared_one(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    migrate_sqlite(path)
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


@pytest.mark.parametrize("statement", [sqlite_log.HEAD, sqlite_log.REACHED, sqlite_log.TAIL])
def test_a_start_reads_the_end_of_the_entries_and_never_all_of_them(tmp_path: Path, statement: str) -> None:
    migrate_sqlite(tmp_path / "q.db")
    with closing(sqlite3.connect(tmp_path / "q.db")) as file:
        plan = [step[3] for step in file.execute(f"EXPLAIN QUERY PLAN {statement}", (0,) * statement.count("?"))]
    assert plan
    assert not [step for step in plan if step.startswith(("SCAN", "USE TEMP"))]


@pytest.mark.parametrize("watermark", [None, 1, 5000, 9000])
def test_what_rows_do_not_know_yet_is_read_in_pieces_and_in_order(tmp_path: Path, watermark: int | None) -> None:
    async def story() -> list[int]:
        log = SqliteLog(tmp_path / "q.db")
        await log.append([EntryRow(Shard(0), seq, Instant(0), "tried", "{}") for seq in range(1, 9001)])
        await log.project([], {} if watermark is None else {Shard(0): watermark})
        tail = await log.tail()
        await log.close()
        return [row.seq for row in tail]

    assert run(story) == list(range((watermark or 0) + 1, 9001))


@pytest.mark.parametrize(("prefix", "after"), [("m", ""), ("", "l"), ("m", "l"), ("m", "m/0")])
def test_a_list_begins_at_its_prefix_or_behind_what_was_shown_and_reads_nothing_before(
    tmp_path: Path, prefix: str, after: str
) -> None:
    """Counts the steps of SQLite's machine, a hundred at a time: 3,000 records take some 30,000."""
    query = Query(kind="account", label_prefix=prefix, after=after)

    async def story() -> list[Record]:
        log = SqliteLog(tmp_path / "q.db")
        labels = [f"a/{n:04}" for n in range(3000)] + ["m/0", "m/1"]
        records = [Account(owner=Owner("o"), id=label, role="bucket") for label in labels]
        rows = [
            RecordRow(Shard(0), one.owner, "account", one.id, label, None, encode(one))
            for one, label in zip(records, labels, strict=True)
        ]
        await log.project(rows, {})
        found = await log.find(query)
        await log.close()
        return found

    assert [record.id for record in run(story)] == (["m/1"] if after == "m/0" else ["m/0", "m/1"])
    steps: list[None] = []
    with closing(sqlite3.connect(tmp_path / "q.db")) as file:
        file.set_progress_handler(lambda: steps.append(None), 100)
        assert len(file.execute(sqlite_log.FIND, sqlite_log.where(query)).fetchall()) == (1 if after == "m/0" else 2)
    assert len(steps) < 10
