"""The boot: the agent has a shut gate stand and says that it is ready, and only then there is a network."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.running import FAR, Running, connect, download, passed, said_by, status
from tests.patience import PATIENCE_S
from tests.traffic import datagrams, until

from qanat.agents.kernel.nft import Nft
from qanat.agents.terminal.assemble import journal_path
from qanat.agents.terminal.gate_table import laid_in, lay_in_advance, table_for
from qanat.agents.terminal.kernel_gate import KernelGate

pytestmark = pytest.mark.namespaces

MB = 1_000_000
WITHOUT_PERMISSION = ("setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw")


@pytest.fixture
def booted(world: World, state: Path) -> World:  # enrolled before
    """No interface has come up yet."""
    world.terminal.run("ip", "link", "delete", "wwan0")
    world.terminal.run("ip", "link", "set", "lan0", "down")
    return world


def test_an_interface_that_appears_is_shut_before_its_agent_can_know_of_it(
    booted: World, server: FakeServer, state: Path
) -> None:
    """The agent is stopped meanwhile: what is refused is refused by what stood before."""
    agent = Running(booted, state)
    agent.wait_for("terminal agent started", link="away")
    agent.process.send_signal(signal.SIGSTOP)
    connect(booted)
    with datagrams(booted.terminal, booted.internet, FAR) as (near, far):
        far.send(b"x")
        until(lambda: counted(booted, "refused_down") == 29)
        with pytest.raises(PermissionError):
            near.send(b"x")
    agent.process.send_signal(signal.SIGCONT)
    agent.wait_for("quota granted")
    download(booted, 1 * MB)
    agent.stop()
    assert server.operator.used == passed(booted) >= 1 * MB


def test_an_agent_that_cannot_read_its_journal_leaves_an_interface_shut_that_comes_later(
    booted: World, server: FakeServer, state: Path
) -> None:
    journal_path(state).write_bytes(b"this is no database at all" * 100)
    assert Running(booted, state).process.wait(PATIENCE_S) == 1
    connect(booted)
    with datagrams(booted.terminal, booted.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(b"x")


def test_the_boot_shuts_the_interface_before_it_is_there_and_the_agent_goes_on_with_that_gate(
    booted: World, server: FakeServer, state: Path
) -> None:
    assert "wwan0 is shut" in said_by(booted, state, "shut")
    assert "stands already" in said_by(booted, state, "shut")
    assert status(booted, state)["gate"].startswith("wwan0 stays shut: ")
    connect(booted)
    with datagrams(booted.terminal, booted.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(b"x")
    agent = Running(booted, state)
    agent.wait_for("quota granted")
    assert "stands already" in said_by(booted, state, "shut")
    download(booted, 1 * MB)
    agent.stop()
    assert server.operator.used == passed(booted) >= 1 * MB


def test_a_gate_that_is_deleted_before_its_interface_is_there_stands_again_at_once(
    booted: World, server: FakeServer, state: Path
) -> None:
    agent = Running(booted, state)
    agent.wait_for("terminal agent started", link="away")
    for _ in range(3):
        booted.terminal.run("nft", "flush", "ruleset")
        agent.wait_for("gate laid again")
    assert_shut_while_stopped(booted, agent)
    agent.wait_for("quota granted")
    download(booted, 1 * MB)
    agent.stop()
    assert server.operator.used == passed(booted) >= 1 * MB


def test_an_agent_that_stops_says_that_an_interface_which_is_away_stays_shut(
    booted: World, server: FakeServer, state: Path
) -> None:
    agent = Running(booted, state)
    shut = "wwan0 is not there, and the kernel has it shut when it comes"
    assert agent.wait_for("terminal agent started", link="away")["gate"] == shut
    assert status(booted, state)["gate"] == shut
    agent.stop()
    assert "wwan0 stays shut: " in agent.wait_for("terminal agent stopped")["gate"]


def test_a_gate_that_is_deleted_while_its_interface_is_away_stands_again_at_once(
    world: World, server: FakeServer, state: Path
) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    world.terminal.run("ip", "link", "delete", "wwan0")
    agent.wait_for("link left")
    before = passed(world)
    world.terminal.run("nft", "flush", "ruleset")
    until(lambda: "qanat_terminal_wwan0" in world.terminal.run("nft", "list", "tables"))
    assert_shut_while_stopped(world, agent)
    agent.wait_for("quota granted")
    download(world, 1 * MB)
    agent.stop()
    assert server.operator.used == before + passed(world)


def assert_shut_while_stopped(world: World, agent: Running) -> None:
    """What is refused while the agent cannot act is refused by what stood before the interface came."""
    agent.process.send_signal(signal.SIGSTOP)
    connect(world)
    with datagrams(world.terminal, world.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(b"x")
    agent.process.send_signal(signal.SIGCONT)


def test_who_may_not_shut_the_interface_is_told_the_cure(booted: World, state: Path) -> None:
    assert "run as root" in said_by(booted, state, "shut", ends=1, before=WITHOUT_PERMISSION)


def test_an_agent_that_is_turned_away_shuts_nothing(world: World, server: FakeServer, state: Path) -> None:
    agent = Running(world, state)
    agent.wait_for("quota granted")
    second = Running(world, state, "--interface", "lan0")
    assert second.process.stderr is not None
    assert b"in use by another agent" in second.process.stderr.read()
    assert "qanat_terminal_lan0" not in world.terminal.run("nft", "list", "tables")
    agent.stop()


def test_a_gate_that_stood_before_its_interface_goes_on_with_its_counts_and_leaves_it_as_it_was_found(
    world: World,
) -> None:
    found = world.terminal.run("ip", "-d", "link", "show", "wwan0")
    with world.terminal.inside():
        lay_in_advance("wwan0")
        lay_in_advance("wwan0")
    with datagrams(world.terminal, world.internet, FAR) as (near, _), pytest.raises(PermissionError):
        near.send(bytes(972))
    with world.terminal.inside(), closing(Nft()) as nft:
        stood = laid_in(nft, table_for("wwan0"))
        gate = KernelGate("wwan0", signalling=[])
    assert stood is not None
    assert gate.meter == stood.meter
    assert gate.reading().refused.up == 1000
    assert world.terminal.run("ip", "-d", "link", "show", "wwan0") != found
    gate.remove()
    assert world.terminal.run("ip", "-d", "link", "show", "wwan0") == found
    assert world.terminal.run("nft", "list", "ruleset") == ""


def counted(world: World, name: str) -> int:
    with world.terminal.inside(), closing(Nft()) as nft:
        return nft.counter(table_for("wwan0"), name).octets
