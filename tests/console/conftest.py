from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.console.running import Serving, Shell, serving


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def server(shell: Shell) -> Iterator[Serving]:
    with serving(shell) as started:
        yield started
