"""Messages under attack, against the live listener: whatever one peer does, every request is answered and others are served."""

from __future__ import annotations

import resource
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.server.gy.gateway import Gateway, accepted, balance, funded
from tests.server.live import Live, live_server, settings_for

from qanat.wire.diameter.messages import DeviceWatchdogRequest
from qanat.wire.diameter.results import ResultCode


def headers(octets: bytes, start: int = 20, end: int | None = None) -> Iterator[int]:
    """Where every AVP of a message begins, groups' members too."""
    end = len(octets) if end is None else end
    while start + 8 <= end:
        flags, length = octets[start + 4], int.from_bytes(octets[start + 5 : start + 8], "big")
        if length < 8 or start + length > end:
            return
        yield start
        data = start + (12 if flags & 0x80 else 8)
        if int.from_bytes(octets[start : start + 4], "big") in (443, 456, 437, 446, 873, 874):
            yield from headers(octets, data, start + length)
        start += length + 3 & ~3


def test_every_length_and_every_flag_of_every_avp_mutated_is_answered(live: Live, smf: Gateway) -> None:
    first = smf.request("I")
    asked = 0
    for at in headers(first):
        length = int.from_bytes(first[at + 5 : at + 8], "big")
        mutants = [length_at(first, at, value) for value in (0, 1, 7, length - 1, length + 1, length + 4, 0xFFFFFF)]
        mutants += [
            first[: at + 4] + bytes((first[at + 4] ^ bit,)) + first[at + 5 :] for bit in (0x80, 0x40, 0x20, 0x01)
        ]
        for mutant in mutants:
            smf.send(mutant)
            assert result_of(smf.receive_octets()) in {*ResultCode}
            asked += 1
    assert asked > 300
    assert smf.ask("U", used=(1, 1)).result_code in (2001, 5002)


def flood(gateway: Gateway, octets: bytes) -> None:
    for _ in range(4_000):
        gateway.socket.sendall(octets)


def result_of(octets: bytes) -> int:
    """Return the Result-Code of an answer, whatever else is in it."""
    at = octets.index((268).to_bytes(4, "big") + (0x4000000C).to_bytes(4, "big"))
    return int.from_bytes(octets[at + 8 : at + 12], "big")


def what_comes(live: Live, gateway: Gateway) -> bytes | None:
    """Let time pass until the server sends something, or closes (None)."""
    gateway.socket.settimeout(0.05)
    while True:
        live.clock.advance(1_000)
        with suppress(TimeoutError):
            try:
                return gateway.receive_octets()
            except ConnectionError:
                return None


def length_at(octets: bytes, at: int, length: int) -> bytes:
    return octets[: at + 5] + length.to_bytes(3, "big") + octets[at + 8 :]


@pytest.mark.parametrize("claim", [16_777_212, 262_148, 16, 0, 23])
def test_a_length_that_cannot_be_is_answered_and_the_connection_closed(live: Live, smf: Gateway, claim: int) -> None:
    request = smf.request("I")
    smf.send(request[:1] + claim.to_bytes(3, "big") + request[4:])
    assert result_of(smf.receive_octets()) == 5015
    with pytest.raises(ConnectionError):
        smf.receive()


def test_what_is_no_diameter_at_all_is_closed(live: Live, smf: Gateway) -> None:
    with socket.create_connection(smf.socket.getpeername()) as stranger:
        stranger.settimeout(10)
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: ocs.qanat.test\r\n\r\n")
        assert stranger.recv(1_000) == b""
    assert smf.ask("I").result_code == 2001


def test_a_connection_that_does_not_introduce_itself_in_time_is_closed(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"capabilities_s": 0.1})) as live, Gateway(live) as silent:
        assert what_comes(live, silent) is None


