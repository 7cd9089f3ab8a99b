"""The audit of a database that others can open is made by a process of its own, which is there as long as somebody waits."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.store.deciding import fund
from tests.store.logs import auditors, run

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ledger.book import Account
from qanat.store.audit import audit
from qanat.store.store import Store, open_log, open_store


async def _store(path: Path) -> Store:
    store = await open_store(f"sqlite:///{path}", ManualClock())
    for name in ("alice", "bob"):
        await store.decide(fund(name, 10))
    return store


async def _until_there_is_one() -> int:
    while True:
        found = auditors(os.getpid())
        if found:
            return found[0]
        await asyncio.sleep(0)


async def _until_there_is_none() -> None:
    while True:
        if not auditors(os.getpid()):
            return
        await asyncio.sleep(0)


def test_it_comes_to_what_an_audit_in_this_process_comes_to(tmp_path: Path) -> None:
    async def story() -> None:
        store = await _store(tmp_path / "q.db")
        said = asyncio.create_task(store.audit())
        await _until_there_is_one()
        verdict = await said
        await store.close()
        log = await open_log(f"sqlite:///{tmp_path}/q.db")
        assert verdict == audit(log)
        assert verdict.balanced
        await log.close()

    run(story)


def test_two_who_ask_at_once_are_served_one_after_the_other(tmp_path: Path) -> None:
    async def story() -> None:
        store = await _store(tmp_path / "q.db")
        both = asyncio.gather(store.audit(), store.audit())
        most = 0
        while not both.done():
            most = max(most, len(auditors(os.getpid())))
            await asyncio.sleep(0)
        assert most == 1
        assert all(verdict.balanced for verdict in both.result())
        await store.close()

    run(story)


def test_who_stops_waiting_ends_it(tmp_path: Path) -> None:
    async def story() -> None:
        store = await _store(tmp_path / "q.db")
        said = asyncio.create_task(store.audit())
        await _until_there_is_one()
        said.cancel()
        with pytest.raises(asyncio.CancelledError):
            await said
        await _until_there_is_none()
        await store.close()

    run(story)


def test_what_it_can_not_read_is_a_fault_with_the_cure(tmp_path: Path) -> None:
    async def story() -> None:
        store = await _store(tmp_path / "q.db")
        await store.find(Account)  # the rows are there
        with closing(sqlite3.connect(tmp_path / "q.db")) as file:
            file.execute('UPDATE record SET body = replace(body, \'"kind":"account"\', \'"kind":"later"\')')
            file.commit()
        with pytest.raises(StoreFault, match=r"later.*Update this one"):
            await store.audit()
        await store.close()

    run(story)
