"""What counts as an answer, what is done about the other ones, and over which way it goes."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, suppress
from email.utils import formatdate

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.signing import VerifyKey
from tests.agents.conftest import World
from tests.agents.scripted import CONFIRMED, PORTAL, Said, Scripted, refused, scripted
from tests.patience import PATIENCE_S

from qanat.agents.channel import FAILURES, connect, converse, read_server
from qanat.agents.corrected_clock import TOLERANCE_MS, CorrectedClock
from qanat.agents.outbox import RETRY_AFTER_MAX_S
from qanat.agents.reporter import ANY_ROUTE, NoAnswer, Rejected, Reporter
from qanat.clock import ManualClock
from qanat.server.http.signed import is_genuine
from qanat.units import HOUR, Instant
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageConfirmation, UsageReport
from qanat.wire.signature import read_signature

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
REPORT = UsageReport(journal="jnl-1", floor=0, rows=[])
PATH = "/v1/agent/usage"
SKEWED = {"reason": "clock_skew", "detail": "Your clock is off.", "cure": "Set it."}


def reporter_to(server: Scripted, *channels: str, clock: CorrectedClock | None = None) -> Reporter:
    return Reporter(
        read_server(server.url),
        key=KEY,
        key_id="trm-1",
        channels=list(channels or (ANY_ROUTE,)),
        clock=clock or CorrectedClock(ManualClock()),
    )


def post(reporter: Reporter) -> UsageConfirmation:
    return reporter.post(PATH, REPORT, UsageConfirmation)


def created_s(server: Scripted, place: int) -> int:
    method, path, body, headers = server.asked[place]
    signed = read_signature(method=method, path=path, body=body, headers=headers)
    assert is_genuine(signed, VerifyKey(KEY.public_key().public_bytes_raw()))
    return signed.created_s


def test_a_clock_that_is_off_is_corrected_by_the_servers_and_the_request_is_signed_anew() -> None:
    """The machine's own clock is not touched: it still says what it said."""
    machine = ManualClock()
    clock = CorrectedClock(machine)
    server_s = (machine.now() + HOUR) // 1000
    told = refused(401, **SKEWED)
    told = Said(told.status, told.body, {**told.headers, "date": formatdate(server_s, usegmt=True)})
    before = machine.now()
    with scripted(told, CONFIRMED, CONFIRMED) as server:
        reporter = reporter_to(server, clock=clock)
        assert post(reporter).acked == 7
        post(reporter)
        assert created_s(server, 0) == server_s - 3600
        assert created_s(server, 1) == created_s(server, 2) == server_s
    assert clock.offset_ms == HOUR
    assert machine.now() == before


def test_a_clock_that_stays_off_is_refused_with_the_cure_and_not_tried_for_ever() -> None:
    told = refused(401, **SKEWED)
    told = Said(told.status, told.body, {**told.headers, "date": formatdate(1_800_000_000, usegmt=True)})
    with scripted(told, told) as server, pytest.raises(Rejected, match="Set it"):
        post(reporter_to(server))
    assert len(server.asked) == 2


@pytest.mark.parametrize("date", ["", "soon", "Mon, 01 Jan 99999999999 00:00:00 GMT"])
def test_a_skew_without_a_readable_date_is_refused_at_once(date: str) -> None:
    told = refused(401, **SKEWED)
    told = Said(told.status, told.body, {**told.headers, "date": date})
    with scripted(told) as server, pytest.raises(Rejected, match="clock is off"):
        post(reporter_to(server))
    assert len(server.asked) == 1


def test_a_difference_that_may_be_the_way_itself_does_not_move_the_clock() -> None:
    clock = CorrectedClock(ManualClock())
    clock.learn(ManualClock().now() + TOLERANCE_MS)  # type: ignore[arg-type]
    assert clock.offset_ms == 0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("text", "waits_s"),
    [("7", 7), ("999999", RETRY_AFTER_MAX_S), ("", 0), ("soon", 0), ("-5", 0), ("٣", 0), ("1.5", 0)],
)
def test_a_busy_server_says_when_to_come_back_within_bounds(status: int, text: str, waits_s: int) -> None:
    """And no other channel is tried: the server was heard."""
    told = refused(status, reason="overloaded")
    busy = Said(status, told.body, {**told.headers, "retry-after": text.encode().decode("latin-1")})
    with scripted(busy) as server, pytest.raises(NoAnswer) as raised:
        post(reporter_to(server, ANY_ROUTE, ANY_ROUTE))
    assert raised.value.retry_after_s == waits_s
    assert len(server.asked) == 1


