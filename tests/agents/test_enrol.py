"""Enrolment at the real server: what is refused, and that nothing is left behind by it."""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.agents.scripted import Said, scripted
from tests.patience import PATIENCE_S
from tests.server.live import Live, live_server

from qanat.agents.base_station.enrol import enrol as enrol_station
from qanat.agents.kernel.link import NoSuchInterface
from qanat.agents.reporter import NoAnswer, Rejected
from qanat.agents.state_folder import NotEnrolled
from qanat.agents.terminal.enrol import enrol
from qanat.agents.terminal.identity import Identity, load
from qanat.clock import ManualClock
from qanat.errors import BadInput
from qanat.units import DAY, HOUR
from qanat.wire.agent import CloudSim, Enrolled


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path) as serving:
        yield serving


def register(live: Live, state: Path, code: str, *, clock: ManualClock | None = None) -> Identity:
    return enrol(state, server=live.url, code=code, interface="lo", channels=[], serial=None, clock=clock or live.clock)


def refused(live: Live, state: Path, code: str) -> Rejected:
    with pytest.raises(Rejected) as raised:
        register(live, state, code)
    with pytest.raises(NotEnrolled):
        load(state)
    return raised.value


def new_code(live: Live) -> str:
    code: str = live.done("/v1/codes", {})["code"]
    return code


def test_an_enrolled_terminal_is_known_again_by_its_key(live: Live, tmp_path: Path) -> None:
    live.done("/v1/sims", {"count": 2})
    code = new_code(live)
    first = register(live, tmp_path / "one", code)
    assert register(live, tmp_path / "one", code) == first == load(tmp_path / "one")
    assert live.get("/v1/sims").json()["pools"][0]["free"] == 1


def test_an_unknown_code_is_refused_with_its_cure(live: Live, tmp_path: Path) -> None:
    fault = refused(live, tmp_path / "one", "AAAA-BBBB-CCCC")
    assert fault.problem.reason == "unknown_code"
    assert "issue a new code" in str(fault)


def test_a_code_that_ran_out_is_refused_with_its_cure(live: Live, tmp_path: Path) -> None:
    live.done("/v1/sims", {"count": 1})
    code = new_code(live)
    live.clock.advance(400 * DAY)
    fault = refused(live, tmp_path / "one", code)
    assert fault.problem.reason == "code_expired"
    assert "ran out at" in str(fault)


def test_a_code_that_another_device_used_is_refused_with_its_cure(live: Live, tmp_path: Path) -> None:
    live.done("/v1/sims", {"count": 2})
    code = new_code(live)
    register(live, tmp_path / "one", code)
    fault = refused(live, tmp_path / "two", code)
    assert fault.problem.reason == "code_used"
    assert "each is good once" in str(fault)


def test_an_empty_pool_is_refused_with_its_cure_and_the_code_stays_good(live: Live, tmp_path: Path) -> None:
    code = new_code(live)
    fault = refused(live, tmp_path / "one", code)
    assert fault.problem.reason == "pool_empty"
    assert "qanat sim make" in str(fault)
    live.done("/v1/sims", {"count": 1})
    assert register(live, tmp_path / "one", code).terminal


def test_a_code_too_short_to_be_one_is_refused_with_the_field_that_is_wrong(live: Live, tmp_path: Path) -> None:
    fault = refused(live, tmp_path / "one", "A")
    assert fault.problem.status in (400, 422)
    assert "code" in fault.problem.field


def test_a_device_whose_clock_is_off_is_refused_only_if_the_server_tells_no_better_time(
    live: Live, tmp_path: Path
) -> None:
    """This server lives in another year than its own Date header says, so the correction does not help here."""
    live.done("/v1/sims", {"count": 1})
    ahead = ManualClock(live.clock.now() + HOUR)
    with pytest.raises(Rejected) as raised:
        register(live, tmp_path / "one", new_code(live), clock=ahead)
    assert raised.value.problem.reason == "clock_skew"
    assert live.get("/v1/sims").json()["pools"][0]["free"] == 1


@pytest.mark.parametrize("host", ["a" * 64, "a..example"])
def test_a_name_that_can_be_none_is_told_as_such(tmp_path: Path, host: str) -> None:
    with pytest.raises(NoAnswer, match="check the name"):
        enrol(
            tmp_path,
            server=f"http://{host}",
            code="CODE",
            interface="lo",
            channels=[],
            serial=None,
            clock=ManualClock(),
        )


