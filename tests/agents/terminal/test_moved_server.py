"""A server that moved while the gate is shut: its name leads elsewhere, and the DNS lies behind that gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.agents.fake_dns import FakeDns
from tests.agents.fake_server import FakeServer
from tests.agents.names import Names, know_by_name
from tests.agents.running import FAR, SERVER, Running, passed
from tests.traffic import datagrams, flows

from qanat.agents.terminal.kernel_gate import KernelGate
from qanat.system import SystemClock

pytestmark = pytest.mark.namespaces

NEW = "10.9.0.2"
Start = Callable[[], Running]


@pytest.fixture
def dns(world: World) -> Iterator[FakeDns]:
    made = FakeDns(world.internet, FAR)
    made.leads_to = [SERVER]
    yield made
    made.close()


@pytest.fixture
def start(world: World, server: FakeServer, state: Path, tmp_path: Path) -> Iterator[Start]:
    """Start an agent that knows its server by name, whose only way out is metered, and whose plan is nearly used up."""
    server.operator.bought = 2_000_000
    world.terminal.run("ip", "link", "set", "lan0", "down")
    know_by_name(state, SERVER)
    names = Names(tmp_path, resolvers=(FAR,))
    names.lead_nowhere()
    agents: list[Running] = []

    def make() -> Running:
        agents.append(Running(world, state, before=names.before))
        return agents[-1]

    yield make
    for agent in agents:
        agent.kill()


def use_up(world: World, agent: Running) -> None:
    """Also what is left for less than a packet: a question of the system's could pass in it."""
    agent.wait_for("quota granted", final=1)
    with flows(world.terminal, world.internet, FAR, down=1):
        agent.wait_for("refused")
    with datagrams(world.terminal, world.internet, FAR) as (near, _), suppress(PermissionError):
        while True:
            near.send(b"")


@contextmanager
def moved(world: World, server: FakeServer, dns: FakeDns) -> Iterator[None]:
    """Have the server at its new address, with a new plan, and nothing at the old one."""
    server.close()
    world.internet.run("ip", "address", "add", f"{NEW}/32", "dev", "lo")
    with world.internet.inside():
        new = FakeServer(server.operator, host=NEW, port=int(server.http.server_address[1]), clock=SystemClock())
    new.keys = server.keys
    dns.leads_to = [NEW]
    server.operator.bought += 10_000_000
    yield
    new.close()


def test_a_server_that_moves_while_the_gate_is_shut_is_found_by_the_agents_own_question(
    world: World, server: FakeServer, dns: FakeDns, start: Start
) -> None:
    agent = start()
    use_up(world, agent)
    with moved(world, server, dns):
        assert agent.wait_for("server found by a question of our own")["addresses"] == NEW
        agent.wait_for("quota granted", final=0)
        agent.stop()
    assert server.operator.used == passed(world)


@pytest.mark.parametrize("end", [Running.stop, Running.kill], ids=["a stop", "kill -9"])
def test_a_server_that_moved_while_nobody_lived_behind_the_shut_gate_is_found(
    world: World, server: FakeServer, dns: FakeDns, start: Start, end: Callable[[Running], None]
) -> None:
    agent = start()
    use_up(world, agent)
    end(agent)
    with moved(world, server, dns):
        again = start()
        again.wait_for("quota granted", final=0)
        again.stop()
    assert server.operator.used == passed(world)


def test_a_server_that_answers_where_it_was_last_is_not_asked_for(
    world: World, server: FakeServer, dns: FakeDns, start: Start
) -> None:
    """Behind the shut gate the system finds nothing, and needs not."""
    agent = start()
    use_up(world, agent)
    questions = len(dns.asked_from)
    server.operator.bought += 10_000_000
    agent.wait_for("quota granted", final=0)
    assert len(dns.asked_from) == questions
    agent.stop()


def test_an_agent_that_never_knew_where_its_server_is_finds_it_behind_a_shut_gate(
    world: World, server: FakeServer, dns: FakeDns, start: Start
) -> None:
    with world.terminal.inside():
        KernelGate("wwan0", signalling=[]).detach()
    agent = start()
    agent.wait_for("server found by a question of our own")
    agent.wait_for("quota granted")
    agent.stop()
