"""Interfaces: agreement with the ``ip`` command."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.agents.conftest import World
from tests.traffic import datagrams

from qanat.agents.kernel import ethtool, link
from qanat.agents.kernel.ethtool import Offload
from qanat.agents.kernel.link import Links, NoSuchInterface, OperState, UpDown
from qanat.agents.kernel.offloads import OffloadState, make_countable, put_back, still_merging
from qanat.units import Octets

pytestmark = pytest.mark.namespaces


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


def test_octets_are_those_of_the_network_layer_in_both_directions(quiet_world: World, links: Links) -> None:
    found = links.find("wwan0")
    base = links.octets(found)
    with datagrams(quiet_world.terminal, quiet_world.internet, "10.7.0.2") as (near, far):
        near.send(bytes(100))
        near.send(bytes(200))
        far.send(bytes(1000))
    now = links.octets(found)
    assert UpDown(Octets(now.up - base.up), Octets(now.down - base.down)) == UpDown(Octets(356), Octets(1028))


def test_the_loopback_counts_without_frame_headers(world: World, links: Links) -> None:
    loopback = links.find("lo")
    base = links.octets(loopback)
    with world.terminal.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(bytes(500), sender.getsockname())
    assert links.octets(loopback).up - base.up == 528


def test_a_tunnel_without_link_layer_counts_whole_packets(world: World, links: Links) -> None:
    world.terminal.run("ip", "tuntap", "add", "tun0", "mode", "tun")
    assert links.find("tun0").frame_header_octets == 0


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
