"""The running agent in a network namespace: real traffic, real gate, real journal, a small honest server."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.running import FAR, PATIENCE_S, Running, download, passed, status
from tests.traffic import flows, until

pytestmark = pytest.mark.namespaces


def test_traffic_flows_through_renewals_and_the_remainder_returns_at_stop(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 12_000_000)
    agent.stop()
    assert server.operator.used == passed(world) >= 12_000_000
    assert server.operator.available == 50_000_000 - passed(world)
    assert len(server.operator.quotas) >= 3


def test_kill_in_mid_download_loses_no_octet_and_doubles_none(world: World, server: FakeServer, state: Path) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    with flows(world.terminal, world.internet, FAR, up=1, down=1):
        agent.wait_for("quota used up")
        agent.kill()
        again = Running(world, state)
        again.wait_for("terminal agent started")
        again.wait_for("quota used up")
    again.stop()
    assert server.operator.used == passed(world)
    assert [message.kind for message in server.operator.asked].count("first") == 1


def test_exhausted_plan_is_refused_with_its_cure_and_the_gate_stays_shut(
    world: World, server: FakeServer, state: Path
) -> None:
    server.operator.bought = 2_000_000
    agent = Running(world, state)
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
    agent = Running(world, state)
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
    agent = Running(world, state)
    agent.wait_for("quota granted")
    server.fail_next = 1_000_000
    download(world, 1_000_000)
    agent.wait_for("no channel works")
    agent.kill()
    server.fail_next = 0
    again = Running(world, state)
    again.wait_for("usage reported")
    again.stop()
    assert server.operator.used == passed(world)


def test_second_agent_on_the_same_journal_is_turned_away(world: World, server: FakeServer, state: Path) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    second = Running(world, state)
    assert second.process.stderr is not None
    assert b"in use by another agent" in second.process.stderr.read()
    assert second.process.wait(PATIENCE_S) == 1
    agent.stop()


def test_status_tells_what_is_held(world: World, server: FakeServer, state: Path) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    assert status(state)["running"] is True
    assert [quota["octets"] for quota in status(state)["quotas"]] == [5_000_000]
    agent.stop()
    until(lambda: status(state)["running"] is False)
    assert status(state)["quotas"] == []
    assert status(state)["unreported"] == 0
