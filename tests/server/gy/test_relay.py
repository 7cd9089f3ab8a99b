"""Debian's freeDiameter as the relay between gateway and server, and as judge of our grammar, in a network namespace."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.console.running import Shell, serving
from tests.namespaces import Namespace, can_make_namespaces
from tests.patience import PATIENCE_S
from tests.server.gy.gateway import IMSI, Gateway, mscc, plain, used, wants
from tests.server.live import Live

from qanat.clock import ManualClock
from qanat.wire.diameter.messages import ReAuthRequest
from qanat.wire.diameter.profiles import u32

_SERVER: Final = "10.55.0.1"
_RELAY: Final = "10.55.0.2"
_CONFIGURATION: Final = """\
Identity = "relay.between.test";
Realm = "between.test";
ListenOn = "10.55.0.2";
Port = 3868;
SecPort = 0;
No_SCTP;
No_IPv6;
TcTimer = 1;
TLS_Cred = "{folder}/cert.pem", "{folder}/key.pem";
TLS_CA = "{folder}/cert.pem";
LoadExtension = "dict_nasreq.fdx";
LoadExtension = "dict_dcca.fdx";
LoadExtension = "dict_dcca_3gpp.fdx";
LoadExtension = "dbg_msg_dumps.fdx" : "0x8888";
LoadExtension = "acl_wl.fdx" : "{folder}/acl.conf";
{peer}
"""
_PLAIN: Final = 'ConnectPeer = "ocs.qanat.test" { ConnectTo = "10.55.0.1"; Port = 3868; No_TLS; No_SCTP; };'
_TLS_1_3: Final = """\
ConnectPeer = "ocs.qanat.test" { ConnectTo = "10.55.0.1"; Port = 5658; TLS_Prio = "NORMAL:-VERS-ALL:+VERS-TLS1.3"; No_SCTP; };
"""
_SERVER_TLS: Final = """\
[gy]
tls_listen = "10.55.0.1:5658"
tls_certificate = "cert.pem"
tls_key = "key.pem"
tls_authorities = "cert.pem"
"""
_NOBODYS: Final = bytes.fromhex("0000ea60 0000000c 77686174")
_MISSING: Final = shutil.which("freeDiameterd") is None or not can_make_namespaces()


def certificate(folder: Path) -> None:
    """Make one certificate for both ends: freeDiameter wants one even where it speaks no TLS."""
    names = "subjectAltName=DNS:relay.between.test,DNS:ocs.qanat.test"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay.between.test"]
    made += ["-addext", names, "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)


@contextmanager
def relay(folder: Path, peer: str) -> Iterator[None]:
    """Run freeDiameter until the block ends; what it complains about is in its log."""
    (folder / "acl.conf").write_text("ALLOW_IPSEC *.open5gs.test\n")
    (folder / "relay.conf").write_text(_CONFIGURATION.format(folder=folder, peer=peer))
    with (folder / "relay.log").open("wb") as log:
        running = subprocess.Popen(["freeDiameterd", "-c", "relay.conf"], cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=PATIENCE_S)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    place = Namespace()
    for address in (_SERVER, _RELAY):
        place.run("ip", "address", "add", f"{address}/24", "dev", "lo")
    yield place
    place.close()


@contextmanager
def charging(folder: Path, *arguments: str) -> Iterator[tuple[Shell, Live]]:
    """Run the server, with the relay and the gateways behind it accepted, and Alice with a gigabyte."""
    shell = Shell(folder)
    with serving(shell, "--data", "data", *arguments) as server:
        shell.qanat("peer", "accept", "relay.between.test")
        shell.qanat("peer", "accept", "*.open5gs.test", "--profile", "open5gs")
        shell.qanat("subscriber", "create", "alice", "--imsi", IMSI)
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1GB")
        live = Live(url=server.url, token=(folder / "data/admin.token").read_text().strip(), clock=ManualClock())
        yield shell, live
        live.http.close()
        server.stop()


def complaints(folder: Path) -> list[str]:
    """Return what freeDiameter found wrong with the grammar of any message."""
    log = (folder / "relay.log").read_text(errors="replace")
    return [line for line in log.splitlines() if "Parsing error" in line or "Missing AVP" in line]


def avps_received(folder: Path, peer: str, *, known: bool) -> list[str]:
    """Return the AVPs of messages from a peer, as dumped, that its dictionary names, or those that it does not."""
    found, listening = [], False
    for line in (folder / "relay.log").read_text(errors="replace").splitlines():
        if re.search("NOTI   (RCV|SND|FORWARDING)", line):
            listening = f"RCV from '{peer}'" in line
        if listening and " AVP: " in line and known == (" AVP: '" in line):
            found.append(line.partition(" AVP: ")[2])
    return found


def first_answer(gateway: Gateway) -> Any:
    """Ask until the relay has found its way to the server: before, it says 3002 by itself."""
    while (answer := gateway.ask("I")).result_code == 3002:
        pass
    return answer


def connected(live: Live) -> Gateway:
    while True:
        try:
            gateway = Gateway(live, through=f"{_RELAY}:3868")
        except ConnectionRefusedError:
            continue
        assert gateway.introduce().product_name == "freeDiameter"
        return gateway


@pytest.mark.skipif(_MISSING, reason="needs namespaces (root) and freeDiameter: ./setup.sh test")
def test_a_session_through_freediameter_is_charged_once_and_told_of_a_top_up(
    tmp_path: Path, namespace: Namespace
) -> None:
    certificate(tmp_path)
    with (
        namespace.inside(),
        charging(tmp_path, "--gy", f"{_SERVER}:3868") as (shell, live),
        relay(tmp_path, _PLAIN),
        connected(live) as smf,
    ):
        (service,) = first_answer(smf).services
        assert service.granted.total == 10_000_000  # by the gateway's profile, not the relay's
        smf.ask("U", used=(100, 200))
        smf.send(smf.last[:4] + bytes((smf.last[4] | 0x10,)) + smf.last[5:])
        assert smf.receive().result_code == 2001  # type: ignore[attr-defined]
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1GB")
        assert isinstance(smf.receive(), ReAuthRequest)
        assert smf.ask("T", used=(1, 1)).result_code == 2001
        shown = live.get("/v1/subscribers/alice/balance").json()
        assert (shown["used"], shown["reserved"]) == (302, 0)
    assert complaints(tmp_path) == []


@pytest.mark.skipif(_MISSING, reason="needs namespaces (root) and freeDiameter: ./setup.sh test")
def test_freediameter_is_a_peer_over_tls_1_3_with_certificates_on_both_sides(
    tmp_path: Path, namespace: Namespace
) -> None:
    """It offers nothing but TLS 1.3, checks our certificate against our identity, and shows its own."""
    certificate(tmp_path)
    (tmp_path / "qanat.toml").write_text(_SERVER_TLS)
    with (
        namespace.inside(),
        charging(tmp_path, "--config", "qanat.toml") as (_, live),
        relay(tmp_path, _TLS_1_3),
        connected(live) as smf,
    ):
        first_answer(smf)
        assert smf.ask("T", used=(40, 2)).result_code == 2001
        assert live.get("/v1/subscribers/alice/balance").json()["used"] == 42
    assert complaints(tmp_path) == []


@pytest.mark.skipif(_MISSING, reason="needs namespaces (root) and freeDiameter: ./setup.sh test")
def test_freediameter_knows_every_avp_of_every_kind_of_answer(tmp_path: Path, namespace: Namespace) -> None:
    """Its dictionary names and dumps every AVP that it relays; a request with an AVP of nobody's shows how it says otherwise."""
    certificate(tmp_path)
    with (
        namespace.inside(),
        charging(tmp_path, "--gy", f"{_SERVER}:3868") as (shell, live),
        relay(tmp_path, _PLAIN),
        connected(live) as smf,
    ):
        assert first_answer(smf).services[0].result_code == 2001
        assert smf.ask("I", imsi="001019999999999", session_id="nobody").result_code == 5030
        assert smf.ask("U", session_id="no;session").result_code == 5002
        shell.qanat("subscriber", "create", "bob", "--imsi", "001010000000002")
        assert smf.ask("I", imsi="001010000000002", session_id="nothing").services[0].result_code == 4012
        services = [mscc(wants(), group=1), mscc(wants(), used(5), group=2), mscc(used(7), group=3)]
        smf.profile = plain(*services, session="three")
        assert [service.rating_group for service in smf.ask("I").services] == [1, 2, 3]
        for requested, code in ((0, 2001), (1, 2001), (2, 2001), (3, 5031)):
            smf.profile = plain(u32("Requested-Action", requested), wants(5), session=f"event;{requested}")
            assert smf.ask("E").result_code == code
        smf.profile = plain(mscc(wants()), named=False, session="anonymous")
        assert smf.ask("I").result_code == 5005
        smf.profile = plain(mscc(wants()), _NOBODYS, session="odd")
        assert smf.ask("I").result_code == 2001
    assert complaints(tmp_path) == []
    assert len(avps_received(tmp_path, "smf.open5gs.test", known=False)) == 1
    assert avps_received(tmp_path, "ocs.qanat.test", known=False) == []
    assert len(avps_received(tmp_path, "ocs.qanat.test", known=True)) > 100
