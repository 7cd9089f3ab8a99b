"""The gateway in the kernel, on real traffic through a bridge."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

import pytest
from tests.agents.base_station.scene import (
    ALICE,
    ALICE6,
    FAR,
    FAR6,
    MALLORY,
    MALLORY6,
    SERVER,
    Scene,
)
from tests.patience import PATIENCE_S
from tests.traffic import connected, datagrams, flows, receive, until

from qanat.agents.base_station.gateway import Gateway
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.ruleset import key_of
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.agents.kernel.lay import ForeignTable
from qanat.agents.kernel.nft import TableGone
from qanat.units import Octets

pytestmark = pytest.mark.namespaces

MIB = 1 << 20
PACKET = 1500


def dry(gateway: Gateway) -> Iterator[list[str]]:
    """Give the names of the rungs of ``s1`` that ran dry, as the kernel says them."""
    while True:
        ready, _, _ = select.select([gateway], [], [], PATIENCE_S)
        assert ready, f"nothing ran dry within {PATIENCE_S} s: {gateway.readings()} {gateway.shared()}"
        heard = gateway.take_dry()
        assert heard is not None
        yield heard.get("s1", [])


def run_through(gateway: Gateway, metered: Metered, *, grants: int, octets: int) -> None:
    """Do what the agent does: hold two grants, put the next in place for each that ran dry, until all are used."""
    metered.raise_to(Octets(metered.ceiling + octets))
    metered.raise_to(Octets(metered.ceiling + octets))
    given = 2
    for names in dry(gateway):
        is_shut = metered.ran_dry(names)
        if given < grants:
            metered.raise_to(Octets(metered.ceiling + octets))
            given += 1
        if is_shut:
            wait_for_packets_in_flight()
            metered.fenced()
            if not metered.reopen():
                return


@pytest.mark.parametrize("far", [FAR, FAR6])
def test_no_octet_too_many_passes_over_many_grants_at_line_rate(scene: Scene, far: str) -> None:
    """Less than a packet is missing in the end, since the closed rebuild gives the remainders back."""
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(MIB))
        with flows(scene.alice, scene.internet, far, up=2, down=2):
            run_through(gateway, alice, grants=60, octets=MIB)
            passed = alice.reading().total
        assert gateway.merging == []
        assert 0 <= alice.ceiling - passed < PACKET
        assert alice.ceiling >= 60 * MIB


def test_both_families_share_one_grant(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(5 * MIB))
        with (
            flows(scene.alice, scene.internet, FAR, up=1, down=1),
            flows(scene.alice, scene.internet, FAR6, up=1, down=1),
        ):
            run_through(gateway, alice, grants=2, octets=MIB)
        assert 0 <= alice.ceiling - alice.reading().total < PACKET


def test_nothing_passes_before_somebody_is_admitted_but_the_servers_are_reached(scene: Scene) -> None:
    with scene.gateway() as gateway:
        with connected(scene.alice, scene.internet, SERVER, port=7443) as (near, far):
            near.sendall(bytes(5000))
            receive(far, 5000)
        with scene.alice.inside(), pytest.raises(OSError, match=r"No route|unreachable|prohibited"):
            socket.create_connection((FAR, 9), timeout=3)
        shared = gateway.shared()
        assert shared["signalling_up"] > 5000
        assert shared["refused_up"] > 0
        assert shared["forged"] == 0


@pytest.mark.parametrize(("own", "forged", "far"), [(MALLORY, ALICE, FAR), (MALLORY6, ALICE6, FAR6)])
def test_a_forged_source_address_burns_nobodys_grant(scene: Scene, own: str, forged: str, far: str) -> None:
    """Mallory takes Alice's address and sends from her own link address."""
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(MIB))
        prefix = "128" if ":" in forged else "32"
        scene.mallory.run("ip", "address", "add", f"{forged}/{prefix}", "dev", "wlan0", *nodad(forged))
        for _ in range(50):
            send_from(scene, forged, far)
        until(lambda: gateway.shared()["forged"] >= 50 * 1000)
        assert alice.reading().total == 0


