"""Reports on the short way and off it: over real sockets, byte for byte, so that it is seen which way a request went."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from pathlib import Path

import httptools
import msgspec
import pytest
from tests.patience import PATIENCE_S
from tests.server.live import Device, Live, interrogation, live_server, settings_for
from tests.server.online import enrolled

USAGE = "/v1/agent/usage"


@pytest.fixture
def device(live: Live) -> Device:
    """A terminal with a session, whose key the server has at hand."""
    one = enrolled(live, "alice")
    assert one.send("POST", "/v1/agent/interrogations", interrogation("s", 0, "first", wants=900)).status_code == 200
    return one


@pytest.fixture
def peer(live: Live) -> Iterator[socket.socket]:
    host, _, port = live.url.removeprefix("http://").partition(":")
    with closing(socket.create_connection((host, int(port)), timeout=PATIENCE_S)) as connected:
        yield connected


def report(seq: int, octets: int = 100) -> bytes:
    row = {"seq": seq, "quota": "s.0", "epoch": 0, "up": 0, "down": seq * octets, "reserved": 900, "at": 1}
    return msgspec.json.encode({"journal": "j", "floor": seq - 1, "rows": [row]})


def request(device: Device, body: bytes, *more: str, path: str = USAGE, signed: dict[str, str] | None = None) -> bytes:
    headers = device.signed("POST", path, body) if signed is None else signed
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"POST {path} HTTP/1.1", "host: q", f"content-length: {len(body)}", *lines, *more, "", ""]
    return "\r\n".join(head).encode() + body


def answer(peer: socket.socket) -> tuple[HTTPResponse, bytes]:
    response = HTTPResponse(peer)
    response.begin()
    return response, response.read()


def bodies(peer: socket.socket, count: int) -> list[bytes]:
    """Return the bodies of so many answers that follow each other."""
    found: list[bytes] = []

    class Told:
        def on_body(self, body: bytes) -> None:
            found.append(body)

    parser = httptools.HttpResponseParser(Told())
    while len(found) < count:
        parser.feed_data(peer.recv(65_536))
    return found


def went_short(response: HTTPResponse) -> bool:
    """The application's layers let uvicorn begin with the date."""
    return response.getheaders()[0][0] != "date"


def used(live: Live) -> int:
    spent: int = live.get("/v1/subscribers/alice/balance").json()["used"]
    return spent


def test_a_report_is_counted_confirmed_and_seen_by_the_operator(
    live: Live, device: Device, peer: socket.socket
) -> None:
    peer.sendall(request(device, report(1)))
    response, body = answer(peer)
    assert went_short(response)
    assert (response.status, msgspec.json.decode(body)) == (200, {"journal": "j", "acked": 1})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["date"]
    assert response.headers["x-request-id"].startswith("req-")
    assert used(live) == 100
    metrics = live.get("/metrics").text
    assert 'qanat_http_requests_total{route="/v1/agent/usage",status="200"} 1.0' in metrics
    assert 'qanat_http_request_seconds_count{route="/v1/agent/usage"} 1.0' in metrics


def test_an_interrogation_is_answered_and_its_repeat_gets_the_same_quota(device: Device, peer: socket.socket) -> None:
    body = msgspec.json.encode(interrogation("s", 1, "intermediate", wants=500))
    quotas = []
    for _ in range(2):
        peer.sendall(request(device, body, path="/v1/agent/interrogations"))
        response, said = answer(peer)
        assert went_short(response)
        quotas.append(msgspec.json.decode(said)["quotas"])
    assert quotas[0] == quotas[1] != []


def test_head_and_body_may_come_apart(device: Device, peer: socket.socket) -> None:
    """As Python's own HTTP client sends them, which our agents use."""
    whole = request(device, report(1))
    head, _, body = whole.partition(b"\r\n\r\n")
    peer.sendall(head + b"\r\n\r\n")
    peer.sendall(body[:10])
    peer.sendall(body[10:])
    response, said = answer(peer)
    assert (response.status, msgspec.json.decode(said)["acked"]) == (200, 1)


def test_a_long_report_is_taken_as_a_short_one(device: Device, peer: socket.socket) -> None:
    """Its 1,000 rows are more than uvicorn reads before somebody takes them."""
    rows = [
        {"seq": seq, "quota": "s.0", "epoch": 0, "up": 0, "down": seq, "reserved": 900, "at": 1_700_000_000_000}
        for seq in range(1, 1001)
    ]
    body = msgspec.json.encode({"journal": "j", "floor": 0, "rows": rows})
    assert len(body) > 2**16
    peer.sendall(request(device, body))
    assert msgspec.json.decode(answer(peer)[1])["acked"] == 1000


def test_requests_sent_at_once_are_answered_in_their_order(live: Live, device: Device, peer: socket.socket) -> None:
    listed = f"GET /v1/plans HTTP/1.1\r\nhost: q\r\nauthorization: Bearer {live.token}\r\n\r\n".encode()
    peer.sendall(request(device, report(1)) + request(device, report(2)) + listed + request(device, report(3)))
    said = [msgspec.json.decode(body) for body in bodies(peer, 4)]
    assert [one.get("acked") for one in said] == [1, 2, None, 3]
    assert "plans" in said[2]


def test_a_connection_is_closed_when_the_terminal_asks_for_it(device: Device, peer: socket.socket) -> None:
    peer.sendall(request(device, report(1), "connection: close"))
    response, _ = answer(peer)
    assert went_short(response)
    assert response.headers["connection"] == "close"
    assert peer.recv(1) == b""


