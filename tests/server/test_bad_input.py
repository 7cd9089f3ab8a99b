"""The table of bad input: every row is answered as a problem that names the field, and changes nothing."""

from __future__ import annotations

import socket
from typing import Any

import msgspec
import pytest
from tests.patience import PATIENCE_S
from tests.server.live import Device, Live, interrogation, live_server

from qanat.server.gy.quirks import PROFILES
from qanat.server.http.spelling import WORDS
from qanat.server.settings import Settings
from qanat.units import MAX_PUBLIC_OCTETS, MINUTE

ENROLMENT = {"code": "abcd", "hardware": "x", "serial": "x", "version": "1"}


def _problem(answer: Any, status: int, reason: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["reason"]) == (status, reason)
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"octets": -1}, "octets"),
        ({"octets": 0}, "octets"),
        ({"octets": 1.5}, "octets"),
        ({"octets": 1.0}, "octets"),
        ({"octets": MAX_PUBLIC_OCTETS + 1}, "octets"),
        ({"octets": 10**400}, "octets"),
        ({"octets": "1000"}, "octets"),
        ({"octets": True}, "octets"),
        ({"octets": None}, "octets"),
        ({"octets": [1]}, "octets"),
        ({}, "octets"),
        ({"octets": 1, "extra": 1}, "extra"),
        ({"octets": 1, "valid_days": 0}, "valid_days"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_a_wrong_amount_names_the_field_and_changes_nothing(live: Live, body: Any, field: str) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    content = repr(body).replace("'", '"').replace("True", "true").replace("None", "null").encode()
    assert _problem(live.post("/v1/subscribers/alice/top-ups", content=content), 422, "bad_input")["field"] == field
    assert live.get("/v1/subscribers/alice/balance").json()["buckets"] == []


@pytest.mark.parametrize("hours", [0, 876_001, 10**12, 10**30])
@pytest.mark.parametrize("orders", ["supply-orders", "demand-orders"])
def test_an_order_ends_while_there_is_a_calendar(live: Live, orders: str, hours: int) -> None:
    alice = live.sign_in("alice")
    wrong = live.post(f"/v1/me/{orders}", {"octets": 1, "hours": hours}, token=alice)
    assert _problem(wrong, 422, "bad_input")["field"] == "hours"
    assert live.done(f"/v1/me/{orders}", {"octets": 1, "hours": 876_000}, token=alice)["until"]


@pytest.mark.parametrize("period", ["２０２３-11", "2023-13", "2023-1"])
def test_a_month_is_written_one_way_only(live: Live, period: str) -> None:
    for answer in (live.get(f"/v1/settlements/{period}"), live.post(f"/v1/settlements/{period}/closing")):
        assert _problem(answer, 422, "bad_input")["field"] == "period"


@pytest.mark.parametrize(
    "content", [b"", b'{"octets": 1', b"\xff\xfe", b"{'octets': 1}", b'{"octets": ' + b"9" * 5000 + b"}", b"[" * 60_000]
)
def test_what_is_not_json_is_refused(live: Live, content: bytes) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    answer = live.post("/v1/subscribers/alice/top-ups", content=content)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert answer.json()["field"] == "body"
    assert answer.json()["cure"]


def test_the_value_at_fault_is_quoted_but_never_a_password(live: Live) -> None:
    imsi = _problem(live.post("/v1/subscribers", {"name": "alice", "imsi": "12"}), 422, "bad_input")
    assert imsi["detail"] == 'imsi: an IMSI has 6 to 15 digits, not "12".'
    short = _problem(live.post("/v1/sign-up", {"name": "alice", "password": "hush"}, token=""), 422, "bad_input")
    assert "hush" not in str(short)


def test_what_is_wrong_with_a_signature_is_said_once_and_with_a_cure(live: Live) -> None:
    unsigned = _problem(live.post("/v1/agent/usage", {}, token=""), 422, "bad_input")
    assert unsigned["detail"] == "Signature-Input is missing or not in the profile that Qanat uses."
    assert unsigned["cure"]


def test_every_spelling_that_the_interface_names_has_its_words(live: Live) -> None:
    """Of people's and of devices' fields and of paths: each stands in the OpenAPI document."""
    patterns = set[str]()
    read = [live.get("/openapi.json").json()]
    while read:
        one = read.pop()
        patterns |= {one["pattern"]} if isinstance(one, dict) and isinstance(one.get("pattern"), str) else set()
        read += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    assert patterns == WORDS.keys()


@pytest.mark.parametrize(
    ("path", "field", "said"),
    [
        ("/v1/agent/usage", "journal", "Expected letters, digits and . _ : @ - only, a letter or a digit first"),
        ("/v1/terminals", "hardware", "Expected no control characters"),
        ("/v1/base-stations", "serial", "Expected letters, digits and . _ : - only"),
    ],
)
def test_a_device_is_told_in_words_what_a_text_looks_like(live: Live, path: str, field: str, said: str) -> None:
    device = _enrolled(live)
    report = {"journal": "j", "floor": 0, "rows": []}
    body = {**(report if "agent" in path else {**ENROLMENT, "public_key": device.public_key}), field: "a\nb"}
    answer = device.send("POST", path, body, key_id="" if "agent" in path else device.public_key)
    assert _problem(answer, 422, "bad_input")["detail"] == rf'{field}: {said}, not "a\nb".'


def test_a_device_is_told_which_number_in_its_report_is_wrong(live: Live) -> None:
    row = {"seq": 1, "quota": "q", "epoch": 0, "up": 0, "down": 0, "reserved": 0, "at": 1}
    report = {"journal": "j", "floor": 0, "rows": [row, row | {"seq": 2, "up": -7}]}
    answer = _enrolled(live).send("POST", "/v1/agent/usage", report)
    told = _problem(answer, 422, "bad_input")
    assert (told["field"], told["detail"]) == ("rows[1].up", "rows[1].up: Expected `int` >= 0, not -7.")


def test_a_device_whose_message_has_no_end_is_told_what_is_wrong_before_it(live: Live) -> None:
    deep = b'{"journal": 7, "floor": 0, "rows": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    answer = _enrolled(live).send("POST", "/v1/agent/usage", content=deep)
    assert _problem(answer, 422, "bad_input")["detail"] == "journal: Expected `str`, got `int`."


def test_people_are_told_in_words_what_a_text_looks_like(live: Live) -> None:
    said = {
        live.post(path, body).json()["detail"]
        for path, body in (
            ("/v1/subscribers", {"name": "a b"}),
            ("/v1/peers", {"origin_host": "x.test", "profile": "lax"}),
            ("/v1/settlements/2023-1/closing", {}),
        )
    }
    assert said == {
        'name: Expected 1 to 64 letters, digits and . _ @ -, a letter or a digit first, not "a b".',
        f'profile: Expected one of {", ".join(PROFILES)}, not "lax".',
        'period: Expected a year and a month, as in 2026-11, not "2023-1".',
    }


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"up": -1}, "rows[0].up"),
        ({"down": 1.5}, "rows[0].down"),
        ({"up": 2**53}, "rows[0].up"),
        ({"up": 10**30}, "rows[0].up"),
        ({"up": "1"}, "rows[0].up"),
        ({"seq": 0}, "rows[0].seq"),
        ({"quota": "a/b"}, "rows[0].quota"),
        ({"quota": "a\n"}, "rows[0].quota"),
        ({"more": 1}, "rows[0]"),
    ],
)
def test_a_wrong_usage_row_names_the_field_and_counts_nothing(live: Live, row: dict[str, Any], field: str) -> None:
    device = _enrolled(live)
    good = {"seq": 1, "quota": "s.0", "epoch": 0, "up": 1, "down": 1, "reserved": 1, "at": 1}
    answer = device.send("POST", "/v1/agent/usage", {"journal": "j", "floor": 0, "rows": [{**good, **row}]})
    assert _problem(answer, 422, "bad_input")["field"] == field
    assert live.get("/v1/subscribers/alice/balance").json()["used"] == 0