def nodad(address: str) -> tuple[str, ...]:
    return ("nodad",) if ":" in address else ()


def send_from(scene: Scene, source: str, far: str) -> None:
    with scene.mallory.inside():
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
    with sock:
        sock.bind((source, 0))
        sock.sendto(bytes(1000), (far, 9))


def test_an_admitted_device_cannot_use_an_address_it_was_not_admitted_with(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1", ALICE)
        alice.raise_to(Octets(MIB))
        with scene.alice.inside(), pytest.raises(OSError, match=r"prohibited|denied|unreachable"):
            socket.create_connection((FAR6, 9), timeout=3)
        alice.add_key(key_of(ip_address(ALICE6)))
        with datagrams(scene.alice, scene.internet, FAR6) as (near, far):
            near.send(bytes(100))
            far.recv(200)
        assert alice.reading().up == 148


def test_two_demanders_are_metered_apart(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        mallory = scene.admit(gateway, "s2", MALLORY, link_address=scene.link_addresses["mallory"])
        alice.raise_to(Octets(MIB))
        mallory.raise_to(Octets(MIB))
        with datagrams(scene.alice, scene.internet, FAR) as (near, far):
            near.send(bytes(972))
            far.recv(2000)
        with datagrams(scene.mallory, scene.internet, FAR) as (near, far):
            near.send(bytes(472))
            far.recv(2000)
            far.send(bytes(72))
            near.recv(2000)
        assert (alice.reading().up, mallory.reading().up, mallory.reading().down) == (1000, 500, 100)


def test_a_flood_at_a_closed_gate_passes_nothing_and_takes_nothing_from_others(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        mallory = scene.admit(gateway, "s2", MALLORY, link_address=scene.link_addresses["mallory"])
        alice.raise_to(Octets(MIB))
        with scene.mallory.inside():
            flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with flood:
            while gateway.shared()["refused_up"] < 1_000_000:
                with suppress(OSError):  # the refusals themselves come back to the sender
                    flood.sendto(bytes(1400), (FAR, 9))
        with connected(scene.alice, scene.internet, FAR) as (near, far):
            for _ in range(5):
                far.sendall(bytes(100_000))
                receive(near, 100_000)
        assert mallory.reading().total == 0
        assert alice.reading().down > 500_000


def test_a_fenced_count_is_final_and_the_gate_opens_again_on_it(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(50 * MIB))
        with flows(scene.alice, scene.internet, FAR, up=1, down=1):
            until(lambda: alice.reading().total > 5 * MIB)
            alice.shut()
            wait_for_packets_in_flight()
            final = alice.fenced()
            until(lambda: gateway.shared()["refused_up"] > 0)
            assert alice.reading() == final
            alice.lower_to_exact()
            alice.raise_to(Octets(final.total + MIB))
            run_until_shut(gateway, alice)
            assert 0 <= final.total + MIB - alice.reading().total < PACKET


def test_a_gate_that_opens_again_has_a_rung_for_each_grant_and_tells_of_the_first_ones_end(scene: Scene) -> None:
    """In a single rung the base station would hear of it only when the gate is shut again."""
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(3 * MIB), ends=(Octets(MIB), Octets(2 * MIB), Octets(3 * MIB)))
        standing = sorted(gateway.standing()["s1"].quotas)
        assert standing == [f"rung_s1_1_{MIB}", f"rung_s1_2_{2 * MIB}"]
        with connected(scene.alice, scene.internet, FAR) as (near, far):
            while alice.reading().total <= MIB:
                far.sendall(bytes(100_000))
                receive(near, 100_000)
        assert next(names for names in dry(gateway) if names) == [f"rung_s1_1_{MIB}"]
        assert not alice.ran_dry([f"rung_s1_1_{MIB}"])
        assert f"rung_s1_3_{3 * MIB}" in gateway.standing()["s1"].quotas
        assert alice.spent == Metered.adopt(gateway, "s1", gateway.standing()["s1"]).spent == MIB
        with flows(scene.alice, scene.internet, FAR, up=1, down=1):
            run_until_shut(gateway, alice)
        assert 0 <= 3 * MIB - alice.reading().total < PACKET


def run_until_shut(gateway: Gateway, metered: Metered) -> None:
    for names in dry(gateway):
        if metered.ran_dry(names):
            wait_for_packets_in_flight()
            metered.fenced()
            if not metered.reopen():
                return


def test_a_gateway_is_adopted_with_sessions_addresses_counts_and_rungs(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(MIB))
        alice.raise_to(Octets(3 * MIB))
        with datagrams(scene.alice, scene.internet, FAR) as (near, far):
            near.send(bytes(972))
            far.recv(2000)
    with scene.gateway() as again:
        assert again.meter == gateway.meter
        standing = again.standing()["s1"]
        adopted = Metered.adopt(again, "s1", standing)
        assert set(adopted.keys) == {key_of(ip_address(ALICE)), key_of(ip_address(ALICE6))}
        assert adopted.link_address == scene.link_addresses["alice"]
        assert (adopted.ceiling, adopted.reading().up) == (3 * MIB, 1000)
        with flows(scene.alice, scene.internet, FAR, up=1, down=1):
            run_until_shut(again, adopted)
        assert 0 <= 3 * MIB - adopted.reading().total < PACKET


def test_an_access_side_with_another_name_passes_nothing_and_goes_on_under_its_own(scene: Scene) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(MIB))
        scene.station.run("ip", "link", "set", "br0", "name", "lan7")
        with datagrams(scene.alice, scene.internet, FAR) as (near, far):
            near.send(bytes(972))
            scene.station.run("ip", "link", "set", "lan7", "name", "br0")
            near.send(bytes(472))
            assert len(far.recv(2000)) == 472
        assert alice.reading().up == 500


def test_a_removed_session_leaves_nothing_behind(scene: Scene) -> None:
    def listed() -> object:
        return json.loads(scene.station.run("nft", "-j", "list", "ruleset"))["nftables"][1:]

    with scene.gateway() as gateway:
        before = listed()
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(MIB))
        alice.raise_to(Octets(2 * MIB))
        assert listed() != before
        alice.remove()
        assert listed() == before


