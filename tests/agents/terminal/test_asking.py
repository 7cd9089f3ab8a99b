"""The agent's own questions to the DNS: what asks, and what the shut gate lets through of it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.agents.fake_dns import FakeDns
from tests.agents.names import NAME
from tests.agents.running import passed
from tests.namespaces import Namespace, join
from tests.patience import PATIENCE_S
from tests.traffic import flows, until

from qanat.agents.kernel.link import Links, UpDown
from qanat.agents.kernel.nft import Nft, port_key
from qanat.agents.terminal import asker as asking
from qanat.agents.terminal.asker import Asker, resolvers
from qanat.agents.terminal.gate import NOTHING
from qanat.agents.terminal.gate_table import table_for
from qanat.agents.terminal.kernel_gate import KernelGate
from qanat.agents.terminal.witness import on_the_wire
from qanat.errors import BadInput
from qanat.system import SteadyClock
from qanat.units import Octets
from qanat.wire.dns import ANSWER_MAX, QUESTION_MAX

pytestmark = pytest.mark.namespaces

FAR = "10.7.0.2"
FAR6 = "fd00:7::2"
HOME = ip_address("192.0.2.7")
HOME6 = ip_address("2001:db8::7")


@contextmanager
def asker(world: World, *where: str) -> Iterator[Asker]:
    with world.terminal.inside():
        made = Asker(lambda: [ip_address(each) for each in where])
    with closing(made):
        yield made


@contextmanager
def shut_gate(world: World, *ports: int) -> Iterator[KernelGate]:
    with world.terminal.inside():
        gate = KernelGate("wwan0", signalling=[], asks_from=ports)
    try:
        yield gate
    finally:
        gate.detach()


@contextmanager
def sender(namespace: Namespace, *, port: int = 0) -> Iterator[socket.socket]:
    """A socket like the agent's, at a port that is given."""
    with namespace.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("", port))
        yield end


def port_of(end: socket.socket) -> int:
    port: int = end.getsockname()[1]
    return port


@pytest.fixture
def dns(world: World) -> Iterator[FakeDns]:
    made = FakeDns(world.internet, FAR)
    made.leads_to = [str(HOME), str(HOME6)]
    yield made
    made.close()


def held(world: World) -> set[bytes]:
    with world.terminal.inside(), closing(Nft()) as nft:
        return set(nft.elements(table_for("wwan0"), "asks_from"))


# What passes


@pytest.mark.parametrize("address", [FAR, FAR6])
def test_the_agents_question_passes_a_shut_gate_as_signalling_to_the_octet_and_is_not_charged(
    world: World, address: str
) -> None:
    with closing(FakeDns(world.internet, address)) as dns, asker(world, address) as own:
        dns.leads_to = [str(HOME), str(HOME6)]
        with shut_gate(world, own.port) as gate, interface_total(world) as total:
            before = on_the_wire(gate.reading())
            assert set(own.ask(NAME)) == {HOME, HOME6}
            until(lambda: on_the_wire(gate.reading()) - before == total())
            reading = gate.reading()
            asked = 2 * (28 + (28 if address == FAR else 48))
            assert reading.signalling == UpDown(Octets(asked), Octets(asked + 16 + 28))
            assert reading.passed == NOTHING
        assert dns.asked_from == [own.port] * 2


@contextmanager
def interface_total(world: World) -> Iterator[Callable[[], int]]:
    """Give what the interface has counted since now."""
    with world.terminal.inside():
        links = Links()
    with closing(links):
        link = links.find("wwan0")
        base = links.octets(link).total
        yield lambda: links.octets(link).total - base


def test_nobody_else_can_have_the_port_while_it_is_held(world: World) -> None:
    with asker(world, FAR) as own, world.terminal.inside():
        for family, address in (
            (socket.AF_INET, ""),
            (socket.AF_INET, "10.7.0.1"),
            (socket.AF_INET6, "::"),
            (socket.AF_INET6, "fd00:7::1"),
        ):
            with socket.socket(family, socket.SOCK_DGRAM) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                other.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"wwan0")
                with pytest.raises(OSError, match="in use"):
                    other.bind((address, own.port))


# What does not pass


def test_what_others_ask_and_what_the_agent_says_to_others_is_refused(world: World, dns: FakeDns) -> None:
    with sender(world.terminal) as own, sender(world.terminal) as other, shut_gate(world, port_of(own)) as gate:
        for end, octets, port in ((other, b"x", 53), (own, b"x", 54), (own, bytes(QUESTION_MAX + 21), 53)):
            with pytest.raises(PermissionError):
                end.sendto(octets, (FAR, port))
        own.sendto(bytes(QUESTION_MAX + 20), (FAR, 53))  # the headers of IPv4 are shorter
        assert gate.reading().signalling.up == QUESTION_MAX + 48
        assert gate.reading().passed == NOTHING


