from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.live import Live, live_server


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path) as serving:
        yield serving
