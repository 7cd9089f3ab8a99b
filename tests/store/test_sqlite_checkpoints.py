"""SQLite's log is brought into the file beside the writing, and what a power cut takes of it was acknowledged to nobody."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.patience import PATIENCE_S
from tests.store.deciding import fund
from tests.store.logs import run
from tests.store.unmapping import at_the_next_unmapping, mapped

from qanat.clock import ManualClock
from qanat.store.sqlite import SqliteLog
from qanat.store.sqlite_checkpoints import Checkpoints
from qanat.store.sqlite_link import connect
from qanat.store.sqlite_writer import unsynced
from qanat.store.store import Store

_HEADER = 32
_FRAME = 24 + 4096
"""A page in the log, behind what it says of itself."""


@pytest.fixture
def link(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, 1000)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        yield connection


@contextmanager
def checkpoints_at(path: Path, *, much: int, passing: sqlite3.Connection | None = None) -> Iterator[Checkpoints]:
    """Make passes until the end, and not after it."""
    with (
        path.open("rb") as file,
        closing(connect(path, 1000)) as looking,
        closing(passing or connect(path, 1000)) as passes,
        closing(Checkpoints(passing=passes, looking=looking, file=file.fileno(), much=much)) as checkpoints,
    ):
        yield checkpoints


def append(link: sqlite3.Connection, seq: int) -> None:
    link.execute("INSERT INTO entry VALUES (0, ?, 0, 'tried', ?)", (seq, "x" * 3000))


def in_the_file(path: Path, copy: Path) -> int:
    """Return how many entries the file holds without its log; a copy from the middle of a pass may hold none to be read."""
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as alone, suppress(sqlite3.DatabaseError):
        found: int = alone.execute("SELECT count(*) FROM entry").fetchone()[0]
        return found
    return 0


def append_until_some_are_in_the_file(
    path: Path, link: sqlite3.Connection, checkpoints: Checkpoints, first: int
) -> int:
    """Return the last that was appended."""
    for seq in range(first, 100 * PATIENCE_S):
        append(link, seq)
        checkpoints.written(1)
        if in_the_file(path, path.with_name("copy.db")):
            return seq
    raise AssertionError("no pass was made")


def test_a_long_log_is_brought_into_the_file_beside_the_writing(path: Path, link: sqlite3.Connection) -> None:
    with checkpoints_at(path, much=10) as checkpoints:
        assert append_until_some_are_in_the_file(path, link, checkpoints, 1) >= 10


def test_the_disk_has_what_a_pass_brought_in_before_a_commit_has_to_wait_for_it(
    path: Path, link: sqlite3.Connection
) -> None:
    calls: list[str] = []

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            calls.append(called.__name__)

    threading.setprofile(note)
    try:
        with checkpoints_at(path, much=10) as checkpoints:
            append_until_some_are_in_the_file(path, link, checkpoints, 1)
    finally:
        threading.setprofile(None)
    of_a_pass = [call for call, _ in groupby(call for call in calls if call in ("execute", "fdatasync"))]
    assert of_a_pass[:2] == ["execute", "fdatasync"]


def test_a_short_log_is_left_alone(path: Path, link: sqlite3.Connection) -> None:
    with checkpoints_at(path, much=10) as checkpoints:
        append(link, 1)
        checkpoints.written(9)
    assert in_the_file(path, path.with_name("copy.db")) == 0


def test_what_a_reader_still_looks_at_is_brought_in_once_it_has_gone(path: Path, link: sqlite3.Connection) -> None:
    with checkpoints_at(path, much=1) as checkpoints:
        with closing(connect(path, 1000)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM entry").fetchone() == (0,)
            append(link, 1)
            checkpoints.written(1)
            assert in_the_file(path, path.with_name("copy.db")) == 0
        append_until_some_are_in_the_file(path, link, checkpoints, 2)


@pytest.mark.parametrize("all_is_in_the_file_before", [True, False])
def test_what_is_committed_to_a_log_that_begins_anew_as_a_pass_begins_is_not_lost(
    path: Path, link: sqlite3.Connection, *, all_is_in_the_file_before: bool
) -> None:
    """SQLite before 3.51.3 takes it for brought in: all of a log is, a pass reads where it ends, and somebody commits."""

    def bring_all_in(_: str = "") -> None:
        assert link.execute("PRAGMA wal_checkpoint").fetchone()[0] == 0

    bring_all_in()
    passing = mapped(path)
    for seq in range(1, 10):
        append(link, seq)
    if all_is_in_the_file_before:
        bring_all_in()
    else:
        passing.set_trace_callback(bring_all_in)
    with (
        at_the_next_unmapping(lambda: append(link, 10)) as committed,
        checkpoints_at(path, much=1, passing=passing) as checkpoints,
    ):
        checkpoints.written(1)
        assert committed.wait(PATIENCE_S)
    with closing(connect(path, 1000)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert reader.execute("SELECT count(*) FROM entry").fetchone() == (10,)


def test_a_commit_that_waits_for_no_disk_is_an_exception_also_where_it_fails(link: sqlite3.Connection) -> None:
    def synchronous() -> int:
        found: int = link.execute("PRAGMA synchronous").fetchone()[0]
        return found

    assert synchronous() == 2
    with unsynced(link):
        assert synchronous() == 1
    assert synchronous() == 2
    with pytest.raises(sqlite3.OperationalError), unsynced(link):
        link.execute("no statement")
    assert synchronous() == 2


def end_of(log: Path) -> int:
    """Return where the last frame ends that is of this log and not of one before, nor room."""
    octets = log.read_bytes()
    salt, end = octets[16:24], _HEADER
    while octets and octets[end + 8 : end + 16] == salt:
        end += _FRAME
    return end


def test_a_power_cut_leaves_what_was_acknowledged_and_rows_that_follow_from_it(tmp_path: Path) -> None:
    """The log is cut at every page. Rows' commits are not synced: they may be lost, with all that stands behind them."""

    async def story() -> None:
        path, cut = tmp_path / "q.db", tmp_path / "cut.db"
        store = await Store(SqliteLog(path), ManualClock()).open()
        log = path.with_name("q.db-wal")
        acknowledged = [(end_of(log), 0)]
        for number in range(6):
            await store.decide(fund(f"s{number}", 10))
            acknowledged.append((end_of(log), number + 1))
            assert (await store.audit()).problems == []  # and the rows are written
        octets = log.read_bytes()
        for length in range(_HEADER, len(octets) + 1, _FRAME):
            shutil.copy(path, cut)
            cut.with_name("cut.db-shm").unlink(missing_ok=True)
            cut.with_name("cut.db-wal").write_bytes(octets[:length])
            after = await Store(SqliteLog(cut), ManualClock()).open()
            verdict = await after.audit()
            assert verdict.problems == []
            assert verdict.entries >= max(entries for size, entries in acknowledged if size <= length)
            await after.close()
        await store.close()

    run(story)