def test_a_connection_to_port_53_is_refused_though_it_comes_from_the_same_number(world: World) -> None:
    with sender(world.terminal) as own, shut_gate(world, port_of(own)) as gate, world.terminal.inside():
        with socket.socket() as connection:
            connection.bind(("", port_of(own)))
            connection.settimeout(0)
            with suppress(OSError):
                connection.connect((FAR, 53))
        assert gate.reading().refused.up == 60
        assert gate.reading().signalling == NOTHING


def test_what_is_forwarded_from_the_same_port_is_refused(world: World, dns: FakeDns) -> None:
    device = Namespace()
    join(device, "eth0", world.terminal, "lan1", net=6)
    device.run("ip", "route", "add", "default", "via", "10.6.0.2")
    world.terminal.set("ipv4/ip_forward", 1)
    with sender(world.terminal) as own, shut_gate(world, port_of(own)) as gate:
        with sender(device, port=port_of(own)) as other:
            other.sendto(b"x", (FAR, 53))
            until(lambda: gate.reading().refused.up == 29)
        assert gate.reading().signalling == NOTHING
    device.close()


def test_what_comes_to_another_port_or_from_another_or_is_too_long_is_refused(world: World, dns: FakeDns) -> None:
    with sender(world.terminal) as own, sender(world.terminal) as other, shut_gate(world, port_of(own)) as gate:
        with sender(world.internet) as stranger:
            stranger.sendto(b"x", ("10.7.0.1", port_of(own)))
        dns.end.sendto(b"x", ("10.7.0.1", port_of(other)))
        dns.end.sendto(bytes(ANSWER_MAX + 21), ("10.7.0.1", port_of(own)))
        until(lambda: gate.reading().refused.down == 29 + 29 + ANSWER_MAX + 49)
        dns.end.sendto(bytes(ANSWER_MAX + 20), ("10.7.0.1", port_of(own)))
        until(lambda: gate.reading().signalling.down == ANSWER_MAX + 48)
        assert gate.reading().passed == NOTHING


def test_more_questions_than_anybody_needs_are_refused(world: World, dns: FakeDns) -> None:
    with sender(world.terminal) as own, shut_gate(world, port_of(own)) as gate:
        with suppress(PermissionError):
            for _ in range(1000):
                own.sendto(b"x", (FAR, 53))
        assert 20 * 29 <= gate.reading().signalling.up < 1000 * 29


# Who comes after


def test_the_gate_follows_the_port_of_whoever_lives_and_has_none_when_nobody_does(world: World) -> None:
    """Two that are not detached died by kill -9, for the kernel."""
    with world.terminal.inside():
        KernelGate("wwan0", signalling=[], asks_from=[40_000])
        KernelGate("wwan0", signalling=[], asks_from=[40_001])
    assert held(world) == {port_key(40_001)}
    with shut_gate(world, 40_002):
        assert held(world) == {port_key(40_002)}
    assert held(world) == set()


def test_a_gate_that_an_earlier_version_laid_is_replaced_with_its_counts_and_lets_the_agent_ask(
    world: World, dns: FakeDns, tmp_path: Path
) -> None:
    """It stood open when its agent was killed. While it is replaced it is shut, and nothing passes that it doesn't count."""
    with shut_gate(world, 40_000) as gate:
        gate.raise_to(Octets(1 << 40))
        meter = gate.meter
    table = f"table inet {table_for('wwan0').name}"
    earlier = tmp_path / "earlier"
    earlier.write_text(as_laid_by_version_2(world.terminal.run("nft", "list", *table.split())))
    world.terminal.run("nft", "delete", *table.split())
    world.terminal.run("nft", "-f", str(earlier))
    with counted_beside(world) as unmetered, flows(world.terminal, world.internet, FAR, up=1):
        until(lambda: passed(world) > 1_000_000)
        with asker(world, FAR) as own, shut_gate(world, own.port) as adopted:
            before = adopted.reading()
            assert (adopted.meter, adopted.ceiling) == (meter, before.passed.total)
            assert before.passed.up == unmetered() > 1_000_000
            assert set(own.ask(NAME)) == {HOME, HOME6}
            assert adopted.reading().passed == before.passed
    assert "qanat-gate/2" not in world.terminal.run("nft", "list", "ruleset")


@contextmanager
def counted_beside(world: World) -> Iterator[Callable[[], int]]:
    """Count in a table of our own, behind the gate's, the TCP octets that leave."""
    rules = "type filter hook output priority 2000; oifname wwan0 meta l4proto tcp counter name left"
    world.terminal.run("nft", f"table inet beside {{ counter left {{ }}; chain out {{ {rules}; }}; }}")
    yield lambda: int(
        world.terminal.run("nft", "list", "counters", "table", "inet", "beside").split("bytes ")[1].split()[0]
    )
    world.terminal.run("nft", "delete table inet beside")