def test_more_octets_than_one_report_may_hold_are_refused_and_nothing_is_counted(live: Live) -> None:
    device = _enrolled(live)
    rows = [
        {"seq": seq, "quota": quota, "epoch": 0, "up": 2**52, "down": 0, "reserved": 0, "at": 1}
        for seq, quota in ((1, "s.0"), (2, "s.1"))
    ]
    for path, message in (
        ("/v1/agent/usage", {"journal": "j", "floor": 0, "rows": rows}),
        ("/v1/agent/interrogations", interrogation("s", 0, "first", report={"journal": "j", "floor": 0, "rows": rows})),
    ):
        _problem(device.send("POST", path, message), 422, "implausible_usage")
        assert live.get("/v1/subscribers/alice/balance").json()["used"] == 0
    answer = device.send("POST", "/v1/agent/usage", {"journal": "j", "floor": 0, "rows": rows[:1]})
    assert answer.json()["acked"] == 1


def test_a_truncated_message_of_an_agent_is_not_json(live: Live) -> None:
    device = _enrolled(live)
    _problem(device.send("POST", "/v1/agent/usage", content=b'{"journal": "j", "flo'), 400, "not_json")


def test_a_body_of_100_mb_is_refused_before_it_is_read(live: Live) -> None:
    host, _, port = live.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as peer:
        peer.sendall(b"POST /v1/sign-up HTTP/1.1\r\nHost: q\r\nContent-Length: 104857600\r\n\r\n")
        answer = b"".join(iter(lambda: peer.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answer


def test_a_body_without_a_length_is_refused_at_the_limit(live: Live) -> None:
    host, _, port = live.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as peer:
        peer.sendall(b"POST /v1/sign-up HTTP/1.1\r\nHost: q\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.sendall(b"200000\r\n" + b"x" * 0x200000)
        assert peer.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_more_requests_than_fit_are_asked_to_come_back(tmp_path: Any) -> None:
    settings = msgspec.convert({"http": {"listen": "127.0.0.1:0", "at_once": 1}}, Settings)
    with live_server(tmp_path, settings) as live:
        host, _, port = live.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as slow:
            slow.sendall(b"POST /v1/sign-up HTTP/1.1\r\nHost: q\r\nContent-Length: 10\r\n\r\n{")
            _until(lambda: "qanat_http_requests_in_flight 2.0" in live.get("/metrics").text)
            answer = live.get("/v1/plans")
            _problem(answer, 503, "overloaded")
            assert answer.headers["retry-after"] == "1"
        _until(lambda: live.get("/v1/plans").status_code == 200)


def _until(holds: Any) -> None:
    assert any(holds() for _ in range(500)), "it never came to hold"


def test_unknown_paths_and_methods_are_problems_too(live: Live) -> None:
    _problem(live.get("/v2/nothing"), 404, "no_such_path")
    answer = live.http.request("DELETE", "/v1/plans")
    _problem(answer, 405, "no_such_method")
    _problem(live.http.request("PUT", "/v1/agent/usage"), 405, "no_such_method")


def test_a_body_that_is_not_declared_as_json_is_told_the_header_to_send(live: Live) -> None:
    form = {"authorization": f"Bearer {live.token}", "content-type": "application/x-www-form-urlencoded"}
    answer = live.http.post("/v1/subscribers", content=b'{"name": "alice"}', headers=form)
    assert "application/json" in _problem(answer, 415, "not_json")["cure"]


@pytest.mark.parametrize("text", [rb"\ud800", rb"\udfff\ud800"])
def test_half_a_surrogate_pair_is_no_text_anywhere(live: Live, text: bytes) -> None:
    for path, body, field in (
        ("/v1/sign-in", b'{"name": "a", "password": "%b"}', "password"),
        ("/v1/sign-up", b'{"name": "a", "password": "longenough", "display_name": "%b"}', "display_name"),
        ("/v1/operators", b'{"name": "%b"}', "name"),
        ("/v1/subscribers/alice/supply-orders", b'{"octets": 1, "base_stations": ["%b"]}', "base_stations"),
    ):
        assert _problem(live.post(path, content=body % text), 422, "bad_input")["field"] == field
    _problem(live.post("/v1/operators", content=b'{"name": "a", "%b": 1}' % text), 422, "bad_input")
    device = _enrolled(live)
    answer = device.send("POST", "/v1/agent/usage", content=b'{"journal": "%b", "floor": 0, "rows": []}' % text)
    assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize("text", ["\0", "eve\x1b[2J", "two\nlines", "\x9b1m"])
def test_what_people_read_has_no_control_characters(live: Live, text: str) -> None:
    for path, body in (
        ("/v1/sign-up", {"name": "eve", "password": "correct horse", "display_name": text}),
        ("/v1/operators", {"name": "eve", "display_name": text}),
    ):
        refused = _problem(live.post(path, body), 422, "bad_input")
        assert refused["detail"].startswith("display_name: what people read has no control characters, not ")
    code = live.done("/v1/codes", {})["code"]
    device = Device(live)
    body = {"code": code, "public_key": device.public_key, "hardware": text, "serial": "i", "version": ""}
    answer = device.send("POST", "/v1/terminals", body, key_id=device.public_key)
    assert _problem(answer, 422, "bad_input")["field"] == "hardware"


@pytest.mark.parametrize("name", ["%00", "a%0Ab", "%ff", "x" * 65, "a%20b"])
def test_a_path_with_what_is_no_name_leads_to_nobody(live: Live, name: str) -> None:
    _problem(live.post(f"/v1/subscribers/{name}/top-ups", {"octets": 1}), 404, "unknown_subscriber")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "é", "x" * 65, "-a", "a\u0000"])
def test_names_are_plain(live: Live, name: str) -> None:
    assert _problem(live.post("/v1/subscribers", {"name": name}), 422, "bad_input")["field"] == "name"


def test_forged_expired_and_used_codes_enrol_nothing(live: Live) -> None:
    live.done("/v1/sims", {"count": 2})
    code = live.done("/v1/codes", {"hours": 1})["code"]
    late = live.done("/v1/codes", {"hours": 1})["code"]
    device = Device(live)
    _problem(device.enrol("AAAA-BBBB-CCCC"), 404, "unknown_code")
    assert device.enrol(code).status_code == 201
    _problem(Device(live, seed=2).enrol(code, serial="imei-2"), 409, "code_used")
    live.clock.advance(61 * MINUTE)
    _problem(Device(live, seed=3).enrol(late, serial="imei-3"), 410, "code_expired")
    assert len(live.get("/v1/terminals").json()["terminals"]) == 1


def test_an_empty_pool_is_named(live: Live) -> None:
    code = live.done("/v1/codes", {})["code"]
    assert "sim" in _problem(Device(live).enrol(code), 409, "pool_empty")["cure"]


def test_an_enrolment_must_be_signed_with_the_key_it_brings(live: Live) -> None:
    live.done("/v1/sims", {"count": 2})
    code = live.done("/v1/codes", {})["code"]
    honest, thief = Device(live), Device(live, seed=2)
    body = {"code": code, "public_key": honest.public_key, "hardware": "", "serial": "i", "version": ""}
    for path in ("/v1/terminals", "/v1/base-stations"):
        _problem(thief.send("POST", path, body, key_id=thief.public_key), 401, "wrong_signature")
        _problem(thief.send("POST", path, body, key_id=honest.public_key), 401, "wrong_signature")
        two_lines = {**body, "serial": "i\n"}
        assert (
            _problem(honest.send("POST", path, two_lines, key_id=honest.public_key), 422, "bad_input")["field"]
            == "serial"
        )
    assert _problem(thief.send("POST", "/v1/terminals", body, key_id="x"), 422, "bad_input")["field"] == "public_key"
    assert live.get("/v1/terminals").json()["terminals"] == []


def test_a_replayed_request_is_refused(live: Live) -> None:
    device = _enrolled(live)
    headers = device.signed("GET", "/v1/agent/terminal", b"")
    assert live.http.get("/v1/agent/terminal", headers=headers).status_code == 200
    _problem(live.http.get("/v1/agent/terminal", headers=headers), 401, "replayed")


@pytest.mark.parametrize("skew_s", [-301, 301])
def test_a_clock_that_is_off_is_told_both_times(live: Live, skew_s: int) -> None:
    device = _enrolled(live)
    headers = device.signed("GET", "/v1/agent/terminal", b"", skew_s=skew_s)
    body = _problem(live.http.get("/v1/agent/terminal", headers=headers), 401, "clock_skew")
    assert str(live.clock.now() // 1000) in body["detail"]


def test_a_request_that_was_changed_on_the_way_is_refused(live: Live) -> None:
    device = _enrolled(live)
    body = msgspec.json.encode({"journal": "j", "floor": 0, "rows": []})
    headers = device.signed("POST", "/v1/agent/usage", body)
    changed = live.http.post("/v1/agent/usage", content=body + b" ", headers=headers)
    assert _problem(changed, 422, "bad_input")["field"] == "Content-Digest"
    elsewhere = live.http.post("/v1/agent/interrogations", content=body, headers=headers)
    _problem(elsewhere, 401, "wrong_signature")
    unsigned = live.http.post("/v1/agent/usage", content=body)
    assert _problem(unsigned, 422, "bad_input")["field"] == "Signature-Input"


def test_a_stranger_is_not_known(live: Live) -> None:
    stranger = Device(live)
    stranger.id = "trm-none"
    answer = stranger.send("POST", "/v1/agent/interrogations", interrogation("s", 0, "first"))
    _problem(answer, 404, "unknown_terminal")
    assert live.get("/v1/refusals").json()["refusals"] == []


def _enrolled(live: Live) -> Device:
    live.done("/v1/sims", {"count": 1})
    live.done("/v1/subscribers", {"name": "alice"})
    device = Device(live)
    assert device.enrol(live.done("/v1/subscribers/alice/codes", {})["code"]).status_code == 201
    return device
