"""tshark as judge of a live capture: every kind of message, every profile, answers of every class, off the wire."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.namespaces import Namespace, can_make_namespaces
from tests.patience import PATIENCE_S
from tests.server.gy.gateway import Gateway, accepted, funded, mscc, plain, used, wants
from tests.server.live import Live, live_server, settings_for
from tests.tshark import complaints, tshark

from qanat.lab.waiting import until
from qanat.wire.diameter import profiles
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.messages import (
    AbortSessionAnswer,
    AbortSessionRequest,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    ReAuthAnswer,
    ReAuthRequest,
    SessionTerminationRequest,
)
from qanat.wire.diameter.profiles import u32

MISSING = shutil.which("dumpcap") is None or not can_make_namespaces()
EMPTY = "001010000000002"
_THE_END = b"nothing passes behind this"


@contextmanager
def captured(path: Path) -> Iterator[None]:
    """Capture what passes on loopback until the block ends."""
    dumping = subprocess.Popen(["dumpcap", "-q", "-i", "lo", "-w", path], stderr=subprocess.PIPE, text=True)
    assert dumping.stderr is not None
    while not dumping.stderr.readline().startswith("File:"):
        assert dumping.poll() is None, "dumpcap ended before it began"
    try:
        yield
        _mark_the_end()
        until(lambda: _THE_END in path.read_bytes(), "the capture has the last packet", within_s=PATIENCE_S)
    finally:
        dumping.terminate()
        dumping.communicate(timeout=PATIENCE_S)


def _mark_the_end() -> None:
    """What the kernel still holds when a capture is stopped is lost: so something passes that can be waited for."""
    with socket.socket(type=socket.SOCK_DGRAM) as itself:
        itself.bind(("127.0.0.1", 0))
        itself.sendto(_THE_END, itself.getsockname())


def told(gateway: Gateway, live: Live) -> Any:
    """Answer the next request of the server's own, as real gateways do."""
    request: Any = gateway.receive()
    made = ReAuthAnswer if isinstance(request, ReAuthRequest) else AbortSessionAnswer
    who = (gateway.who.origin_host, gateway.who.origin_realm)
    gateway.send(encode(made(0x40, request.hop_by_hop, request.end_to_end, request.session_id, 2001, *who)))
    return request


def sessions_of_every_profile(live: Live) -> None:
    for host, profile, made in (
        ("smf.open5gs.test", "open5gs", profiles.open5gs),
        ("gw.magma.test", "magma", profiles.magma),
        ("pgw.epc.test", "strict", plain(mscc(wants(), used(7), group=1), mscc(wants(5), used(8), group=2))),
    ):
        accepted(live, host, profile)
        with Gateway(live, host, profile=made) as gateway:
            gateway.introduce()
            gateway.ask("I")
            gateway.ask("U", used=(10, 20))
            live.done("/v1/subscribers/alice/top-ups", {"octets": 1_000})
            assert isinstance(told(gateway, live), ReAuthRequest)
            live.done("/v1/subscribers/alice/status", {"status": "suspended"})
            assert isinstance(told(gateway, live), AbortSessionRequest) == (profile == "strict")
            gateway.ask("U", used=(1, 1))
            live.done("/v1/subscribers/alice/status", {"status": "active"})
            gateway.ask("T", used=(3, 4))
            gateway.send(encode(DisconnectPeerRequest(0x80, 9, 9, host, gateway.who.origin_realm, 0)))
            gateway.receive()


def refusals_and_events(live: Live) -> None:
    accepted(live, "odd.epc.test", "strict")
    with Gateway(live, "stranger.test") as stranger:
        stranger.introduce()
    with Gateway(live, "odd.epc.test") as odd:
        odd.introduce()
        odd.ask("I", imsi="001019999999999", session_id="nobody")
        odd.ask("I", imsi=EMPTY, session_id="nothing;left")
        odd.ask("U", session_id="no;session")
        odd.ask("U", session_id="elsewhere", destination_host="hss.qanat.test")
        for action in range(4):
            odd.profile = plain(u32("Requested-Action", action), wants(5), session=f"event;{action}")
            odd.ask("E")
        odd.profile = plain(mscc(wants()), named=False, session="anonymous")
        odd.ask("I")
        odd.profile = plain(u32("CC-Request-Number", 5), session="twice")
        odd.ask("I")
        who = (odd.who.origin_host, odd.who.origin_realm)
        odd.send(encode(SessionTerminationRequest(0xC0, 5, 5, odd.session, *who, "qanat.test", 4, 1)))
        odd.receive()
        odd.send(encode(DeviceWatchdogRequest(0x80, 9, 9, *who)))
        odd.receive()
        live.clock.advance(10_000)
        assert int.from_bytes(odd.receive_octets()[5:8], "big") == DeviceWatchdogRequest.command


@pytest.mark.skipif(MISSING, reason="needs namespaces (root) and tshark: ./setup.sh test")
def test_tshark_finds_nothing_malformed_or_unknown_in_a_live_capture_of_every_kind_of_message(tmp_path: Path) -> None:
    pcap, namespace = tmp_path / "live.pcap", Namespace()
    settings = settings_for(tmp_path, gy={"listen": "127.0.0.1:3868", "watchdog_s": 6})
    with namespace.inside(), captured(pcap), live_server(tmp_path, settings) as live:
        funded(live)
        funded(live, octets=0, name="bob", imsi=EMPTY, msisdn="37060000002")
        sessions_of_every_profile(live)
        refusals_and_events(live)
    namespace.close()
    assert complaints(pcap) == []
    fields = ("-T", "fields", "-e", "diameter.cmd.code", "-e", "diameter.flags.request")
    seen = set[tuple[str, str]]()
    for packet in tshark(pcap, "-Y", "diameter", *fields):  # which may carry several messages
        commands, flags = packet.split("\t")
        seen |= set(zip(commands.split(","), flags.split(","), strict=True))
    both = {(str(command), flag) for command in (257, 258, 272, 274, 275, 280, 282) for flag in ("True", "False")}
    assert {(command, {"1": "True", "0": "False"}.get(flag, flag)) for command, flag in seen} == both
    said = tshark(pcap, "-Y", "diameter.flags.request == 0", "-T", "fields", "-e", "diameter.Result-Code")
    codes = {code for line in said for code in line.split(",")}
    assert codes == {"2001", "3002", "3010", "4010", "4012", "5002", "5005", "5009", "5030", "5031"}
