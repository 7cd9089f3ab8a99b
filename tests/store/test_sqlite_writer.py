"""What writes to a SQLite file opens it with its first job, or with a later one, and leaves nothing behind that it can't use."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

from tests.small_files import files_allowed
from tests.store.appending import append

from qanat.store.migrate import migrate_sqlite
from qanat.store.sqlite_writer import Outcome, Writer

_FEW = 20
"""More files than a writer needs."""


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def lowest_free() -> int:
    free = os.dup(0)
    os.close(free)
    return free


def test_what_can_not_be_opened_is_the_fault_of_that_job_and_the_next_tries_again(
    path: Path, line: socket.socket
) -> None:
    """Each job may open one file more than the one before, until it is done."""
    before = open_files()
    with closing(Writer(path, 100, line)) as writer:
        for more in range(_FEW):
            with files_allowed(lowest_free() + more):
                outcome = append(writer, 1)
            if outcome == Outcome():
                break
            assert str(path) in outcome.fault
            assert "limit of open files" in outcome.fault
            assert open_files() == before
        assert 3 < more < _FEW - 1
        assert append(writer, 2) == Outcome()
    assert open_files() == before


def test_a_database_that_is_not_there_is_a_fault_until_it_is(tmp_path: Path, line: socket.socket) -> None:
    path = tmp_path / "q.db"
    with closing(Writer(path, 100, line)) as writer:
        assert "No such file" in append(writer, 1).fault
        migrate_sqlite(path)
        assert append(writer, 1) == Outcome()
