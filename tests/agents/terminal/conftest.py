"""A server that both of the terminal's interfaces lead to, and an enrolled terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.operator import Operator
from tests.agents.running import FAR, SERVER

from qanat.agents.terminal.enrol import enrol
from qanat.system import SystemClock


@pytest.fixture
def server(world: World) -> Iterator[FakeServer]:
    world.internet.run("ip", "address", "add", f"{SERVER}/32", "dev", "lo")
    world.terminal.run("ip", "route", "add", "default", "via", FAR, "dev", "wwan0", "metric", "10")
    world.terminal.run("ip", "route", "add", "default", "via", "10.8.0.2", "dev", "lan0", "metric", "20")
    with world.internet.inside():
        operator = Operator(bought=50_000_000, quota_octets=5_000_000, report_interval_s=1)
        made = FakeServer(operator, host=SERVER, clock=SystemClock())
    yield made
    made.close()


@pytest.fixture
def state(world: World, server: FakeServer, tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with world.terminal.inside():
        enrol(
            folder,
            server=server.url,
            code="CODE-1",
            interface="wwan0",
            channels=["lan0"],
            serial=None,
            clock=SystemClock(),
        )
    return folder
