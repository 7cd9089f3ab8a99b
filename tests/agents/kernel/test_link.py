"""Interfaces: agreement with the ``ip`` command, and with what was sent over each kind that this kernel can make."""

from __future__ import annotations

import fcntl
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.namespaces import Namespace, join
from tests.traffic import datagrams

from qanat.agents.kernel import ethtool, link
from qanat.agents.kernel.ethtool import Offload
from qanat.agents.kernel.link import Links, NoSuchInterface, OperState, UpDown
from qanat.agents.kernel.offloads import OffloadState, make_countable, put_back, still_merging
from qanat.units import Octets

pytestmark = pytest.mark.namespaces

TUNSETIFF, NO_PACKET_INFO = 0x400454CA, 0x1000


@pytest.fixture
def links(world: World) -> Iterator[Links]:
    with world.terminal.inside():
        opened = Links()
    with closing(opened):
        yield opened


def test_a_link_is_found_by_name_as_the_ip_command_sees_it(world: World, links: Links) -> None:
    (seen,) = json.loads(world.terminal.run("ip", "-j", "-d", "link", "show", "wwan0"))
    found = links.find("wwan0")
    assert (found.index, found.name, found.mtu) == (seen["ifindex"], "wwan0", seen["mtu"])
    assert (found.hardware, found.state, found.is_up) == (link.ETHERNET, OperState.UP, True)
    assert found.gso_max_segs == seen["gso_max_segs"]
    assert {each.name for each in links.all()} >= {"lo", "wwan0", "lan0"}


def test_a_missing_link_is_named_with_the_cure(links: Links) -> None:
    with pytest.raises(NoSuchInterface, match=r"no interface 'wwan7'.*ip link"):
        links.find("wwan7")


def test_counting_on_a_link_that_went_away_says_so(world: World, links: Links) -> None:
    found = links.find("wwan0")
    world.terminal.run("ip", "link", "delete", "wwan0")
    with pytest.raises(NoSuchInterface, match="wwan0"):
        links.octets(found)


NEAR, FAR = "10.9.0.1", "10.9.0.2"
KINDS = {
    "veth": ("link add dev m0 type veth peer name port0", "link set port0 up"),
    "bridge": ("link add m0 type bridge",),
    "macvlan": ("link add m0 link wwan0 type macvlan mode bridge",),
    "vxlan": ("link add m0 type vxlan id 7 dstport 4789 remote 10.7.0.{other}",),
}
PORTS = {"bridge": ("wwan0",), "veth": ("wwan0", "port0")}
"""What is put into a bridge of its own, or of ``m0``'s, so that ``m0`` leads to ``far0``."""


@pytest.fixture
def over(request: pytest.FixtureRequest, quiet_world: World) -> World:
    """``m0``, an interface of the kind that is asked for, leads to 10.9.0.2; nothing but the test's packets passes it."""
    kind: str = request.param
    near, far = quiet_world.terminal, quiet_world.internet
    for namespace in (near, far):
        namespace.set("ipv6/conf/default/disable_ipv6", 1)
    _ip(near, *(command.format(other=2) for command in KINDS[kind]))
    if kind == "veth":
        _ip(near, "link add br0 type bridge", "link set br0 up")
    _ip(near, *(f"link set {port} master {'br0' if kind == 'veth' else 'm0'}" for port in PORTS.get(kind, ())))
    if kind == "vxlan":
        _ip(far, *(command.format(other=1) for command in KINDS[kind]))
    near.set("ipv6/conf/default/disable_ipv6", 0)
    ends = ((near, "m0", NEAR), (far, "m0" if kind == "vxlan" else "far0", FAR))
    for namespace, name, address in ends:
        _ip(namespace, f"link set {name} up", f"address add {address}/24 dev {name}")
    for (namespace, name, _), (other, other_name, address) in zip(ends, reversed(ends), strict=True):
        hardware = json.loads(other.run("ip", "-j", "link", "show", other_name))[0]["address"]
        _ip(namespace, f"neighbour replace {address} lladdr {hardware} dev {name} nud permanent")
    return quiet_world