def test_a_request_in_single_octets_is_answered_and_others_are_served_meanwhile(live: Live, smf: Gateway) -> None:
    funded(live, name="bob", imsi="001010000000002", msisdn="37060000002")
    with Gateway(live, "slow.open5gs.test") as slow:
        slow.introduce()
        request = slow.request("I", imsi="001010000000002")
        for place in range(len(request)):
            slow.socket.sendall(request[place : place + 1])
            if place == len(request) // 2:
                assert smf.ask("I").result_code == 2001
        assert slow.receive().result_code == 2001  # type: ignore[attr-defined]


def test_a_peer_that_trickles_is_probed_by_the_watchdog_and_closed(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"watchdog_s": 6})) as live, Gateway(live) as slow:
        accepted(live)
        slow.introduce()
        slow.socket.sendall(slow.request("I")[:100])
        probe = what_comes(live, slow)
        assert probe is not None
        assert int.from_bytes(probe[5:8], "big") == DeviceWatchdogRequest.command
        slow.socket.sendall(b"\0")
        assert what_comes(live, slow) is None


def test_a_peer_that_never_reads_is_not_read_from_and_then_closed_while_others_are_served(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"unread_s": 0.3})) as live:
        funded(live)
        accepted(live)
        with Gateway(live) as smf, Gateway(live, "deaf.open5gs.test") as deaf:
            smf.introduce()
            deaf.introduce()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            request = deaf.request("I", imsi="001019999999999")
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with pytest.raises((ConnectionError, TimeoutError)):
                flood(deaf, request * 64)
            assert smf.ask("I").result_code == 2001
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_the_same_request_from_many_connections_at_once_is_charged_once(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    request = smf.request("U", used=(1_000, 234))
    gateways = [Gateway(live) for _ in range(20)]
    for gateway in gateways:
        gateway.introduce()
    for gateway in gateways:
        gateway.send(request * 50)
    answers = {gateway.receive_octets() for gateway in gateways for _ in range(50)}
    assert len(answers) == 1
    assert balance(live) == (10**9 - 1_234 - 10_000_000, 10_000_000, 1_234)
    for gateway in gateways:
        gateway.socket.close()


def test_more_connections_than_allowed_are_closed_at_once(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"connections": 1})) as live, Gateway(live) as smf:
        accepted(live)
        assert smf.introduce().result_code == 2001
        with Gateway(live) as second, pytest.raises(ConnectionError):
            second.introduce()


def test_more_requests_than_can_be_under_way_are_told_to_go_elsewhere(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"at_once": 1})) as live, Gateway(live) as smf:
        funded(live)
        accepted(live)
        smf.introduce()
        smf.send(b"".join(smf.request("I", session_id=f"smf;{place}") for place in range(50)))
        codes = [smf.receive().result_code for _ in range(50)]  # type: ignore[attr-defined]
        assert set(codes) == {2001, 3004}


def test_peers_that_leave_before_their_answer_harm_nobody(live: Live, smf: Gateway) -> None:
    for place in range(20):
        with Gateway(live) as hasty:
            hasty.introduce()
            hasty.send(hasty.request("I", session_id=f"hasty;{place}"))
    assert smf.ask("I").result_code == 2001


def test_a_database_that_takes_nothing_is_answered_too_busy_and_the_repeat_is_charged_once(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, gy={"answer_within_s": 0.1}, store={"database": f"sqlite:///{tmp_path}/qanat.db"})
    with live_server(tmp_path, settings) as live, Gateway(live) as smf:
        funded(live)
        accepted(live)
        smf.introduce()
        smf.ask("I")
        other = sqlite3.connect(tmp_path / "qanat.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert smf.ask("U", used=(100, 0)).result_code == 3004
        asked = smf.last
        assert smf.ask("U", used=(100, 0)).result_code == 3004
        other.execute("ROLLBACK")
        other.close()
        while (answer := again(smf, asked)).result_code == 3004:
            pass
        assert answer.result_code == 2001
        assert balance(live)[2] == 100


def again(gateway: Gateway, octets: bytes) -> Any:
    """Send a request once more, with the T flag."""
    gateway.send(octets[:4] + bytes((octets[4] | 0x10,)) + octets[5:])
    return gateway.receive()
