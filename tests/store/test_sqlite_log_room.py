"""SQLite's log is lengthened ahead, with zeros, in which nobody finds an entry."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from tests.store.appending import append

from qanat.store.migrate import migrate_sqlite
from qanat.store.sqlite_link import connect
from qanat.store.sqlite_log_room import LogRoom
from qanat.store.sqlite_writer import Outcome, Writer

_COMMITS = 200


@pytest.fixture
def writer(path: Path, line: socket.socket) -> Iterator[Writer]:
    with closing(Writer(path, 100, line)) as writer:
        yield writer


def length(path: Path) -> int:
    return path.with_name("q.db-wal").stat().st_size


def entries(path: Path) -> int:
    with closing(sqlite3.connect(path)) as link:
        found: int = link.execute("SELECT count(*) FROM entry").fetchone()[0]
        return found


def test_hardly_a_commit_lengthens_the_log(path: Path, writer: Writer) -> None:
    assert append(writer, 1) == Outcome()
    lengths = [length(path)]
    for seq in range(2, _COMMITS):
        append(writer, seq)
        lengths.append(length(path))
    grown = [after - before for before, after in pairwise(lengths) if after != before]
    assert 0 < len(grown) < _COMMITS // 20
    assert min(grown) >= 1 << 16
    assert grown[-1] > grown[0]


def test_a_log_with_room_is_read_to_its_last_entry_and_no_further(path: Path, writer: Writer, tmp_path: Path) -> None:
    for seq in range(1, 40):
        append(writer, seq)
        for name in ("q.db", "q.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")
        assert entries(tmp_path / "copy-q.db") == seq


def test_who_writes_beside_us_is_not_written_over(path: Path, writer: Writer) -> None:
    append(writer, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for seq in range(2, _COMMITS, 2):
            other.execute("INSERT INTO entry VALUES (0, ?, 0, 'tried', ?)", (seq, "x" * 3000))
            assert append(writer, seq + 1) == Outcome()
    assert entries(path) == _COMMITS - 1


def test_a_log_that_somebody_cut_short_gets_room_anew(path: Path, writer: Writer) -> None:
    for seq in range(1, _COMMITS):
        append(writer, seq)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert length(path) == 0
    append(writer, _COMMITS)
    append(writer, _COMMITS + 1)
    assert length(path) >= 1 << 16


def test_what_holds_the_file_costs_the_room_only_and_nobody_waits_for_it(path: Path, writer: Writer) -> None:
    append(writer, 1)
    with (
        closing(connect(path, 0)) as unwaiting,
        closing(LogRoom(path, unwaiting)) as room,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        before = length(path)
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO entry VALUES (0, 2, 0, 'tried', ?)", ("x" * 30_000_000,))
        grown = length(path)
        assert grown > before, "it stands in the log, uncommitted"
        room.committed()
        assert length(path) == grown
        other.execute("COMMIT")
    assert entries(path) == 2


def test_it_is_opened_also_while_somebody_writes_for_long(path: Path, writer: Writer) -> None:
    append(writer, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with closing(connect(path, 0)) as unwaiting:
            LogRoom(path, unwaiting).close()


def test_a_file_that_lies_elsewhere_behind_a_link_has_its_log_there(tmp_path: Path, line: socket.socket) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "q.db").symlink_to(tmp_path / "disk" / "elsewhere.db")
    migrate_sqlite(tmp_path / "q.db")
    with closing(Writer(tmp_path / "q.db", 100, line)) as writer:
        assert append(writer, 1) == Outcome()
        assert append(writer, 2) == Outcome()
        assert (tmp_path / "disk" / "elsewhere.db-wal").stat().st_size >= 1 << 16
    assert entries(tmp_path / "q.db") == 2