def test_a_terminal_that_waits_to_be_told_to_go_on_is_told(device: Device, peer: socket.socket) -> None:
    head, _, body = request(device, report(1), "expect: 100-continue").partition(b"\r\n\r\n")
    peer.sendall(head + b"\r\n\r\n")
    assert peer.recv(100).startswith(b"HTTP/1.1 100 ")
    peer.sendall(body)
    assert answer(peer)[0].status == 200


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": f"sig=:{'A' * 86}==:"}, "wrong_signature"),
        ({"content-digest": "sha-256=:no:"}, "bad_input"),
        ({"signature-input": "sig=()"}, "bad_input"),
    ],
)
def test_what_is_not_in_order_is_refused_as_ever_and_uses_up_no_nonce(
    live: Live, device: Device, peer: socket.socket, change: dict[str, str], reason: str
) -> None:
    good = device.signed("POST", USAGE, report(1))
    peer.sendall(request(device, report(1), signed=good | change))
    response, body = answer(peer)
    assert (response.status in (401, 422), msgspec.json.decode(body)["reason"]) == (True, reason)
    assert used(live) == 0
    peer.sendall(request(device, report(1), signed=good))
    assert answer(peer)[0].status == 200


@pytest.mark.parametrize("path", [USAGE, "/v1/agent/terminal"])
@pytest.mark.parametrize("good_first", [True, False])
def test_of_two_signatures_the_first_counts_on_either_way(
    device: Device, peer: socket.socket, path: str, good_first: bool
) -> None:
    method, body = ("POST", report(1)) if path == USAGE else ("GET", b"")
    good = [f"{name}: {value}" for name, value in device.signed(method, path, body).items()]
    bad = ["signature: sig=::", "signature-input: sig=()"]
    lines = [*good, *bad] if good_first else [*bad, *good]
    head = [f"{method} {path} HTTP/1.1", "host: q", f"content-length: {len(body)}", *lines, "", ""]
    peer.sendall("\r\n".join(head).encode() + body)
    assert answer(peer)[0].status == (200 if good_first else 422)


def test_a_report_that_is_replayed_is_refused(live: Live, device: Device, peer: socket.socket) -> None:
    sent = request(device, report(1))
    statuses = []
    for _ in range(2):
        peer.sendall(sent)
        statuses.append(answer(peer)[0].status)
    assert (statuses, used(live)) == ([200, 401], 100)


def test_a_body_that_is_no_message_is_told_so_by_field(device: Device, peer: socket.socket) -> None:
    for body, status, field in ((b'{"journal": "j", "floor": -1, "rows": []}', 422, "floor"), (b"{", 400, "body")):
        peer.sendall(request(device, body))
        response, said = answer(peer)
        assert (response.status, msgspec.json.decode(said)["field"]) == (status, field)


def test_a_refusal_is_explained_and_remembered_once(live: Live, device: Device, peer: socket.socket) -> None:
    rows = [
        {"seq": seq, "quota": quota, "epoch": 0, "up": 2**52, "down": 0, "reserved": 0, "at": 1}
        for seq, quota in ((1, "s.0"), (2, "s.1"))
    ]
    peer.sendall(request(device, msgspec.json.encode({"journal": "j", "floor": 0, "rows": rows})))
    response, body = answer(peer)
    assert (response.status, msgspec.json.decode(body)["reason"]) == (422, "implausible_usage")
    assert [one["reason"] for one in live.get("/v1/refusals").json()["refusals"]] == ["implausible_usage"]
    assert used(live) == 0


def test_an_unbound_terminal_is_told_so(live: Live, peer: socket.socket) -> None:
    live.done("/v1/sims", {"count": 1})
    device = Device(live, seed=7)
    assert device.enrol(live.done("/v1/codes", {})["code"], serial="imei-7").status_code == 201
    for _ in range(2):  # the key is at hand from the first
        peer.sendall(request(device, report(1)))
        response, body = answer(peer)
        assert (response.status, msgspec.json.decode(body)["reason"]) == (409, "terminal_unbound")
    assert [one["reason"] for one in live.get("/v1/refusals").json()["refusals"]] == ["terminal_unbound"]


def test_a_request_behind_another_that_never_becomes_whole_is_told_so(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, http={"body_timeout_s": 1})) as live:
        device = enrolled(live, "alice")
        assert device.send("POST", USAGE, {"journal": "j", "floor": 0, "rows": []}).status_code == 200
        host, _, port = live.url.removeprefix("http://").partition(":")
        with closing(socket.create_connection((host, int(port)), timeout=PATIENCE_S)) as slow:
            slow.sendall(request(device, report(1)) + request(device, report(2))[:-1])
            assert [answer(slow)[0].status for _ in range(2)] == [200, 408]


def test_a_crowd_is_asked_to_come_back_on_the_short_way_too(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, http={"at_once": 1})) as live:
        device = enrolled(live, "alice")
        assert device.send("POST", USAGE, {"journal": "j", "floor": 0, "rows": []}).status_code == 200
        host, _, port = live.url.removeprefix("http://").partition(":")
        with closing(socket.create_connection((host, int(port)), timeout=PATIENCE_S)) as slow:
            slow.sendall(b"POST /v1/sign-up HTTP/1.1\r\nHost: q\r\nContent-Length: 10\r\n\r\n{")
            while "qanat_http_requests_in_flight 2.0" not in live.get("/metrics").text:
                pass
            answer = device.send("POST", USAGE, {"journal": "j", "floor": 0, "rows": []})
            assert (answer.status_code, answer.json()["reason"]) == (503, "overloaded")
