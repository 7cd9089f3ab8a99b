"""The gate in the kernel, on real traffic."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from ipaddress import ip_address

import pytest
from tests.agents.conftest import World
from tests.namespaces import Namespace, join
from tests.patience import PATIENCE_S
from tests.traffic import connected, datagrams, flows, receive, until

from qanat.agents.kernel.ladder import Key, Ladder
from qanat.agents.kernel.lay import ForeignTable
from qanat.agents.kernel.link import Links, NoSuchInterface, UpDown
from qanat.agents.kernel.nft import Nft, TableGone
from qanat.agents.terminal.gate import GateEvent, Reading
from qanat.agents.terminal.gate_table import table_for
from qanat.agents.terminal.kernel_gate import KernelGate
from qanat.errors import BadInput
from qanat.units import Octets

pytestmark = pytest.mark.namespaces

FAR = "10.7.0.2"
FAR6 = "fd00:7::2"
SERVER = (ip_address(FAR), 7443)
SERVER6 = (ip_address(FAR6), 7443)
MIB = 1 << 20


@contextmanager
def opened(namespace: Namespace) -> Iterator[KernelGate]:
    with namespace.inside():
        gate = KernelGate("wwan0", signalling=[SERVER, SERVER6])
    try:
        yield gate
    finally:
        gate.detach()


def events(gate: KernelGate) -> Iterator[GateEvent]:
    """Give the gate's events as they come; the deadline is for a gate that never shuts."""
    while True:
        ready, _, _ = select.select([gate], [], [], PATIENCE_S)
        assert ready, f"no event within {PATIENCE_S} s: {gate.reading()}"
        yield from gate.take_events()


def run_dry(gate: KernelGate) -> None:
    for event in events(gate):
        if event is GateEvent.SHUT:
            return


def raise_in_chunks(gate: KernelGate, *, chunk: int, up_to: int) -> int:
    """Do what the agent does: allow one chunk more for each rung that ran dry. Returns the number of raises."""
    gate.raise_to(Octets(gate.ceiling + chunk))
    gate.raise_to(Octets(gate.ceiling + chunk))
    raises = 2
    for event in events(gate):
        if gate.ceiling >= up_to and event is GateEvent.SHUT:
            return raises
        if gate.ceiling < up_to:
            gate.raise_to(Octets(gate.ceiling + chunk))
            raises += 1
    return raises


def on_the_wire(reading: Reading) -> UpDown:
    """What the interface must have counted: refused packets came in, but never went out."""
    return UpDown(
        up=Octets(reading.passed.up + reading.signalling.up + reading.upkeep.up),
        down=Octets(reading.passed.down + reading.signalling.down + reading.upkeep.down + reading.refused.down),
    )


@contextmanager
def interface_counts(namespace: Namespace) -> Iterator[Callable[[], UpDown]]:
    """Give what the interface has counted since now."""
    with namespace.inside():
        links = Links()
    link = links.find("wwan0")
    base = links.octets(link)
    yield lambda: since(base, links.octets(link))
    links.close()


def test_no_octet_too_many_passes_and_less_than_a_packet_too_few_over_many_rungs_at_line_rate(world: World) -> None:
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(MIB))
        with flows(world.terminal, world.internet, FAR, up=2, down=2):
            raises = raise_in_chunks(gate, chunk=MIB, up_to=100 * MIB)
            passed = gate.reading().passed.total
            assert raises >= 99
            assert 0 <= gate.ceiling - passed < 1500


def test_the_count_is_the_interfaces_count_to_the_octet_in_both_directions(world: World) -> None:
    """Passed, signalling, upkeep and (down) refused octets together are interface bytes less 14 for each packet.

    The two are read one after the other, so a stray packet between them is waited out; a lasting difference fails.
    """
    with opened(world.terminal) as gate, interface_counts(world.terminal) as counts:
        assert "uncounted" not in gate.describe()
        before = on_the_wire(gate.reading())
        gate.raise_to(Octets(20 * MIB))
        with (
            flows(world.terminal, world.internet, FAR, up=1, down=1),
            flows(world.terminal, world.internet, FAR6, up=1, down=1),
        ):
            run_dry(gate)
        gate.close()
        until(lambda: since(before, on_the_wire(gate.reading())) == counts())


@pytest.mark.parametrize("address", ["10.99.0.1", "fd00:99::1"])
def test_a_connection_made_before_the_gate_is_counted_like_any_other(world: World, address: str) -> None:
    """It was handing down super-packets; at the gate's opening it looks its route up again, and soon has small ones."""
    world.internet.run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    gateway = FAR6 if ":" in address else FAR
    world.terminal.run("ip", "route", "add", "default", "via", gateway, "dev", "wwan0")
    with connected(world.terminal, world.internet, address) as (near, far):
        upload(near, far, MIB)
        with opened(world.terminal) as gate, interface_counts(world.terminal) as counts:
            gate.raise_to(Octets(100 * MIB))
            upload(near, far, MIB)
            hidden = hidden_up(gate, counts)
            upload(near, far, 10 * MIB)
            assert 0 <= hidden == hidden_up(gate, counts) < 4000