@pytest.mark.parametrize("over", KINDS, indirect=True)
def test_octets_are_those_of_the_network_layer_in_both_directions(over: World, links: Links) -> None:
    base = links.octets(links.find("m0"))
    with datagrams(over.terminal, over.internet, FAR) as (near, far):
        near.send(bytes(100))
        near.send(bytes(200))
        far.send(bytes(1000))
    assert _since(base, links) == UpDown(Octets(128 + 228), Octets(1028))


@pytest.mark.parametrize("over", KINDS, indirect=True)
def test_what_is_forwarded_counts_like_what_is_the_hosts_own(over: World, links: Links) -> None:
    behind = Namespace()
    join(over.terminal, "lan1", behind, "out0", net=11)
    over.terminal.set("ipv4/ip_forward", 1)
    _ip(behind, "route add default via 10.11.0.1")
    _ip(over.internet, f"route add 10.11.0.0/24 via {NEAR}")
    base = links.octets(links.find("m0"))
    with closing(behind), datagrams(behind, over.internet, FAR) as (near, far):
        near.send(bytes(100))
        near.send(bytes(200))
        far.send(bytes(1000))
    assert _since(base, links) == UpDown(Octets(128 + 228), Octets(1028))


@pytest.mark.parametrize(("mode", "frame_header"), [("tun", b""), ("tap", bytes(6) + b"\2far0\1" + b"\x08\0")])
def test_a_tunnel_counts_whole_packets_with_and_without_a_frame_header(
    world: World, links: Links, mode: str, frame_header: bytes
) -> None:
    world.terminal.set("ipv6/conf/default/disable_ipv6", 1)
    with world.terminal.inside(), open("/dev/net/tun", "r+b", buffering=0) as wire:
        fcntl.ioctl(wire, TUNSETIFF, struct.pack("=16sH22x", b"m0", NO_PACKET_INFO | {"tun": 1, "tap": 2}[mode]))
        _ip(world.terminal, "link set m0 up", f"address add {NEAR}/24 dev m0")
        if frame_header:
            _ip(world.terminal, f"neighbour replace {FAR} lladdr 02:00:00:00:00:02 dev m0 nud permanent")
        base = links.octets(links.find("m0"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(bytes(100), (FAR, 9))
        assert len(wire.read(2000)) == len(frame_header) + 128
        wire.write(frame_header + b"\x45" + bytes(999))
        assert _since(base, links) == UpDown(Octets(128), Octets(1000))


def test_the_loopback_counts_without_frame_headers(world: World, links: Links) -> None:
    loopback = links.find("lo")
    base = links.octets(loopback)
    with world.terminal.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(bytes(500), sender.getsockname())
    assert links.octets(loopback).up - base.up == 528


def test_what_merges_packets_is_switched_off_and_put_back(world: World, links: Links) -> None:
    world.terminal.run("ip", "link", "set", "wwan0", "gso_max_segs", "40")
    with world.terminal.inside():
        assert ethtool.switch("wwan0", Offload.GRO, on=True)
        before = links.find("wwan0")
        found = OffloadState.of(before)
        assert found == OffloadState(40, frozenset({Offload.GRO}))
        assert still_merging(before) == ["GSO", "GRO"]
        assert make_countable(links, before) == []
        assert still_merging(links.find("wwan0")) == []
        put_back(links, before, found)
        assert OffloadState.of(links.find("wwan0")) == found


def test_what_an_interface_will_not_switch_off_is_reported(world: World, links: Links) -> None:
    """Loopback refuses to give up TSO, which is fixed there."""
    with world.terminal.inside():
        assert ethtool.is_on("lo", Offload.TSO)
        assert not ethtool.switch("lo", Offload.LRO, on=True)
        assert not ethtool.switch("gone0", Offload.GRO, on=False)


@pytest.mark.parametrize("state", [OffloadState(65535, frozenset()), OffloadState(1, frozenset(Offload))])
def test_an_offload_state_is_read_back_from_its_text(state: OffloadState) -> None:
    assert OffloadState.parse(str(state)) == state


def test_the_boot_has_a_name() -> None:
    assert link.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _since(base: UpDown, links: Links) -> UpDown:
    now = links.octets(links.find("m0"))
    return UpDown(Octets(now.up - base.up), Octets(now.down - base.down))


def _ip(namespace: Namespace, *commands: str) -> None:
    for command in commands:
        namespace.run("ip", *command.split())