@pytest.mark.parametrize("url", ["ftp://example", "http://", "example:8080", "http://h:99999", "http://h/path"])
def test_what_is_no_server_is_said_before_anything_is_sent(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput) as raised:
        enrol(tmp_path, server=url, code="CODE-1", interface="lo", channels=[], serial=None, clock=ManualClock())
    assert raised.value.field == "server"


def test_an_interface_that_is_not_there_is_told_before_the_code_is_spent(live: Live, tmp_path: Path) -> None:
    live.done("/v1/sims", {"count": 1})
    code = new_code(live)
    for interface, channels in (("nope0", []), ("lo", ["nope0"])):
        with pytest.raises(NoSuchInterface, match=r"no interface 'nope0': `ip link` lists"):
            enrol(
                tmp_path,
                server=live.url,
                code=code,
                interface=interface,
                channels=channels,
                serial=None,
                clock=live.clock,
            )
    assert register(live, tmp_path, code).terminal


def test_a_base_station_without_its_interfaces_is_told_so_before_the_code_is_spent(tmp_path: Path) -> None:
    known: dict[str, Any] = {"place": "", "serial": None, "clock": ManualClock()}
    for access, uplink in (("nope0", "lo"), ("lo", "nope0")):
        with pytest.raises(NoSuchInterface, match="nope0"):
            enrol_station(tmp_path, server="http://127.0.0.1:9", code="C", access=access, uplink=uplink, **known)


def test_a_device_that_is_enrolled_is_told_how_to_go_on_and_how_to_begin_anew(live: Live, tmp_path: Path) -> None:
    live.done("/v1/sims", {"count": 2})
    known = register(live, tmp_path, new_code(live))
    with pytest.raises(Rejected) as raised:
        register(live, tmp_path, new_code(live))
    assert raised.value.problem.reason == "key_enrolled"
    assert raised.value.problem.detail == f"The key of this device is enrolled already, as {known.terminal}."
    assert "`qanat terminal run`" in raised.value.problem.cure


def test_nobody_listening_is_told_as_such(tmp_path: Path) -> None:
    with scripted() as server:
        url = server.url
    with pytest.raises(NoAnswer, match="Connection refused"):
        enrol(tmp_path, server=url, code="CODE-1", interface="lo", channels=[], serial=None, clock=ManualClock())


# As a command

ENROL = (sys.executable, "-m", "qanat.console.main", "terminal", "enrol")


def command(state: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ENROL, *words, "--interface", "lo", "--json", "--state", str(state)],
        env={**os.environ, "PYTHONPATH": "src", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_refused_enrolment_ends_the_command_with_the_reason_and_the_cure(tmp_path: Path) -> None:
    problem = {"status": 404, "reason": "unknown_code", "detail": "There is no such code.", "cure": "Issue a new one."}
    answer = Said(404, msgspec.json.encode(problem), {"content-type": "application/problem+json"})
    with scripted(answer) as server:
        done = command(tmp_path, "--server", server.url, "--code", "AAAA-BBBB")
    assert done.returncode == 1
    assert done.stderr == "qanat terminal: There is no such code. Issue a new one.\n"
    assert not (tmp_path / "identity.json").exists()


ENROLLED = Enrolled(
    terminal="trm-1",
    sim=CloudSim(iccid="8949", imsi="00101", account="home"),
    subscriber=None,
    binding_code="BIND",
    report_interval_s=10,
    server_time=ManualClock().now(),
)


@pytest.mark.parametrize(("is_trusted", "status"), [(True, 0), (False, 1)])
def test_a_server_behind_tls_is_believed_only_with_a_certificate_that_is_trusted(
    tmp_path: Path, is_trusted: bool, status: int
) -> None:
    authority, tls = certified(tmp_path)
    with scripted(Said(201, msgspec.json.encode(ENROLLED)), tls=tls) as server:
        known = {"SSL_CERT_FILE": str(authority)} if is_trusted else {}
        done = command(tmp_path / "state", "--server", server.url, "--code", "AAAA-BBBB", **known)
    assert done.returncode == status, done.stderr
    assert ("certificate verify failed" in done.stderr) is not is_trusted
    assert len(server.asked) == is_trusted


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make an authority, and a certificate by it for 127.0.0.1 that is good today."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = []
    for number, (name, key) in enumerate(zip(("test authority", "server"), keys, strict=True)):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), number + 1)
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        builder = builder.add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        made.append(
            (builder.add_extension(address, critical=False) if number else builder).sign(keys[0], hashes.SHA256())
        )
    authority, own = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(made[0].public_bytes(Encoding.PEM))
    secret = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own.write_bytes(secret + made[1].public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return authority, context
