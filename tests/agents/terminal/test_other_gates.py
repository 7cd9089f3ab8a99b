"""The gates of machines that allow less, and the choice among them."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address

import pytest
from tests.agents.conftest import World
from tests.traffic import datagrams

from qanat.agents.kernel.link import NoSuchInterface
from qanat.agents.terminal.choose_gate import choose_gate, shut_in_advance
from qanat.agents.terminal.gate import GateEvent
from qanat.agents.terminal.gate_table import NeverGated
from qanat.agents.terminal.kernel_gate import KernelGate
from qanat.agents.terminal.open_gate import OpenGate
from qanat.agents.terminal.route_gate import RouteGate
from qanat.units import Octets

pytestmark = pytest.mark.namespaces

SERVER = (ip_address("192.0.2.1"), 7443)


def default_route(world: World) -> str:
    return world.terminal.run("ip", "route", "show", "default", "dev", "wwan0")


@pytest.fixture
def routed(quiet_world: World) -> World:
    quiet_world.terminal.run("ip", "route", "add", "default", "via", "10.7.0.2", "dev", "wwan0")
    return quiet_world


def route_gate(world: World) -> RouteGate:
    with world.terminal.inside():
        return RouteGate("wwan0", signalling=[SERVER], because="the nft command is not installed")


def test_the_route_comes_back_with_a_ceiling_and_goes_when_a_reading_finds_it_reached(routed: World) -> None:
    gate = route_gate(routed)
    assert default_route(routed) == ""
    gate.raise_to(Octets(gate.ceiling + 1000))
    assert "via 10.7.0.2" in default_route(routed)
    with datagrams(routed.terminal, routed.internet, "10.7.0.2") as (near, far):
        near.send(bytes(400))
        assert gate.take_events() == []
        far.send(bytes(800))
        assert gate.take_events() == [GateEvent.SHUT]
    assert default_route(routed) == ""
    assert "192.0.2.1" in routed.terminal.run("ip", "route", "show", "dev", "wwan0")
    assert gate.take_events() == []
    gate.raise_to(Octets(gate.ceiling + 10_000))
    assert "via 10.7.0.2" in default_route(routed)
    gate.detach()


def test_a_closed_route_gate_counts_from_what_has_passed(routed: World) -> None:
    gate = route_gate(routed)
    gate.raise_to(Octets(gate.ceiling + 10_000))
    final = gate.close()
    assert default_route(routed) == ""
    assert gate.ceiling == final.passed.total == gate.reading().passed.total
    gate.detach()


def test_a_successor_finds_the_route_parked_and_can_put_it_back(routed: World) -> None:
    before = routed.terminal.run("ip", "route")
    gate = route_gate(routed)
    gate.detach()
    successor = route_gate(routed)
    assert successor.meter == gate.meter
    successor.remove()
    assert routed.terminal.run("ip", "route") == before


def test_a_route_gate_says_what_it_cannot_promise(routed: World) -> None:
    gate = route_gate(routed)
    assert "passes between two readings" in gate.describe()
    assert "nft command is not installed" in gate.describe()
    assert "uncounted" not in gate.describe(), "what merges packets was switched off"
    gate.detach()


def test_an_open_gate_meters_tells_once_and_stops_nothing(quiet_world: World) -> None:
    with quiet_world.terminal.inside():
        gate = OpenGate("wwan0", because="changing the network is not permitted")
    with datagrams(quiet_world.terminal, quiet_world.internet, "10.7.0.2") as (near, _):
        base = gate.reading().passed
        assert gate.take_events() == []
        gate.raise_to(Octets(gate.ceiling + 500))
        near.send(bytes(972))
        assert gate.take_events() == [GateEvent.SHUT]
        assert gate.take_events() == []
        near.send(bytes(972))
        assert gate.reading().passed.up - base.up == 2000
    assert "nothing stops it" in gate.describe()
    assert "with GSO on, some packet headers go uncounted" in gate.describe()
    assert gate.close().passed.total == gate.ceiling
    gate.detach()


def test_with_every_permission_the_kernel_is_the_gate(world: World) -> None:
    with world.terminal.inside():
        gate = choose_gate("wwan0", signalling=[SERVER])
    assert isinstance(gate, KernelGate)
    assert "at the octet" in gate.describe()
    gate.remove()


def test_the_machines_own_loopback_is_metered_and_never_shut(world: World) -> None:
    """A base station or a server on the machine itself is reached over it, and so is much else."""
    with world.terminal.inside():
        gate = choose_gate("lo", signalling=[SERVER])
    gate.raise_to(Octets(gate.ceiling + 500))
    with datagrams(world.terminal, world.terminal, "127.0.0.1") as (near, far):
        near.send(bytes(972))
        assert far.recv(2000) == bytes(972)
    assert gate.take_events() == [GateEvent.SHUT], "it is said, and no more"
    assert "all of it needs: meter the interface that leads to the network" in gate.describe()
    gate.remove()
    with world.terminal.inside(), pytest.raises(NeverGated, match="lo is not shut: it is this machine's own loopback"):
        shut_in_advance("lo")


CHOOSE = """
from qanat.agents.terminal.choose_gate import choose_gate
gate = choose_gate("wwan0", signalling=[])
print(type(gate).__name__, gate.describe())
"""
WITHOUT_PERMISSION = """
import ctypes, os, sys
for capability in range(41):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: the next program starts without
os.execv(sys.argv[1], sys.argv[1:])
"""
WITHOUT_NFT = 'mount --bind /dev/null "$(command -v nft)" && exec "$@"'


def chosen_by(world: World, *before: str) -> str:
    """Let another process choose, started through these commands that take something away from it."""
    with world.terminal.inside():
        done = subprocess.run(
            [*before, sys.executable, "-c", CHOOSE],
            env={"PYTHONPATH": "src", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_permission_the_terminal_only_meters_and_says_why(world: World) -> None:
    chosen = chosen_by(world, sys.executable, "-c", WITHOUT_PERMISSION)
    assert chosen.startswith("OpenGate wwan0 is metered, but nothing stops it")
    assert "CAP_NET_ADMIN" in chosen


def test_without_the_nft_command_the_route_is_the_gate_and_the_cure_is_named(routed: World) -> None:
    chosen = chosen_by(routed, "unshare", "--mount", "sh", "-c", WITHOUT_NFT, "sh")
    assert chosen.startswith("RouteGate the default route of wwan0")
    assert "apt install nftables" in chosen
    assert default_route(routed) == ""


def test_a_missing_interface_is_nobodys_gate(world: World) -> None:
    with world.terminal.inside(), pytest.raises(NoSuchInterface):
        choose_gate("wwan9", signalling=[])
