"""Debian's freeDiameter as the relay between gateway and server, in a network namespace of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.console.running import Shell, serving
from tests.namespaces import Namespace, can_make_namespaces
from tests.server.gy.gateway import IMSI, Gateway
from tests.server.live import Live

from qanat.clock import ManualClock
from qanat.wire.diameter.messages import ReAuthRequest

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
LoadExtension = "acl_wl.fdx" : "{folder}/acl.conf";
ConnectPeer = "ocs.qanat.test" {{ ConnectTo = "10.55.0.1"; Port = 3868; No_TLS; No_SCTP; }};
"""
_MISSING: Final = shutil.which("freeDiameterd") is None or not can_make_namespaces()


@contextmanager
def relay(folder: Path) -> Iterator[None]:
    """Run freeDiameter; it wants a certificate even where it speaks no TLS."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay.between.test"]
    subprocess.run([*made, "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True, capture_output=True)
    (folder / "acl.conf").write_text("ALLOW_IPSEC *.open5gs.test\n")
    (folder / "relay.conf").write_text(_CONFIGURATION.format(folder=folder))
    with (folder / "relay.log").open("wb") as log:
        running = subprocess.Popen(["freeDiameterd", "-c", "relay.conf"], cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=20)


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
def test_a_session_through_freediameter_is_charged_once_and_told_of_a_top_up(tmp_path: Path) -> None:
    namespace = Namespace()
    for address in (_SERVER, _RELAY):
        namespace.run("ip", "address", "add", f"{address}/24", "dev", "lo")
    with namespace.inside(), serving(Shell(tmp_path), "--data", "data", "--gy", f"{_SERVER}:3868") as server:
        shell = Shell(tmp_path)
        shell.environment["QANAT_URL"] = server.url
        shell.qanat("peer", "accept", "relay.between.test")
        shell.qanat("peer", "accept", "*.open5gs.test", "--profile", "open5gs")
        shell.qanat("subscriber", "create", "alice", "--imsi", IMSI)
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1GB")
        with relay(tmp_path):
            live = Live(url=server.url, token=(tmp_path / "data/admin.token").read_text().strip(), clock=ManualClock())
            with connected(live) as smf:
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
            live.http.close()
        server.stop()
    namespace.close()
    log = (tmp_path / "relay.log").read_text(errors="replace")
    assert [line for line in log.splitlines() if "Parsing error" in line or "Missing AVP" in line] == []