def hidden_up(gate: KernelGate, counts: Callable[[], UpDown]) -> int:
    """Return the octets that only the interface saw, read at a moment in which nothing passed."""
    while True:
        before, seen, after = counts().up, on_the_wire(gate.reading()).up, counts().up
        if before == after:
            return before - seen


def upload(near: socket.socket, far: socket.socket, octets: int) -> None:
    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(near.sendall, bytes(octets))
        receive(far, octets)
        sent.result()


def since(base: UpDown, now: UpDown) -> UpDown:
    return UpDown(up=Octets(now.up - base.up), down=Octets(now.down - base.down))


def test_a_laid_gate_is_shut_until_it_is_raised(world: World) -> None:
    with opened(world.terminal) as gate, datagrams(world.terminal, world.internet, FAR) as (near, far):
        with pytest.raises(PermissionError):
            near.send(b"up")
        far.send(b"down")
        reading = gate.reading()
        assert (gate.ceiling, reading.passed) == (0, UpDown(Octets(0), Octets(0)))
        assert (reading.refused.up, reading.refused.down) == (30, 32)
        gate.raise_to(Octets(63))  # kernels before 6.16 refuse the packet that would fill a quota exactly
        near.send(b"up")
        far.send(b"down")
        assert gate.reading().passed == UpDown(Octets(30), Octets(32))


@pytest.mark.parametrize("address", [FAR, FAR6])
def test_signalling_passes_and_is_not_charged_when_the_gate_is_shut(world: World, address: str) -> None:
    with opened(world.terminal) as gate:
        with connected(world.terminal, world.internet, address, port=7443) as (near, far):
            near.sendall(bytes(5000))
            receive(far, 5000)
            far.sendall(bytes(7000))
            receive(near, 7000)
        reading = gate.reading()
        assert reading.passed.total == 0
        assert reading.signalling.up > 5000
        assert reading.signalling.down > 7000


def test_other_servers_and_other_interfaces_tell_signalling_from_service(world: World) -> None:
    """Another port of the same server is service; the other interface is not looked at."""
    with opened(world.terminal) as gate, datagrams(world.terminal, world.internet, FAR) as (near, _):
        with pytest.raises(PermissionError):
            near.send(b"x")
        with connected(world.terminal, world.internet, "10.8.0.2") as (near_lan, far_lan):
            near_lan.sendall(bytes(100_000))
            receive(far_lan, 100_000)
        assert gate.reading().passed.total == 0


def test_neighbours_are_discovered_over_ipv6_when_the_gate_is_shut(world: World) -> None:
    """A link address is asked for and answered, though the packet that needed it is refused."""
    world.terminal.run("ip", "-6", "neigh", "flush", "dev", "wwan0", "nud", "permanent")
    with opened(world.terminal) as gate:
        with connected(world.terminal, world.internet, FAR6, port=7443):
            reading = gate.reading()
        assert reading.upkeep.up >= 72
        assert reading.upkeep.down >= 72
        assert reading.passed.total == 0


def test_a_fenced_count_is_final(world: World) -> None:
    """After the fence the count does not move, though the flows go on trying."""
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(50 * MIB))
        with flows(world.terminal, world.internet, FAR, up=1, down=1):
            until(lambda: gate.reading().passed.total > 5 * MIB)
            final = gate.close()
            until(lambda: gate.reading().refused.total > final.refused.total)
            assert gate.reading().passed == final.passed
        assert gate.ceiling == final.passed.total < 50 * MIB


def test_a_fenced_gate_opens_again_from_what_has_passed(world: World) -> None:
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(50 * MIB))
        with flows(world.terminal, world.internet, FAR, down=2):
            until(lambda: gate.reading().passed.total > 5 * MIB)
            base = gate.close().passed.total
            gate.raise_to(Octets(base + 3 * MIB))
            run_dry(gate)
            assert 0 <= base + 3 * MIB - gate.reading().passed.total < 1500


def test_a_gate_that_nothing_passed_before_it_was_fenced_opens_again_to_the_same_ceiling(world: World) -> None:
    with opened(world.terminal) as gate, datagrams(world.terminal, world.internet, FAR) as (near, _):
        for _ in range(2):
            gate.raise_to(Octets(MIB))
            base = gate.close().passed.total
        gate.raise_to(Octets(base + MIB))
        near.send(bytes(972))
        assert gate.reading().passed.up == 1000


