"""What a base station leaves behind in the kernel, and how the operator takes it away again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from tests.agents.base_station.fake_exchange import FakeExchange
from tests.agents.base_station.scene import ALICE, Scene, running
from tests.agents.base_station.test_run import counted, download, is_refused, join, said_by

from qanat.agents.kernel.link import Links
from qanat.agents.kernel.offloads import OffloadState

pytestmark = pytest.mark.namespaces


def test_after_a_stop_the_access_side_stays_shut_until_it_is_released(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    ports = ("br0", "up0", "alice")
    before = [how_packets_are_merged(scene, port) for port in ports]
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted")
        assert [how_packets_are_merged(scene, port) for port in ports] == [OffloadState(1, frozenset())] * 3
        agent.kill()
    with running(scene, state) as agent:
        assert "stop that one" in said_by(scene, state, "release", ends=1)
        download(scene, 1_000_000)
        agent.stop()
        assert "qanat station release" in agent.wait_for("base station stopped")["gate"]
    assert is_refused(scene.alice)
    assert said_by(scene, state, "release") == "br0 is open and no longer metered; 0 octets wait to be reported.\n"
    assert scene.station.run("nft", "list", "ruleset") == ""
    assert [how_packets_are_merged(scene, port) for port in ports] == before
    assert not is_refused(scene.alice)
    assert json.loads(said_by(scene, state, "release", "--json")) == {
        "interface": "br0",
        "is_there": True,
        "unreported": 0,
    }
    with running(scene, state):
        assert is_refused(scene.alice)


def test_what_was_used_before_a_kill_is_not_lost_by_a_release_and_the_rest_is_returned(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    kill_while_nothing_is_reported(scene, server, state, used=3_000_000)
    download(scene, 1_000_000)
    truth = counted(scene)
    assert truth > 4_000_000
    assert "PERMANENT" in neighbour(scene)
    assert f"{truth:,} octets wait to be reported" in said_by(scene, state, "release")
    assert "PERMANENT" not in neighbour(scene)
    download(scene, 1_000_000)
    server.fail_next = 0
    with running(scene, state) as again:
        again.wait_for("trade ended")
    assert server.operator.used == truth
    assert server.operator.available == 50_000_000 - truth


def test_an_access_side_that_is_released_while_it_is_away_comes_back_open_and_what_was_used_is_kept(
    scene: Scene, server: FakeExchange, state: Path
) -> None:
    kill_while_nothing_is_reported(scene, server, state, used=1_000_000)
    truth = counted(scene)
    scene.station.run("ip", "link", "delete", "br0")
    said = said_by(scene, state, "release")
    assert "br0 is not there: its gate is taken down, and when it comes it is open and no longer metered" in said
    assert f"{truth:,} octets wait to be reported" in said
    assert "no interface 'br0'" in said_by(scene, state, "release", ends=1)
    scene.lay_bridge()
    assert not is_refused(scene.alice)


def kill_while_nothing_is_reported(scene: Scene, server: FakeExchange, state: Path, *, used: int) -> None:
    """Leave alice online with two quotas, of which the server hears nothing until ``server.fail_next`` is 0 again."""
    with running(scene, state) as agent:
        join(scene.alice)
        agent.wait_for("quota granted", quota="q2")
        server.fail_next = 1_000_000
        download(scene, used)
        agent.kill()


def how_packets_are_merged(scene: Scene, port: str) -> OffloadState:
    with scene.station.inside(), closing(Links()) as links:
        return OffloadState.of(links.find(port))


def neighbour(scene: Scene) -> str:
    """What the base station has for alice's neighbour entry."""
    return scene.station.run("ip", "neighbour", "show", ALICE, "dev", "br0")
