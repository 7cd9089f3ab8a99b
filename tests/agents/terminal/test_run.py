"""The running agent in a network namespace: real traffic, real gate, real journal, a small honest server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.operator import Operator
from tests.agents.running import Running
from tests.traffic import connected, flows, receive, until

from qanat.agents.terminal.enrol import enrol
from qanat.system import SystemClock

pytestmark = pytest.mark.namespaces

SERVER = "10.9.0.1"
FAR = "10.7.0.2"
SOURCE = Path(__file__).parents[3] / "src"
PATIENCE_S = 20.0


def run(world: World, state: Path) -> Running:
    return Running(world.terminal, "qanat.console.terminal", "run", "--state", str(state))


@pytest.fixture
def server(world: World) -> Iterator[FakeServer]:
    world.internet.run("ip", "address", "add", f"{SERVER}/32", "dev", "lo")
    world.terminal.run("ip", "route", "add", "default", "via", FAR, "dev", "wwan0", "metric", "10")
    world.terminal.run("ip", "route", "add", "default", "via", "10.8.0.2", "dev", "lan0", "metric", "20")
    with world.internet.inside():
        made = FakeServer(Operator(bought=50_000_000, quota_octets=5_000_000, report_interval_s=1), host=SERVER)
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


def download(world: World, octets: int) -> None:
    with connected(world.terminal, world.internet, FAR) as (near, far):
        far.settimeout(PATIENCE_S)
        near.settimeout(PATIENCE_S)
        for _ in range(octets // 100_000):
            far.sendall(bytes(100_000))
            receive(near, 100_000)


def passed(world: World) -> int:
    """Read the gate's own counters through nft."""
    listed = json.loads(world.terminal.run("nft", "-j", "list", "counters"))["nftables"]
    return sum(
        item["counter"]["bytes"] for item in listed if item.get("counter", {}).get("name", "").startswith("passed_")
    )


def test_traffic_flows_through_renewals_and_the_remainder_returns_at_stop(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = run(world, state)
    agent.wait_for("quota granted")
    download(world, 12_000_000)
    agent.stop()
    assert server.operator.used == passed(world) >= 12_000_000
    assert server.operator.available == 50_000_000 - passed(world)
    assert len(server.operator.quotas) >= 3


def test_kill_in_mid_download_loses_no_octet_and_doubles_none(world: World, server: FakeServer, state: Path) -> None:
    agent = run(world, state)
    agent.wait_for("quota granted")
    with flows(world.terminal, world.internet, FAR, up=1, down=1):
        agent.wait_for("quota used up")
        agent.kill()
        again = run(world, state)
        again.wait_for("terminal agent started")
        again.wait_for("quota used up")
    again.stop()
    assert server.operator.used == passed(world)
    assert [message.kind for message in server.operator.asked].count("first") == 1


def test_exhausted_plan_is_refused_with_its_cure_and_the_gate_stays_shut(
    world: World, server: FakeServer, state: Path
) -> None:
    server.operator.bought = 2_000_000
    agent = run(world, state)
    agent.wait_for("quota granted", final=1)
    with flows(world.terminal, world.internet, FAR, down=1):
        assert agent.wait_for("refused")["cure"] == "Buy another plan."
    assert passed(world) <= 2_000_000
    server.operator.bought += 10_000_000
    agent.wait_for("quota granted", final=0)
    download(world, 1_000_000)
    agent.stop()
    assert server.operator.used == passed(world)


def test_leaving_the_link_reports_over_another_channel_and_returning_opens_a_new_session(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = run(world, state)
    agent.wait_for("quota granted")
    download(world, 1_000_000)
    world.terminal.run("ip", "link", "set", "wwan0", "down")
    agent.wait_for("link left")
    agent.wait_for("usage reported", channel="lan0")
    agent.wait_for("quota returned")
    assert server.operator.used == passed(world)
    world.terminal.run("ip", "link", "set", "wwan0", "up")
    world.terminal.run("ip", "route", "replace", "default", "via", FAR, "dev", "wwan0", "metric", "10")
    agent.wait_for("quota granted")
    download(world, 1_000_000)
    agent.stop()
    assert server.operator.used == passed(world) >= 2_000_000


def test_server_away_keeps_usage_in_the_journal_for_the_next_start(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = run(world, state)
    agent.wait_for("quota granted")
    server.fail_next = 1_000_000
    download(world, 1_000_000)
    agent.wait_for("no channel works")
    agent.kill()
    server.fail_next = 0
    again = run(world, state)
    again.wait_for("usage reported")
    again.stop()
    assert server.operator.used == passed(world)


def test_second_agent_on_the_same_journal_is_turned_away(world: World, server: FakeServer, state: Path) -> None:
    agent = run(world, state)
    agent.wait_for("quota granted")
    second = run(world, state)
    assert second.process.stderr is not None
    assert b"in use by another agent" in second.process.stderr.read()
    assert second.process.wait(PATIENCE_S) == 1
    agent.stop()


def test_status_tells_what_is_held(world: World, server: FakeServer, state: Path) -> None:
    agent = run(world, state)
    agent.wait_for("quota granted")
    command = [sys.executable, "-m", "qanat.console.terminal", "status", "--state", str(state), "--json"]

    def status() -> dict[str, Any]:
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert status()["running"] is True
    assert [quota["octets"] for quota in status()["quotas"]] == [5_000_000]
    agent.stop()
    until(lambda: status()["running"] is False)
    assert status()["quotas"] == []
    assert status()["unreported"] == 0
