"""What tests of the store begin with."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.store.migrate import migrate_sqlite


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
