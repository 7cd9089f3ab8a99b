"""The running agent in a network namespace: real traffic, real gate, real journal, a small honest server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.names import Names, know_by_name
from tests.agents.running import FAR, SERVER, Running, connect, download, passed, said_by, status
from tests.patience import PATIENCE_S
from tests.traffic import datagrams, flows, until

from qanat.system import SystemClock

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


def test_second_agent_on_the_same_interface_is_turned_away_whatever_its_folder_and_told_who_has_it(
    world: World, server: FakeServer, state: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(state, tmp_path / "other"))
    agent = Running(world, state)
    agent.wait_for("quota granted")
    holder = f"wwan0 is in use by another agent (process {agent.process.pid})"
    second = Running(world, other)
    assert second.process.stderr is not None
    assert holder.encode() in second.process.stderr.read()
    assert second.process.wait(PATIENCE_S) == 1
    assert holder in said_by(world, other, "release", ends=1)
    download(world, 1_000_000)
    agent.kill()
    third = Running(world, other)
    third.wait_for("quota granted")
    third.stop()


def test_status_tells_what_is_held(world: World, server: FakeServer, state: Path) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    assert status(world, state)["running"] is True
    assert [quota["octets"] for quota in status(world, state)["quotas"]] == [5_000_000]
    agent.stop()
    until(lambda: status(world, state)["running"] is False)
    assert status(world, state)["quotas"] == []
    assert status(world, state)["unreported"] == 0


def test_status_says_what_stands_in_the_kernel_whether_or_not_an_agent_runs(
    world: World, server: FakeServer, state: Path
) -> None:
    def gate() -> str:
        return str(status(world, state)["gate"])

    none = "none: nothing meters or stops wwan0"
    assert gate() == none
    said_by(world, state, "shut")
    assert gate().startswith("wwan0 stays shut: ")
    agent = Running(world, state)
    agent.wait_for("quota granted")
    until(lambda: gate().startswith("the kernel stops wwan0 at the octet"))
    agent.kill()
    assert gate() == "the kernel lets pass on wwan0 what is left of the quota, and then nothing"
    with flows(world.terminal, world.internet, FAR, down=1):
        until(lambda: gate().startswith("wwan0 stays shut: "))
    again = Running(world, state)
    again.wait_for("usage reported")
    again.stop()
    assert gate().startswith("wwan0 stays shut: ")
    said_by(world, state, "release")
    assert gate() == none


def test_status_counts_what_has_passed_since_the_journals_last_commit(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state, "--report-interval", "3600")
    agent.wait_for("quota granted")
    for _ in range(3):
        download(world, 200_000)
        told = status(world, state)
        assert told["unreported"] == told["quotas"][0]["used"] == passed(world) > 0
    agent.kill()
    assert status(world, state)["unreported"] == passed(world)


def test_after_a_stop_the_interface_stays_shut_until_it_is_released(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    assert "stop that one" in said_by(world, state, "release", ends=1)
    agent.stop()
    assert "qanat terminal release" in agent.wait_for("terminal agent stopped")["gate"]
    with datagrams(world.terminal, world.internet, FAR) as (near, _):
        with pytest.raises(PermissionError):
            near.send(b"x")
        assert "wwan0 is open and no longer metered; 0 octets" in said_by(world, state, "release")
        near.send(b"x")
    assert world.terminal.run("nft", "list", "ruleset") == ""
    again = Running(world, state)
    again.wait_for("quota granted")
    download(world, 1_000_000)
    again.stop()
    assert server.operator.used >= 1_000_000


def test_an_interface_that_is_released_while_it_is_away_comes_back_open_and_its_usage_is_kept(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    server.fail_next = 1_000_000
    download(world, 3_000_000)
    agent.kill()
    truth = passed(world)
    world.terminal.run("ip", "link", "delete", "wwan0")
    said = said_by(world, state, "release")
    assert "wwan0 is not there: its gate is taken down, and when it comes it is open and no longer metered" in said
    assert f"{truth:,} octets wait to be reported" in said
    assert "no interface 'wwan0'" in said_by(world, state, "release", ends=1)
    connect(world)
    with datagrams(world.terminal, world.internet, FAR) as (near, _):
        near.send(b"x")
    server.fail_next = 0
    again = Running(world, state)
    again.wait_for("usage reported")
    again.stop()
    assert server.operator.used == truth


def test_what_passed_before_a_kill_is_not_lost_by_a_release(world: World, server: FakeServer, state: Path) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    server.fail_next = 1_000_000
    download(world, 3_000_000)
    agent.kill()
    truth = passed(world)
    assert f"{truth:,} octets wait to be reported" in said_by(world, state, "release")
    server.fail_next = 0
    again = Running(world, state)
    again.wait_for("usage reported")
    again.stop()
    assert server.operator.used == truth + passed(world)


def test_a_server_whose_name_leads_elsewhere_by_now_is_let_through_a_shut_gate(
    world: World, server: FakeServer, state: Path, tmp_path: Path
) -> None:
    server.operator.bought = 2_000_000
    names = Names(tmp_path)
    names.lead_to(SERVER)
    port = server.http.server_address[1]
    know_by_name(state, SERVER)
    world.terminal.run("ip", "link", "set", "lan0", "down")
    agent = Running(world, state, before=names.before)
    agent.wait_for("quota granted", final=1)
    with flows(world.terminal, world.internet, FAR, down=1):
        agent.wait_for("refused")
    server.close()
    world.internet.run("ip", "address", "add", "10.9.0.2/32", "dev", "lo")
    with world.internet.inside():
        moved = FakeServer(server.operator, host="10.9.0.2", port=int(port), clock=SystemClock())
    moved.keys = server.keys
    agent.wait_for("no channel works")
    server.operator.bought += 10_000_000
    names.lead_to("10.9.0.2")
    agent.wait_for("quota granted", final=0)
    agent.stop()
    assert server.operator.used == passed(world)
    assert f"10.9.0.2 . {port}" in world.terminal.run("nft", "list", "ruleset")
    moved.close()


def test_an_agent_that_starts_behind_its_shut_gate_finds_the_server_though_its_name_has_no_address_now(
    world: World, server: FakeServer, state: Path, tmp_path: Path
) -> None:
    """The DNS lies behind the gate that the predecessor left shut."""
    names = Names(tmp_path)
    names.lead_to(SERVER)
    know_by_name(state, SERVER)
    world.terminal.run("ip", "link", "set", "lan0", "down")
    agent = Running(world, state, before=names.before)
    agent.wait_for("quota granted")
    agent.stop()
    names.lead_nowhere()
    again = Running(world, state, before=names.before)
    again.wait_for("quota granted")
    again.stop()
