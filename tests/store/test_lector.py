"""The process that reads: lost and replaced, asked for what can't be, and gone when whoever started it is."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.deciding import balance, fund
from tests.store.logs import process_that_reads, run

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.store.lector import Lector
from qanat.store.migrate import migrate_sqlite
from qanat.store.processes import environment
from qanat.store.sqlite import SqliteLog
from qanat.store.store import Store


def lector_of(path: Path) -> Lector:
    migrate_sqlite(path)
    return Lector(path, busy_ms=50)


def test_questions_are_answered_in_the_order_in_which_they_were_asked(tmp_path: Path) -> None:
    async def story() -> None:
        lector = lector_of(tmp_path / "q.db")
        answers = await asyncio.gather(*(lector.read("SELECT ?, 'name', NULL, ?", (n, 2**62)) for n in range(40)))
        assert answers == [[[n, "name", None, 2**62]] for n in range(40)]
        await lector.stop()

    run(story)


def test_a_question_that_can_not_be_answered_is_a_fault_of_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        lector = lector_of(tmp_path / "q.db")
        with pytest.raises(StoreFault, match="no such table: nowhere"):
            await lector.read("SELECT * FROM nowhere")
        with pytest.raises(StoreFault, match="readonly"):
            await lector.read("DELETE FROM entry")
        assert await lector.read("SELECT count(*) FROM entry") == [[0]]
        await lector.stop()

    run(story)


def test_more_than_the_socket_holds_is_read_in_pieces(tmp_path: Path) -> None:
    async def story() -> None:
        lector = lector_of(tmp_path / "q.db")
        big = lector.read("SELECT replace(hex(zeroblob(?)), '00', 'ab')", (3_000_000,))
        small = lector.read("SELECT 1")
        assert await big == [["ab" * 3_000_000]]
        assert await small == [[1]]
        await lector.stop()

    run(story)


def test_a_killed_process_is_a_fault_for_who_waited_and_the_next_question_has_another(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "q.db"
        lector = lector_of(path)
        await lector.read("SELECT 1")
        first = process_that_reads(path)
        os.kill(first, signal.SIGSTOP)
        waiting = [lector.read("SELECT 1") for _ in range(2)]
        os.kill(first, signal.SIGKILL)
        for answer in waiting:
            with pytest.raises(StoreFault, match=r"reads from .* signal 9 .* successor"):
                await answer
        assert await lector.read("SELECT 2") == [[2]]
        assert process_that_reads(path) != first
        await lector.stop()

    run(story)


def test_a_store_whose_reading_process_is_killed_refuses_who_misses_a_page_and_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "q.db"
        store = await Store(SqliteLog(path), ManualClock()).open()
        await asyncio.gather(*(store.decide(fund(name, 10)) for name in ("alice", "bob")))
        await store.close()
        store = await Store(SqliteLog(path), ManualClock()).open()
        assert await balance(store, "alice") == 10
        reader = process_that_reads(path)
        os.kill(reader, signal.SIGSTOP)
        missing = asyncio.ensure_future(balance(store, "bob"))
        for _ in range(10):
            await asyncio.sleep(0)  # the question is on its way
        assert await balance(store, "alice") == 10, "who misses nothing does not wait"
        os.kill(reader, signal.SIGKILL)
        with pytest.raises(StoreFault, match="signal 9"):
            await missing
        assert await balance(store, "bob") == 10
        await store.close()

    run(story)


_STARTER = """
import asyncio, sys
from pathlib import Path
from qanat.store.lector import Lector
async def main():
    lector = Lector(Path(sys.argv[1]), 50)
    await lector.read("SELECT 1")
    print("begun", flush=True)
    sys.stdin.readline()
    await lector.read("SELECT 1")
    print("read again", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_it_lets_signals_to_the_group_pass_and_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    migrate_sqlite(path)
    command = [sys.executable, "-c", _STARTER, str(path)]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == "begun\n"
        reader = process_that_reads(path)
        ended = os.pidfd_open(reader)
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(reader, asked)
        print(file=server.stdin, flush=True)
        assert server.stdout.readline() == "read again\n"
        server.kill()
    assert select.select([ended], [], [], 30)[0], "the process outlived its server"
    os.close(ended)
