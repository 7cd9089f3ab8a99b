from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.console.running import Serving, Shell, serving
from tests.server.live import Live, live_server


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def live(shell: Shell) -> Iterator[Live]:
    """A server in this process, on a store in memory: what commands say needs no other, and it starts at once."""
    data = shell.directory / "data"
    data.mkdir()
    with live_server(data) as serving:
        shell.environment["QANAT_URL"] = serving.url
        yield serving


@pytest.fixture
def server(shell: Shell) -> Iterator[Serving]:
    with serving(shell) as started:
        yield started
