from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.gy.gateway import Gateway, accepted, funded
from tests.server.live import Live, live_server


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path) as serving:
        yield serving


@pytest.fixture
def smf(live: Live) -> Iterator[Gateway]:
    """An Open5GS gateway that is connected and accepted, and Alice with a gigabyte."""
    funded(live)
    accepted(live)
    with Gateway(live) as gateway:
        assert gateway.introduce().result_code == 2001
        yield gateway


@pytest.fixture
def pgw(live: Live) -> Iterator[Gateway]:
    """A gateway that keeps to the specification, without quirks; Alice has a gigabyte."""
    funded(live)
    accepted(live, "*.epc.test", "strict")
    with Gateway(live, "pgw.epc.test") as gateway:
        assert gateway.introduce().result_code == 2001
        yield gateway
