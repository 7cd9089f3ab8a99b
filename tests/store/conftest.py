"""What tests of the store begin with."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.logs import Database

from qanat.clock import ManualClock
from qanat.store.migrate import migrate_sqlite


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    postgres = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return Database(request.param, tmp_path, postgres)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty SQLite database with its tables."""
    migrate_sqlite(tmp_path / "q.db")
    return tmp_path / "q.db"


@pytest.fixture
def line() -> Iterator[socket.socket]:
    """A writer's end of the line to its server."""
    server, line = socket.socketpair()
    with server, line:
        yield line
