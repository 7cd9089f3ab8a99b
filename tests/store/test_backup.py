"""Backups of a database that is written to all the time, and what stands in the way of one."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest
from tests.store.deciding import fund
from tests.store.logs import run
from tests.store.writing import count_accounts, writer

from qanat.clock import ManualClock
from qanat.errors import BadInput, StoreFault
from qanat.ledger.audit import Verdict
from qanat.store.backup import back_up, is_held, restore
from qanat.store.store import open_store


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def copy(database: Path, to: Path) -> Verdict:
    return back_up(database, to, tell=quiet)


async def make(path: Path, *names: str) -> None:
    store = await open_store(f"sqlite:///{path}", ManualClock())
    for name in names:
        await store.decide(fund(name, 10))
    await store.close()


def test_a_backup_under_load_is_whole_and_as_of_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    process = writer(f"sqlite:///{path}")
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(60)][-1]
    verdict = copy(path, tmp_path / "b.db")
    later = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert verdict.balanced
    assert verdict.entries >= acknowledged
    assert run(lambda: count_accounts(f"sqlite:///{tmp_path / 'b.db'}")) == verdict.entries
    assert run(lambda: count_accounts(f"sqlite:///{path}")) >= later
    assert sorted(file.name for file in tmp_path.glob("b.db*")) == ["b.db"]


def test_what_is_in_a_database_and_its_copies_only_its_owner_reads(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        run(lambda: make(tmp_path / "q.db", "alice"))
        copy(tmp_path / "q.db", tmp_path / "b.db")
        restore(tmp_path / "b.db", tmp_path / "new.db", tell=quiet)
        (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
        run(lambda: make(tmp_path / "link.db", "alice"))
    finally:
        os.umask(umask)
    files = ("q.db", "b.db", "new.db", "elsewhere.db")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in files] == [0o600] * 4


def test_a_backup_is_never_written_over_anything(tmp_path: Path) -> None:
    run(lambda: make(tmp_path / "q.db", "alice"))
    (tmp_path / "b.db").write_text("mine")
    with pytest.raises(BadInput, match="exists"):
        copy(tmp_path / "q.db", tmp_path / "b.db")
    assert (tmp_path / "b.db").read_text() == "mine"


def test_what_is_no_database_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no database"):
        copy(tmp_path / "none.db", tmp_path / "b.db")
    (tmp_path / "letter.db").write_text("Dear all, this is no database. " * 100)
    with pytest.raises(StoreFault, match="not a database"):
        copy(tmp_path / "letter.db", tmp_path / "b.db")
    assert list(tmp_path.glob("b.db*")) == []


def test_books_that_do_not_add_up_are_not_kept_as_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    run(lambda: make(path, "alice"))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE record SET body = replace(body, '\"balance\":10', '\"balance\":99')")
    other.close()
    with pytest.raises(StoreFault, match="do not add up"):
        copy(path, tmp_path / "b.db")
    assert list(tmp_path.glob("b.db*")) == []


def test_a_restore_brings_the_moment_of_the_backup_back_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    run(lambda: make(path, "alice"))
    copy(path, tmp_path / "b.db")
    run(lambda: make(path, "bob", "carol"))
    verdict, replaced = restore(tmp_path / "b.db", path, tell=quiet)
    assert replaced == tmp_path / "q.db.before-restore"
    assert run(lambda: count_accounts(f"sqlite:///{path}")) == verdict.entries == 1
    assert run(lambda: count_accounts(f"sqlite:///{replaced}")) == 3
    with pytest.raises(BadInput, match="earlier restore"):
        restore(tmp_path / "b.db", path, tell=quiet)


def test_a_damaged_database_is_replaced_too(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    run(lambda: make(path, "alice"))
    copy(path, tmp_path / "b.db")
    path.write_bytes(b"rubbish" * 1000)
    restore(tmp_path / "b.db", path, tell=quiet)
    assert run(lambda: count_accounts(f"sqlite:///{path}")) == 1


def test_nothing_is_restored_under_a_server(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    process = writer(f"sqlite:///{path}")
    assert process.stdout is not None
    process.stdout.readline()
    copy(path, tmp_path / "b.db")
    with pytest.raises(BadInput, match="a server holds"):
        restore(tmp_path / "b.db", path, tell=quiet)
    before = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert run(lambda: count_accounts(f"sqlite:///{path}")) >= before
    assert not is_held(path)