@pytest.mark.parametrize("before", [0, 1], ids=["before its first packet", "after it"])
def test_a_demander_moves_with_its_counts(scene: Scene, before: int) -> None:
    with scene.gateway() as gateway:
        alice = scene.admit(gateway, "s1")
        alice.raise_to(Octets(MIB))
        with datagrams(scene.alice, scene.internet, FAR) as (near, far):
            for _ in range(before):
                near.send(bytes(972))
                far.recv(2000)
        alice.bind([key_of(ip_address(MALLORY))], scene.link_addresses["mallory"])
        wait_for_packets_in_flight()
        alice.fenced()
        assert alice.reopen()
        with datagrams(scene.mallory, scene.internet, FAR) as (near, far):
            near.send(bytes(972))
            far.recv(2000)
        assert alice.reading().up == (before + 1) * 1000


def test_a_table_that_somebody_flushed_is_a_fault_at_once(scene: Scene) -> None:
    with scene.gateway() as gateway:
        scene.admit(gateway, "s1")
        scene.station.run("nft", "flush", "ruleset")
        with pytest.raises(TableGone):
            next(dry(gateway))


def test_a_table_laid_for_other_interfaces_is_not_adopted(scene: Scene) -> None:
    with scene.gateway():
        pass
    with scene.station.inside(), pytest.raises(ForeignTable, match="qanat station release --access br0"):
        Gateway(access="br0", uplink="alice", portal_port=8910)