def as_laid_by_version_2(listed: str) -> str:
    without_set = re.sub(r"\tset asks_from \{.*?\n\t\}\n", "", listed, flags=re.DOTALL)
    without_rules = [line for line in without_set.splitlines() if "@asks_from" not in line]
    return "\n".join(without_rules).replace("qanat-gate/3", "qanat-gate/2")


# Who asks


def test_an_answer_counts_only_from_whom_was_asked(world: World, dns: FakeDns) -> None:
    """Another answers first, with the right number."""
    world.internet.run("ip", "address", "add", "10.7.0.3/24", "dev", "far0")
    with closing(FakeDns(world.internet, "10.7.0.3")) as liar, asker(world, FAR) as own:
        liar.leads_to = ["192.0.2.66"]
        dns.overtaken_by = liar
        assert set(own.ask(NAME)) == {HOME, HOME6}


def test_a_question_that_is_lost_is_asked_again(world: World, dns: FakeDns) -> None:
    dns.ignores = 2
    with asker(world, FAR) as own:
        assert set(own.ask(NAME)) == {HOME, HOME6}
    assert len(dns.asked_from) == 4


def test_one_resolver_that_knows_is_enough(world: World, dns: FakeDns) -> None:
    with asker(world, "10.7.0.9", FAR6, FAR) as own:
        assert set(own.ask(NAME)) == {HOME, HOME6}


def test_a_name_that_leads_nowhere_is_settled_by_one_answer_to_each_question(world: World, dns: FakeDns) -> None:
    with asker(world, FAR) as own:
        assert own.ask("other.test") == []
    assert len(dns.asked_from) == 2


def test_where_nobody_can_be_asked_nothing_is_waited_for(world: World) -> None:
    began = SteadyClock().now()
    for where in ((), ("192.0.2.53",)):
        with asker(world, *where) as own:
            assert own.ask(NAME) == []
    assert SteadyClock().now() - began < asking.TRY_FOR


def test_what_is_no_name_is_not_asked_for(world: World) -> None:
    with asker(world, FAR) as own, pytest.raises(BadInput):
        own.ask("qanat..test")


@pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="needs dnsmasq: ./setup.sh test")
def test_dnsmasq_is_understood_when_it_follows_an_alias(world: World) -> None:
    words = ("--cname=qanat.test,further.test", f"--host-record=further.test,{HOME},{HOME6}", "--bind-interfaces")
    own = ("--keep-in-foreground", "--user=root", "--pid-file=", "--no-hosts", "--no-resolv", "--local=/test/")
    with world.internet.inside():
        process = subprocess.Popen(["dnsmasq", "--conf-file=/dev/null", f"--listen-address={FAR}", *own, *words])
    try:
        with asker(world, FAR) as asks:
            until(lambda: set(asks.ask(NAME)) == {HOME, HOME6})
            assert asks.ask("nobody.test") == []
    finally:
        process.kill()
        process.wait(PATIENCE_S)


WITHOUT_IPV6 = """
import ctypes, errno, platform, socket, struct
from ipaddress import ip_address
from qanat.agents.terminal.asker import Asker

# Refuse socket(AF_INET6, …), as a kernel without IPv6 does.
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
load, equals, give = 0x20, 0x15, 0x06
refuse, allow = 0x00050000 | errno.EAFNOSUPPORT, 0x7FFF0000
rules = [(load, 0, 0, 0), (equals, 0, 3, number), (load, 0, 0, 16), (equals, 0, 1, 10), (give, 0, 0, refuse), (give, 0, 0, allow)]
packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(packed))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
assert not socket.has_dualstack_ipv6()
asks = Asker(lambda: [ip_address("fd00:7::2"), ip_address("10.7.0.2")])
print(sorted(map(str, asks.ask("qanat.test"))))
"""


def test_on_a_kernel_without_ipv6_the_others_are_asked(world: World, dns: FakeDns) -> None:
    with world.terminal.inside():
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_IPV6], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False
        )
    assert done.stdout == f"{sorted([str(HOME), str(HOME6)])}\n", done.stderr


def test_resolvers_are_those_of_the_first_file_that_names_one_elsewhere(tmp_path: Path) -> None:
    stub, upstream = tmp_path / "stub", tmp_path / "upstream"
    stub.write_text("# a stub\nnameserver 127.0.0.53\nnameserver ::1\noptions edns0 trust-ad\nsearch .\n")
    upstream.write_text(
        "nameserver\nnameserver nobody\nnameserver fe80::1%wwan0\nnameserver 10.0.0.1 \n"
        "nameserver 10.0.0.2\nnameserver 10.0.0.3\n"
    )
    found = [ip_address("fe80::1%wwan0"), ip_address("10.0.0.1"), ip_address("10.0.0.2")]
    assert resolvers([tmp_path / "nothing", stub, upstream]) == found
    assert resolvers([stub]) == []