def test_who_found_the_server_nowhere_is_lost_until_it_answers_and_who_heard_that_it_is_busy_is_not() -> None:
    with scripted(refused(503, reason="overloaded"), PORTAL, CONFIRMED) as server:
        reporter = reporter_to(server)
        found = []
        for _ in range(3):
            with suppress(NoAnswer):
                post(reporter)
            found.append(reporter.is_lost)
    assert found == [False, True, False]


@pytest.mark.parametrize(
    "answer",
    [
        PORTAL,
        Said(200, b""),
        Said(200, b'{"acked": 7}'),
        Said(200, b'{"journal": "jnl-1", "acked": -1}'),
        Said(302, b"", {"location": "http://portal.example/"}),
        Said(403, b"<html>blocked</html>", {"content-type": "text/html"}),
        Said(404, b"{truncated", {"content-type": "application/problem+json"}),
        Said(404, b'{"title": "\xfcberlastet"}', {"content-type": "application/problem+json"}),
        Said(404, b'{"more": ' + b"[" * 100_000, {"content-type": "application/problem+json"}),
        Said(200, b'{"journal": "\xfc", "acked": 7}'),
        Said(404, b'{"title": "Not Found", "status": 404}', {"content-type": "application/problem+json"}),
        Said(429, b"", {"retry-after": "300"}),
        Said(503, b"<html>Sign in first</html>", {"content-type": "text/html", "retry-after": "300"}),
        Said(503, b'{"reason": "overloaded"}', {"content-type": "application/json", "retry-after": "300"}),
        Said(500, b"oops"),
        Said(502, b""),
    ],
)
def test_what_a_portal_or_a_proxy_says_is_no_answer_and_the_next_channel_is_tried(answer: Said) -> None:
    """``lo`` and any route lead to the same server here; the first answer comes from something in between."""
    with scripted(answer, CONFIRMED) as server:
        reporter = reporter_to(server, "lo", ANY_ROUTE)
        assert post(reporter).acked == 7
        assert reporter.last_channel == ANY_ROUTE


def test_an_answer_to_another_question_is_none() -> None:
    """Of what something in between mixed up or kept: the next channel is tried."""
    asked = Interrogation(session="jnl-1.1", number=2, kind="intermediate", report=REPORT)
    late, meant = (
        InterrogationAnswer(
            session="jnl-1.1", number=n, acked=0, quotas=[], report_interval_s=10, server_time=Instant(0)
        )
        for n in (1, 2)
    )
    others = Said(body=msgspec.json.encode(UsageConfirmation(journal="jnl-2", acked=7)))
    with scripted(*(Said(body=msgspec.json.encode(each)) for each in (late, meant)), others, CONFIRMED) as server:
        reporter = reporter_to(server, "lo", ANY_ROUTE)
        assert reporter.interrogate(PATH, asked) == meant
        assert reporter.report(PATH, REPORT).acked == 7


def test_no_channel_that_works_is_told_with_what_happened_on_each() -> None:
    with scripted(PORTAL) as server, pytest.raises(NoAnswer, match=r"no route; any: .*no Qanat server"):
        post(reporter_to(server, "nonesuch0", ANY_ROUTE))


def test_a_refusal_of_the_server_is_final_whatever_channels_are_left() -> None:
    gone = refused(403, reason="terminal_revoked", detail="This terminal was revoked.", cure="Enrol again.")
    with scripted(gone) as server, pytest.raises(Rejected, match=r"was revoked\. Enrol again\.") as raised:
        post(reporter_to(server, "lo", ANY_ROUTE))
    assert (raised.value.problem.status, raised.value.problem.reason) == (403, "terminal_revoked")