def test_both_rungs_dry_then_reopened(world: World) -> None:
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(MIB))
        gate.raise_to(Octets(2 * MIB))
        with flows(world.terminal, world.internet, FAR, up=1, down=1):
            run_dry(gate)
            assert 0 <= 2 * MIB - gate.reading().passed.total < 1500
            gate.raise_to(Octets(5 * MIB))
            run_dry(gate)
            assert 0 <= 5 * MIB - gate.reading().passed.total < 1500


def test_a_ceiling_raised_many_times_at_once_is_reached(world: World) -> None:
    """More raises than there are rungs in the kernel: what is pending follows as rungs run dry."""
    with opened(world.terminal) as gate:
        for ceiling in range(MIB, 8 * MIB, 300_000):
            gate.raise_to(Octets(ceiling))
        with flows(world.terminal, world.internet, FAR, down=2):
            run_dry(gate)
        assert 0 <= gate.ceiling - gate.reading().passed.total < 1500


def test_the_owner_hears_that_half_is_gone_while_the_other_half_still_serves(world: World) -> None:
    """Whoever raises then is in time: at 100 Mbit/s a gate that first had to be dry passed 43."""
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(8 * MIB))
        with connected(world.terminal, world.internet, FAR) as (near, far):
            upload(far, near, 4 * MIB)
            assert next(events(gate)) is GateEvent.LOWER
            gate.raise_to(Octets(12 * MIB))
            upload(far, near, 5 * MIB)
            assert gate.reading().refused.total == 0


AGENT = """
import sys
from qanat.agents.terminal.kernel_gate import KernelGate
gate = KernelGate("wwan0", signalling=[])
for ceiling in map(int, sys.argv[1:]):
    gate.raise_to(ceiling)
print(gate.meter, flush=True)
sys.stdin.read()
"""


