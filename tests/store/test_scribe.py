"""The process that writes: lost and replaced, fed more than a socket holds, and gone when whoever started it is."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.small_files import files_allowed
from tests.store.deciding import balance, fund
from tests.store.logs import process_that_writes, run

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.store.migrate import migrate_sqlite
from qanat.store.port import EntryRow, RecordRow, Taken
from qanat.store.processes import environment
from qanat.store.scribe import Scribe
from qanat.store.sqlite import SqliteLog
from qanat.store.sqlite_writer import Job
from qanat.store.store import Store
from qanat.units import Instant


def entry(seq: int, body: str = "{}") -> EntryRow:
    return EntryRow(Shard(0), seq, Instant(0), "tried", body)


async def scribe_of(path: Path) -> Scribe:
    migrate_sqlite(path)
    return Scribe(path, busy_ms=50)


async def heads(path: Path) -> dict[Shard, int]:
    log = SqliteLog(path)
    try:
        return await log.heads()
    finally:
        await log.close()


def test_jobs_are_done_in_the_order_in_which_they_were_handed_over(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        await asyncio.gather(*(scribe.write(Job(entries=[entry(seq)])) for seq in range(1, 40)))
        with pytest.raises(Taken):
            await scribe.write(Job(entries=[entry(39)]))
        await scribe.stop()
        assert await heads(tmp_path / "q.db") == {0: 39}

    run(story)


def test_what_is_handed_over_is_done_before_it_stops_and_nobody_need_wait(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        for seq in range(1, 10):
            scribe.write(Job(entries=[entry(seq)]))
        await scribe.stop()
        assert await heads(tmp_path / "q.db") == {0: 9}

    run(story)


def test_more_than_the_socket_holds_goes_over_in_pieces(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        bodies = [str(seq) * 200_000 for seq in range(1, 10)]
        jobs = [scribe.write(Job(entries=[entry(seq, body)])) for seq, body in enumerate(bodies, 1)]
        await asyncio.gather(*jobs)
        await scribe.stop()
        log = SqliteLog(tmp_path / "q.db")
        assert [row.body for row in await log.tail()] == bodies
        await log.close()

    run(story)


def test_a_killed_process_is_a_fault_for_what_waited_and_the_next_job_has_another(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        await scribe.write(Job(entries=[entry(1)]))
        first = scribe.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        waiting = [scribe.write(Job(entries=[entry(seq)])) for seq in (2, 3)]
        os.kill(first, signal.SIGKILL)
        for job in waiting:
            with pytest.raises(StoreFault, match=r"signal 9 .* successor"):
                await job
        await scribe.write(Job(entries=[entry(2)]))
        assert scribe.pid != first
        await scribe.stop()
        assert await heads(tmp_path / "q.db") == {0: 2}

    run(story)


def test_a_store_whose_writing_process_is_killed_loses_nothing_acknowledged_and_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        store = await Store(SqliteLog(tmp_path / "q.db"), ManualClock()).open()
        await store.decide(fund("first", 10))
        acknowledged = ["first"]
        for turn in range(4):
            names = [f"s{turn}-{place}" for place in range(9)]
            begun = [asyncio.ensure_future(store.decide(fund(name, 10))) for name in names]
            await asyncio.sleep(0)  # they are on their way
            os.kill(process_that_writes(tmp_path / "q.db"), signal.SIGKILL)
            ended = await asyncio.gather(*begun, return_exceptions=True)
            assert all(isinstance(one, StoreFault | None) for one in ended), ended
            await store.decide(fund(f"after{turn}", 10))
            acknowledged += [name for name, one in zip(names, ended, strict=True) if one is None] + [f"after{turn}"]
        await store.close()
        store = await Store(SqliteLog(tmp_path / "q.db"), ManualClock()).open()
        assert [await balance(store, name) for name in acknowledged] == [10] * len(acknowledged)
        verdict = await store.audit()
        assert verdict.problems == []
        await store.close()

    run(story)


def test_without_a_process_that_writes_nothing_is_acknowledged_and_with_one_it_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        store = await Store(SqliteLog(tmp_path / "q.db"), ManualClock()).open()
        with files_allowed(3):
            for _ in range(2):
                begun = [store.decide(fund(f"s{number}", 10)) for number in range(20)]
                ended = await asyncio.gather(*begun, return_exceptions=True)
                assert all(isinstance(one, StoreFault) and "limits" in str(one) for one in ended), ended
        await store.decide(fund("s0", 10))
        await store.close()
        store = await Store(SqliteLog(tmp_path / "q.db"), ManualClock()).open()
        assert [await balance(store, "s0"), await balance(store, "s1")] == [10, 0]
        verdict = await store.audit()
        assert (verdict.problems, verdict.entries) == ([], 1)
        await store.close()

    run(story)


def test_a_process_that_is_lost_while_it_stops_has_stopped(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        await scribe.write(Job(entries=[entry(1)]))
        assert scribe.pid is not None
        os.kill(scribe.pid, signal.SIGSTOP)
        waiting = scribe.write(Job(entries=[entry(2)]))
        os.kill(scribe.pid, signal.SIGKILL)
        await scribe.stop()
        with pytest.raises(StoreFault):
            await waiting

    run(story)


def test_a_process_that_is_stopped_with_nothing_left_to_do_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        await scribe.write(Job(entries=[entry(1)]))
        assert scribe.pid is not None
        stopped = scribe.pid
        os.kill(stopped, signal.SIGSTOP)
        await scribe.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(stopped, 0)

    run(story)


def test_a_file_that_was_taken_away_is_a_fault_and_no_empty_one_takes_its_place(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        (tmp_path / "q.db").rename(tmp_path / "elsewhere.db")
        with pytest.raises(StoreFault, match="Look at the disk"):
            await scribe.write(Job(entries=[entry(1)]))
        assert not (tmp_path / "q.db").exists()
        (tmp_path / "elsewhere.db").rename(tmp_path / "q.db")
        await scribe.write(Job(entries=[entry(1)]))
        await scribe.stop()

    run(story)


def test_a_job_of_which_a_part_can_not_be_done_leaves_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        row = RecordRow(Shard(0), Owner("o"), "account", "b", "o:b", None, "{}")
        await scribe.write(Job(entries=[entry(1)]))
        with pytest.raises(Taken):
            await scribe.write(Job(entries=[entry(2), entry(1)], rows=[row], watermarks={Shard(0): 2}))
        await scribe.stop()
        log = SqliteLog(tmp_path / "q.db")
        assert await log.heads() == {0: 1}
        assert await log.load([Owner("o")]) == []
        await log.close()

    run(story)


def test_of_rows_written_together_some_may_have_got_another_label_or_due(tmp_path: Path) -> None:
    def row(id: str, label: str, due: int | None, body: str) -> RecordRow:
        return RecordRow(Shard(0), Owner("o"), "session", id, label, None if due is None else Instant(due), body)

    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        await scribe.write(Job(rows=[row(id, f"live/{id}", 10, "old") for id in "abcde"]))
        changed = [
            row("a", "live/a", 10, "stays"),
            row("b", "over/b", 10, "moved"),
            row("c", "live/c", None, "not due"),
            row("d", "live/d", 20, "later"),
            row("f", "live/f", None, "new"),
        ]
        await scribe.write(Job(rows=changed))
        await scribe.stop()
        with closing(sqlite3.connect(tmp_path / "q.db")) as link:
            found = link.execute("SELECT * FROM record ORDER BY id").fetchall()
            assert sorted(found) == sorted([*map(tuple, changed), tuple(row("e", "live/e", 10, "old"))])
            assert link.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    run(story)


def test_asked_to_stop_with_the_whole_group_it_goes_on_until_its_server_ends(tmp_path: Path) -> None:
    async def story() -> None:
        scribe = await scribe_of(tmp_path / "q.db")
        await scribe.write(Job(entries=[entry(1)]))
        assert scribe.pid is not None
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(scribe.pid, asked)
        await scribe.write(Job(entries=[entry(2)]))
        await scribe.stop()

    run(story)


_STARTER = """
import asyncio, sys
from pathlib import Path
from qanat.ids import Owner, Shard
from qanat.store.port import RecordRow
from qanat.store.scribe import Scribe
from qanat.store.sqlite_writer import Job
async def main():
    scribe = Scribe(Path(sys.argv[1]), 30_000)
    await scribe.write(Job())
    print(scribe.pid, flush=True)
    sys.stdin.readline()
    scribe.write(Job(rows=[RecordRow(Shard(0), Owner("o"), "account", "b", "o:b", None, "older")]))
    print("handed over", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def server_that_writes_a_row_when_told_to(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Say after it that the process that writes for it ended."""
    migrate_sqlite(path)
    command = [sys.executable, "-c", _STARTER, str(path)]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        ended = os.pidfd_open(int(server.stdout.readline()))
        yield server
    assert select.select([ended], [], [], 30)[0], "the process outlived its server"
    os.close(ended)


def test_it_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    with server_that_writes_a_row_when_told_to(tmp_path / "q.db") as server:
        server.kill()


def test_a_row_of_a_killed_server_is_not_written_over_its_successors(tmp_path: Path) -> None:
    """The file is locked from before the one hands its row over until the other's is in."""
    with closing(sqlite3.connect(tmp_path / "q.db", isolation_level=None)) as successor:
        with server_that_writes_a_row_when_told_to(tmp_path / "q.db") as server:
            assert server.stdin is not None
            assert server.stdout is not None
            successor.execute("BEGIN IMMEDIATE")
            print(file=server.stdin, flush=True)
            server.stdout.readline()
            server.kill()
            server.wait()
            successor.execute("INSERT INTO record VALUES (0, 'o', 'account', 'b', 'o:b', NULL, 'newer')")
            successor.execute("COMMIT")
        assert successor.execute("SELECT body FROM record").fetchall() == [("newer",)]