def test_an_endless_answer_is_cut_off_and_is_none() -> None:
    with scripted(Said(200, b" " * (3 << 20))) as server, pytest.raises(NoAnswer, match="no Qanat server"):
        post(reporter_to(server))


@pytest.mark.namespaces
def test_an_answer_that_drips_without_end_is_cut_off_though_it_never_falls_silent() -> None:
    dripped, hung_up = 0, threading.Event()

    def drip(listener: socket.socket) -> None:
        nonlocal dripped
        with listener.accept()[0] as near, suppress(OSError):
            near.sendall(b"HTTP/1.1 200 OK\r\nx-more: ")
            while dripped < 1000 and not hung_up.wait(0.01):
                dripped += near.send(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        server = read_server(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with closing(connect(server, None)) as connection, suppress(*FAILURES):
            cut = converse(connection, server, method="GET", path="/", body=b"", headers={}, within_s=0.1)
            assert cut.body == b""
        hung_up.set()
        dripping.join()
    assert 0 < dripped < 500


def test_each_channel_leaves_through_its_own_interface(world: World) -> None:
    """The server answers on an address that is reached both ways; the default route prefers the other one."""
    world.internet.run("ip", "address", "add", "10.9.0.1/32", "dev", "lo")
    world.terminal.run("ip", "route", "add", "default", "via", "10.7.0.2", "dev", "wwan0", "metric", "10")
    world.terminal.run("ip", "route", "add", "default", "via", "10.8.0.2", "dev", "lan0", "metric", "20")
    with ExitStack() as stack:
        with world.internet.inside():
            server = stack.enter_context(scripted(PORTAL, CONFIRMED, CONFIRMED, host="10.9.0.1"))
        with world.terminal.inside():
            reporter = reporter_to(server, "wwan0", "lan0")
            post(reporter)
            assert reporter.last_channel == "lan0"
            world.terminal.run("ip", "link", "set", "lan0", "down")
            post(reporter_to(server, "lan0", "wwan0"))
    assert server.callers == ["10.7.0.1", "10.8.0.1", "10.7.0.1"]


WITHOUT_BINDING = """
import ctypes, os, platform, struct, sys
SETSOCKOPT, ARCH = {"x86_64": (54, 0xC000003E), "aarch64": (208, 0xC00000B7)}[platform.machine()]
program = b"".join(struct.pack("=HBBI", *step) for step in [
    (0x20, 0, 0, 0), (0x15, 0, 3, SETSOCKOPT),           # is it setsockopt,
    (0x20, 0, 0, 32), (0x15, 0, 1, 25),                  # and SO_BINDTODEVICE?
    (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000),  # EPERM; everything else is allowed
])
buffer = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
assert not libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
filter = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer)))
assert not libc.prctl(22, 2, filter, 0, 0), os.strerror(ctypes.get_errno())  # PR_SET_SECCOMP, filter
from qanat.agents.channel import exchange, read_server
for interface in sys.argv[2:]:
    exchange(read_server(sys.argv[1]), interface=interface, method="GET", path="/", body=b"", headers={})
"""


@pytest.mark.namespaces
def test_where_binding_to_an_interface_is_not_permitted_its_address_is_the_source(world: World) -> None:
    """A seccomp filter answers SO_BINDTODEVICE with EPERM, as kernels before 5.7 do without privilege."""
    world.internet.run("ip", "address", "add", "10.9.0.1/32", "dev", "lo")
    for metric, interface, gateway in ((10, "wwan0", "10.7.0.2"), (20, "lan0", "10.8.0.2")):
        route = ("default", "via", gateway, "dev", interface, "metric", str(metric))
        world.terminal.run("ip", "route", "add", *route)
    with ExitStack() as stack:
        with world.internet.inside():
            server = stack.enter_context(scripted(CONFIRMED, CONFIRMED, host="10.9.0.1"))
        command = [sys.executable, "-c", WITHOUT_BINDING, server.url, "wwan0", "lan0"]
        with world.terminal.inside():
            done = subprocess.run(
                command, env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False, timeout=PATIENCE_S
            )
    assert done.returncode == 0, done.stderr
    assert server.callers == ["10.7.0.1", "10.8.0.1"]