def killed_agent(namespace: Namespace, *ceilings: int, meanwhile: Callable[[], None]) -> str:
    """Let another process lay and raise the gate, do something, and kill it with -9. Returns the meter's name."""
    with namespace.inside():
        agent = subprocess.Popen(
            [sys.executable, "-c", AGENT, *map(str, ceilings)],
            env={"PYTHONPATH": "src", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    with agent:
        assert agent.stdout is not None
        meter = agent.stdout.readline().strip()
        meanwhile()
        agent.send_signal(signal.SIGKILL)
    return meter


def test_a_gate_whose_process_was_killed_is_adopted_with_its_counts_and_its_ceiling(world: World) -> None:
    def download() -> None:
        with connected(world.terminal, world.internet, FAR) as (near, far):
            far.sendall(bytes(100_000))
            receive(near, 100_000)

    meter = killed_agent(world.terminal, 400_000, 3 * MIB, meanwhile=download)
    with opened(world.terminal) as gate:
        assert (gate.meter, gate.ceiling) == (meter, 3 * MIB)
        assert gate.reading().passed.down > 100_000
        with flows(world.terminal, world.internet, FAR, up=1, down=1):
            run_dry(gate)
            assert 0 <= 3 * MIB - gate.reading().passed.total < 1500


def test_a_gate_that_ran_dry_while_nobody_lived_stays_shut_and_is_taken_up_at_once(world: World) -> None:
    with flows_after_kill(world) as ceiling, opened(world.terminal) as gate:
        assert 0 <= ceiling - gate.reading().passed.total < 3000
        gate.raise_to(Octets(ceiling + MIB))
        run_dry(gate)
        assert 0 <= ceiling + MIB - gate.reading().passed.total < 1500


@contextmanager
def flows_after_kill(world: World) -> Iterator[int]:
    """Let flows hammer a gate whose process is dead until it refuses; gives its ceiling."""
    killed_agent(world.terminal, 400_000, 2 * MIB, meanwhile=lambda: None)
    with world.terminal.inside(), closing(Nft()) as nft, flows(world.terminal, world.internet, FAR, up=1, down=1):
        until(lambda: nft.counter(table_for("wwan0"), "refused_up").octets > 0)
        yield 2 * MIB


def test_an_interface_made_anew_is_shut_until_its_gate_is_opened_again(world: World) -> None:
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(MIB))
        with datagrams(world.terminal, world.internet, FAR) as (near, _):
            near.send(bytes(972))
    world.terminal.run("ip", "link", "delete", "wwan0")
    join(world.terminal, "wwan0", world.internet, "far0", net=7)
    with datagrams(world.terminal, world.internet, FAR) as (near, _):
        with pytest.raises(PermissionError):
            near.send(bytes(472))
        with opened(world.terminal) as again:
            assert (again.meter, again.ceiling) == (gate.meter, MIB)
            near.send(bytes(472))
            assert again.reading().passed.up == 1500
            assert "uncounted" not in again.describe()


def test_an_interface_with_another_name_is_metered_as_before_and_stopped_at_the_same_octet(world: World) -> None:
    """Kernels since 6.2 rename an interface that is up, so not even the routes are lost."""
    with opened(world.terminal) as gate:
        gate.raise_to(Octets(MIB))
        world.terminal.run("ip", "link", "set", "wwan0", "name", "rmnet0")
        with flows(world.terminal, world.internet, FAR, up=1, down=1):
            run_dry(gate)
        assert 0 <= gate.ceiling - gate.reading().passed.total < 1500


def test_an_interface_with_another_name_stays_shut_while_a_new_one_has_its_old_name(world: World) -> None:
    with opened(world.terminal):
        world.terminal.run("ip", "link", "set", "wwan0", "name", "rmnet0")
    world.terminal.run("ip", "link", "add", "wwan0", "type", "bridge")
    with opened(world.terminal) as gate, datagrams(world.terminal, world.internet, FAR) as (near, _):
        gate.raise_to(Octets(MIB))
        with pytest.raises(PermissionError):
            near.send(bytes(472))
        assert gate.reading().passed.total == 0


def test_an_interface_that_another_names_gate_shuts_is_refused_with_the_cure(world: World) -> None:
    with opened(world.terminal):
        world.terminal.run("ip", "link", "set", "wwan0", "name", "rmnet0")
    with world.terminal.inside(), pytest.raises(ForeignTable, match="nft delete table inet qanat_terminal_wwan0"):
        KernelGate("rmnet0", signalling=[])
    assert "table inet qanat_terminal_rmnet0" not in world.terminal.run("nft", "list", "tables")


def test_the_kernel_holds_what_the_nft_command_says(world: World) -> None:
    with opened(world.terminal) as gate, datagrams(world.terminal, world.internet, FAR) as (near, _):
        gate.raise_to(Octets(10_000))
        gate.raise_to(Octets(30_000))
        near.send(bytes(972))
        listed = json.loads(world.terminal.run("nft", "-j", "list", "table", "inet", table_for("wwan0").name))
    objects = listed["nftables"]
    quotas = sorted(each["quota"]["bytes"] for each in objects if "quota" in each)
    counters = {each["counter"]["name"]: each["counter"]["bytes"] for each in objects if "counter" in each}
    assert quotas == [10_000, 20_000]
    assert counters["passed_up"] == 1000
    assert gate.ceiling == 30_000


def test_a_removed_gate_leaves_the_interface_as_it_was_found(world: World) -> None:
    before = world.terminal.run("ip", "-d", "link", "show", "wwan0")
    with opened(world.terminal) as gate:
        assert world.terminal.run("ip", "-d", "link", "show", "wwan0") != before
        gate.remove()
    assert world.terminal.run("ip", "-d", "link", "show", "wwan0") == before
    assert world.terminal.run("nft", "list", "ruleset") == ""


def test_a_missing_interface_is_named_with_the_cure(world: World) -> None:
    with world.terminal.inside(), pytest.raises(NoSuchInterface, match=r"'wwan9'.*ip link"):
        KernelGate("wwan9", signalling=[])


def test_a_name_that_nft_could_read_as_a_pattern_is_refused() -> None:
    with pytest.raises(BadInput, match="rename it"):
        table_for("wwan*")


def test_somebody_elses_table_is_not_touched(world: World) -> None:
    world.terminal.run("nft", "add table inet qanat_terminal_wwan0")
    with world.terminal.inside(), pytest.raises(ForeignTable, match="nft delete table"):
        KernelGate("wwan0", signalling=[])


@pytest.mark.parametrize("command", ["flush ruleset", "delete table inet qanat_terminal_wwan0"])
def test_a_gate_that_somebody_removed_is_a_fault_at_once_and_can_be_laid_anew(world: World, command: str) -> None:
    with opened(world.terminal) as gate:
        world.terminal.run("nft", command)
        with pytest.raises(TableGone, match="lay the gate anew"):
            next(events(gate))
        with pytest.raises(TableGone):
            gate.reading()
        with opened(world.terminal) as again:
            assert (again.meter != gate.meter, again.ceiling) == (True, 0)


def test_signalling_servers_follow_the_settings(world: World) -> None:
    with opened(world.terminal):
        pass
    with world.terminal.inside():
        gate = KernelGate("wwan0", signalling=[(ip_address("192.0.2.9"), 443)])
    listed = world.terminal.run("nft", "list", "ruleset")
    assert "192.0.2.9 . 443" in listed
    assert "7443" not in listed
    gate.detach()


def test_a_ladder_with_nothing_to_allow_changes_nothing() -> None:
    ladder = Ladder(table=table_for("wwan0"), label="terminal", keys=[Key("", b"\0\0\0\1")], ceiling=Octets(0))
    assert ladder.extend() == []
    assert ladder.fence() == []
