"""What one peer can do to others, and to the memory of the server, seen from inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.server.gy.gateway import mscc, used, wants
from tests.server.gy.inside import ALICE, BOB, Peer, ccr, inside

from qanat.clock import ManualClock
from qanat.registry.peers import accept_peer, peer_owner
from qanat.registry.unmatched import UnmatchedReport
from qanat.units import Instant
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.courtesies import courtesy
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.header import MAX_MESSAGE_OCTETS
from qanat.wire.diameter.messages import DeviceWatchdogAnswer
from qanat.wire.diameter.profiles import avp, text, u32
from qanat.wire.diameter.walk import walk


def read(octets: bytes) -> Any:
    return Decoder().decode(octets)


def code_of(answer: bytes) -> int:
    at = answer.index((268).to_bytes(4, "big") + (0x4000000C).to_bytes(4, "big"))
    return int.from_bytes(answer[at + 8 : at + 12], "big")


def proxied(octets: int) -> bytes:
    return ccr(1, 0, mscc(wants()), avp("Proxy-Info", text("Proxy-Host", "r.test"), avp("Proxy-State", bytes(octets))))


def unknown(octets: int) -> bytes:
    return ccr(1, 0, (60_000).to_bytes(4, "big") + (0x40 << 24 | 8 + octets).to_bytes(4, "big") + bytes(octets))


def long_named(octets: int) -> bytes:
    return ccr(1, 0, mscc(wants()), session="s" * octets)


@pytest.mark.parametrize(("build", "code"), [(proxied, 2001), (unknown, 5001), (long_named, 2001)])
def test_the_longest_request_is_answered_and_so_are_those_decided_with_it(
    build: Callable[[int], bytes], code: int
) -> None:
    """What an answer repeats of it and what it adds are longer than the request; one was dropped, with its whole batch."""
    longest = build(MAX_MESSAGE_OCTETS - len(build(0)))
    assert len(longest) == MAX_MESSAGE_OCTETS

    async def scene() -> list[bytes]:
        async with inside({"*.test": "strict"}, subscribers={"alice": ALICE, "bob": BOB}) as served:
            return await Peer(served.front, "gw.test").ask(longest, ccr(1, 0, mscc(wants()), session="t", imsi=BOB))

    assert sorted(map(code_of, asyncio.run(scene()))) == sorted([code, 2001])


def test_a_relay_carries_each_gateways_requests_by_that_gateways_own_profile() -> None:
    """The first waits until its session is found; the second, from another gateway, came on the same connection since."""
    profiles = {"relay.test": "strict", "a.test": "open5gs", "b.test": "strict"}

    async def scene() -> dict[str, int]:
        async with inside(profiles, subscribers={"alice": ALICE, "bob": BOB}) as served:
            relay = Peer(served.front, "relay.test")
            await relay.ask(ccr(1, 0, mscc(wants(1_000)), host="a.test", session="a"))
            answers = await relay.ask(
                ccr(2, 1, mscc(wants(1_000), used(5)), host="a.test", session="a", imsi=""),
                ccr(1, 0, mscc(wants(1_000)), host="b.test", session="b", imsi=BOB),
            )
            return {read(one).session_id: read(one).services[0].granted.total for one in answers}

    assert asyncio.run(scene()) == {"a": 10_000_000, "b": 1_000}


def test_another_profile_counts_from_the_next_request_of_a_gateway_that_is_connected() -> None:
    async def scene() -> list[int]:
        async with inside({"gw.test": "strict"}, subscribers={"alice": ALICE}) as served:
            gateway = Peer(served.front, "gw.test")
            before = await gateway.ask(ccr(1, 0, mscc(wants(1_000))))
            await served.store.decide(lambda work: accept_peer(work, origin_host="gw.test", profile="open5gs"))
            await served.roster.look(peer_owner("gw.test"), "gw.test")
            after = await gateway.ask(ccr(2, 1, mscc(wants(1_000), used(5))))
            return [read(one).services[0].granted.total for one in (*before, *after)]

    assert asyncio.run(scene()) == [1_000, 10_000_000]


def test_a_gateway_that_uses_anothers_session_name_has_its_reports_kept_however_often() -> None:
    async def scene() -> list[int]:
        async with inside({"*.test": "strict"}, subscribers={"alice": ALICE}) as served:
            gateway, other = Peer(served.front, "gw.test"), Peer(served.front, "other.test")
            await gateway.ask(ccr(1, 0, mscc(wants())))
            for number in (1, 2):
                await gateway.ask(ccr(2, number, mscc(used(1)), imsi=""))
                await other.ask(ccr(2, number, mscc(used(70 + number)), host="other.test", imsi=""))
            return sorted(report.octets for report in await served.store.find(UnmatchedReport))

    assert asyncio.run(scene()) == [71, 72]


def test_each_service_of_an_event_is_told_of_its_own_units() -> None:
    async def scene() -> Any:
        async with inside({"*.test": "strict"}, subscribers={"alice": ALICE}) as served:
            asked = ccr(4, 0, u32("Requested-Action", 0), mscc(group=1), mscc(wants(500), group=2))
            return read(*await Peer(served.front, "gw.test").ask(asked)).services

    assert [(one.rating_group, one.granted and one.granted.total) for one in asyncio.run(scene())] == [
        (1, None),
        (2, 500),
    ]


def test_what_was_learnt_of_a_peers_messages_on_one_connection_serves_its_others_and_nobody_else() -> None:
    def requests(host: str, session: str) -> list[bytes]:
        return [ccr(2, number, mscc(wants(), used(number)), host=host, session=session) for number in range(9)]

    async def scene() -> list[int]:
        async with inside({"*.test": "strict"}, subscribers={"alice": ALICE}) as served:
            first, second, other = (Peer(served.front, host) for host in ("gw.test", "gw.test", "other.test"))
            await first.ask(*requests("gw.test", "a"), *requests("gw.test", "b"))
            decoder = served.front.decoder_of("gw.test")
            walked = [decoder.walked]
            await second.ask(*requests("gw.test", "c"))
            await other.ask(*requests("other.test", "d"))
            walked += [decoder.walked, served.front.decoder_of("other.test").walked]
            first.connection.connection_lost(None)
            assert served.front.decoder_of("gw.test") is decoder, "the second is there still"
            second.connection.connection_lost(None)
            return [*walked, served.front.decoder_of("gw.test").walked]

    of_first, with_second, of_other, of_nobody = asyncio.run(scene())
    assert 0 < of_first == with_second
    assert of_other > 0 == of_nobody


def test_who_introduces_itself_again_is_one_connection_still() -> None:
    async def scene() -> list[int]:
        async with inside({"*.test": "strict"}, subscribers={}) as served:
            peer = Peer(served.front, "gw.test")
            peer.introduce()
            met = served.roster.standing_of("gw.test").connections
            peer.connection.connection_lost(None)
            return [met, served.roster.standing_of("gw.test").connections]

    assert asyncio.run(scene()) == [1, 0]


class Asked(ManualClock):
    """Counts how often it is looked at."""

    looks = 0

    def now(self) -> Instant:
        self.looks += 1
        return super().now()


def test_a_peer_that_is_silent_for_long_costs_no_more_than_one_that_just_came() -> None:
    """Every watchdog left an alarm behind that rang for as long as the connection stood."""
    clock = Asked()

    async def scene() -> list[int]:
        async with inside({"*.test": "strict"}, subscribers={}, clock=clock) as served:
            peer = Peer(served.front, "gw.test")
            looks = []
            for _ in range(50):
                clock.looks = 0
                clock.advance(40_000)
                served.front.look_around()
                looks.append(clock.looks)
                await asyncio.sleep(0)
                for probe in peer.cable.messages():
                    alive = courtesy(peer.identity, DeviceWatchdogAnswer, walk(probe))
                    peer.connection.data_received(encode(alive))
            return looks

    looks = asyncio.run(scene())
    assert max(looks[25:]) <= max(looks[:25])
