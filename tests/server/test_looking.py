"""What staff looks at: the pulse, the search, reasons, reservations, base stations; and who may not."""

from __future__ import annotations

import json
import socket
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
from tests.patience import PATIENCE_S
from tests.server.live import Live
from tests.server.online import enrolled, go_online
from tests.server.test_exchange import market
from tests.server.test_lists import staffed

from qanat.server.pulse import WATCHERS, WATCHERS_EACH
from qanat.units import DAY, MINUTE, format_instant

__all__ = ["market", "staffed"]


def events(live: Live, count: int, *, token: str | None = None) -> list[dict[str, Any]]:
    """Watch the pulse for so many events."""
    found: list[dict[str, Any]] = []
    shown = live.token if token is None else token
    with live.http.stream("GET", "/v1/pulse/stream", headers={"authorization": f"Bearer {shown}"}) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == count:
                return found
    return found


def test_the_pulse_tells_live_sessions_their_rates_and_what_is_reserved(live: Live) -> None:
    device = enrolled(live, "alice")
    go_online(device, "s1")
    first, second = events(live, 2)
    for event in (first, second):
        assert (event["live"], event["reserved"], event["complete"]) == (1, 400_000, True)
        assert [(one["session"], one["subscriber"]) for one in event["sessions"]] == [("s1", "alice")]
    assert first["past"] == []
    assert len(events(live, 1)[0]["past"]) == 1, "what others watched before"


def test_what_is_over_is_no_longer_in_the_pulse(live: Live) -> None:
    device = enrolled(live, "alice")
    go_online(device, "s1")
    go_online(device, "s2")
    device.send("POST", "/v1/agent/interrogations", _final("s1"))
    assert [one["session"] for one in live.get("/v1/pulse").json()["sessions"]] == ["s2"]
    listed = [(one["session"], one["state"]) for one in live.get("/v1/sessions").json()["sessions"]]
    assert listed == [("s2", "open"), ("s1", "closed")]


def test_a_session_that_is_silent_counts_as_still(live: Live) -> None:
    device = enrolled(live, "alice", octets=900_000_000)
    go_online(device, "s1", wants=400_000_000)
    for number in (1, 2):
        live.clock.advance(20_000)
        _uses(device, "s1", number, octets=40_000_000)
    rate = live.get("/v1/pulse").json()["octets_per_s"]
    assert 1_000_000 < rate < 3_000_000
    live.clock.advance(6 * MINUTE)
    assert live.get("/v1/pulse").json()["octets_per_s"] == 0


def test_staff_feels_the_pulse_of_its_own_operator_only(live: Live, staffed: str) -> None:
    go_online(enrolled(live, "nora", operator="north", seed=1), "s-north")
    go_online(enrolled(live, "sam", operator="south", seed=2), "s-south")
    (event,) = events(live, 1, token=staffed)
    assert (event["live"], [one["session"] for one in event["sessions"]]) == (1, ["s-south"])
    (held,) = live.get("/v1/reservations", token=staffed).json()["reservations"]
    assert held["session"] == "s-south"


def test_watching_ends_with_the_sign_in(live: Live) -> None:
    live.done("/v1/operators/home/staff", {"name": "sue", "password": "correct horse"})
    sue = live.done("/v1/sign-in", {"name": "sue", "password": "correct horse"}, token="")["token"]
    seen = []
    with live.http.stream("GET", "/v1/pulse/stream", headers={"authorization": f"Bearer {sue}"}) as answer:
        for line in answer.iter_lines():
            seen.append(line)
            if line == "event: pulse":
                live.done("/v1/sign-out", token=sue)
    assert seen[-3:-1] == ["event: end", "data: {}"]


def watch(live: Live, stack: ExitStack, *, token: str, times: int) -> None:
    """Watch the pulse in so many places, each of which has heard it once."""
    host, _, port = live.url.removeprefix("http://").partition(":")
    asked = f"GET /v1/pulse/stream HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer {token}\r\n\r\n"
    for _ in range(times):
        watcher = stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
        watcher.sendall(asked.encode())
        said = b""
        while b"event: pulse" not in said:
            said += watcher.recv(4096)


def hired(live: Live, name: str) -> str:
    """Hire somebody; return its token."""
    live.done("/v1/operators/home/staff", {"name": name, "password": "correct horse"})
    token: str = live.done("/v1/sign-in", {"name": name, "password": "correct horse"}, token="")["token"]
    return token


def test_more_watchers_than_fit_are_told_to_come_back(live: Live) -> None:
    with ExitStack() as stack:
        for number in range(WATCHERS // WATCHERS_EACH):
            watch(live, stack, token=hired(live, f"sue{number}"), times=WATCHERS_EACH)
        turned_away = live.get("/v1/pulse/stream")
        assert (turned_away.status_code, turned_away.headers["retry-after"]) == (503, "60")
    assert any(events(live, 1) for _ in range(50)), "those who left made room"


def test_one_person_watches_in_ten_places_and_keeps_nobody_out(live: Live) -> None:
    sue = hired(live, "sue")
    with ExitStack() as stack:
        watch(live, stack, token=sue, times=WATCHERS_EACH)
        turned_away = live.get("/v1/pulse/stream", token=sue)
        assert (turned_away.status_code, turned_away.json()["reason"]) == (429, "watching_already")
        assert turned_away.headers["retry-after"] == "60"
        assert events(live, 1)
        assert live.get("/v1/pulse", token=sue).status_code == 200
    assert any(events(live, 1, token=sue) for _ in range(50)), "those that were closed made room"


def test_who_begins_to_watch_many_times_at_once_watches_no_more_than_ten_times(live: Live) -> None:
    sue = hired(live, "sue")
    host, _, port = live.url.removeprefix("http://").partition(":")
    asked = f"GET /v1/pulse/stream HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer {sue}\r\n\r\n".encode()
    with ExitStack() as stack:
        doors = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
            for _ in range(3 * WATCHERS_EACH)
        ]
        for door in doors:
            door.sendall(asked)
        said = Counter(door.recv(12) for door in doors)
    assert said == {b"HTTP/1.1 200": WATCHERS_EACH, b"HTTP/1.1 429": 2 * WATCHERS_EACH}


def test_one_field_finds_subscribers_and_devices_by_whatever_is_known_of_them(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice", "imsi": "001010000000007", "msisdn": "4915123456789"})
    device = enrolled(live, "bob", seed=3)
    code = live.get("/v1/subscribers/alice/identity").json()["code"]
    imsi = live.get(f"/v1/terminals/{device.id}").json()["imsi"]
    for words, kind, name, by in (
        ("ali", "subscriber", "alice", "name"),
        ("00101000", "subscriber", "alice", "IMSI"),
        ("+49151", "subscriber", "alice", "MSISDN"),
        (code.lower().replace("-", " "), "subscriber", "alice", "identity code"),
        (device.id, "terminal", device.id, "id"),
        (imsi, "terminal", device.id, "IMSI"),
    ):
        (hit,) = live.get("/v1/search", params={"q": words}).json()["hits"]
        assert (hit["kind"], hit["name"], hit["by"]) == (kind, name, by)


@pytest.mark.parametrize("words", ["nobody", "%", "_", "' OR 1=1 --", "T-00000-00000", "<script>", "\U0001f600"])
def test_words_that_find_nothing_find_nothing(live: Live, words: str) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    assert live.get("/v1/search", params={"q": words}).json() == {"hits": []}


def test_staff_finds_its_own_operators_subscribers_only(live: Live, staffed: str) -> None:
    assert [one["name"] for one in live.get("/v1/search", params={"q": "s"}, token=staffed).json()["hits"]] == [
        "s0",
        "s3",
        "s6",
    ]


def test_staff_finds_its_own_however_many_of_others_stand_before_them(live: Live, staffed: str) -> None:
    for number in range(25):
        live.done("/v1/subscribers", {"name": f"anna{number}", "operator": "north"})
    live.done("/v1/subscribers", {"name": "annette", "operator": "south"})
    found = live.get("/v1/search", params={"q": "ann"}, token=staffed).json()["hits"]
    assert [one["name"] for one in found] == ["annette"]


def test_staff_finds_its_own_by_number_however_many_of_others_stand_before_them(live: Live, staffed: str) -> None:
    for number in range(25):
        live.done("/v1/subscribers", {"name": f"anna{number}", "operator": "north", "msisdn": f"49151{number:06}"})
    live.done("/v1/subscribers", {"name": "annette", "operator": "south", "msisdn": "49151999999"})
    found = live.get("/v1/search", params={"q": "+49151"}, token=staffed).json()["hits"]
    assert [(one["name"], one["by"]) for one in found] == [("annette", "MSISDN")]


def test_a_number_is_found_however_many_sims_that_nobody_has_stand_before_it(live: Live) -> None:
    live.done("/v1/sims", {"count": 25, "imsi_prefix": "00101", "first": 0})
    live.done("/v1/subscribers", {"name": "alice", "imsi": "001019999999999"})
    found = live.get("/v1/search", params={"q": "00101"}).json()["hits"]
    assert [(one["name"], one["by"]) for one in found] == [("alice", "IMSI")]


def test_refusals_are_counted_by_reason_with_the_newest_of_each(live: Live) -> None:
    device = enrolled(live, "alice", octets=0)
    for number in range(3):
        device.send("POST", "/v1/agent/interrogations", _first(f"s{number}"))
    alice = live.sign_in("carol")
    live.get("/v1/subscribers/alice/balance", token=alice)
    found = live.get("/v1/refusals/reasons").json()
    assert found["complete"]
    assert [(one["reason"], one["times"], one["whom"]) for one in found["reasons"]] == [
        ("credit_limit_reached", 3, 1),
        ("not_allowed", 1, 1),
    ]
    assert found["reasons"][0]["newest"]["sentence_zh"]
    only = live.get("/v1/refusals?reason=not_allowed").json()
    assert ([one["reason"] for one in only["refusals"]], only["complete"]) == (["not_allowed"], True)


def test_a_list_of_refusals_that_is_cut_says_so(live: Live) -> None:
    device = enrolled(live, "alice", octets=0)
    for number in range(3):
        device.send("POST", "/v1/agent/interrogations", _first(f"s{number}"))
    cut, whole = live.get("/v1/refusals?limit=2").json(), live.get("/v1/refusals?limit=3").json()
    assert (len(cut["refusals"]), cut["complete"]) == (2, False)
    assert (len(whole["refusals"]), whole["complete"]) == (3, True)


def test_why_tells_step_by_step_whose_session_what_was_granted_and_which_rule_refused(live: Live) -> None:
    device = enrolled(live, "alice", octets=500_000)
    go_online(device, "s1", wants=400_000)
    _uses(device, "s1", 1, octets=400_000)
    device.send("POST", "/v1/agent/interrogations", {**_first("s1"), "kind": "intermediate", "number": 1})
    device.send("POST", "/v1/agent/interrogations", {**_first("s1"), "kind": "intermediate", "number": 2})
    why = live.get("/v1/sessions/s1/why").json()
    assert [(one["number"], one["octets"], one["reason"]) for one in why["steps"]] == [
        (0, 400_000, ""),
        (1, 100_000, ""),
        (2, 0, "credit_limit_reached"),
    ]
    assert why["steps"][1]["final"]
    assert why["steps"][2]["sentence"]
    assert [(one["subscriber"], one["reserved"]) for one in why["balances"]] == [("alice", 100_000)]


def test_reservations_are_grouped_by_how_long_their_holders_have_been_silent(live: Live) -> None:
    go_online(enrolled(live, "alice", seed=1), "s-old")
    live.clock.advance(20 * MINUTE)
    go_online(enrolled(live, "bob", seed=2), "s-new", wants=100_000)
    found = live.get("/v1/reservations").json()
    assert found["octets"] == 500_000
    assert [(one["under_s"], one["octets"]) for one in found["ages"]] == [
        (60, 100_000),
        (600, 0),
        (3600, 400_000),
        (0, 0),
    ]
    assert [(one["session"], one["silent_s"]) for one in found["reservations"]] == [("s-old", 1200), ("s-new", 0)]
    assert found["complete"]
    cut = live.get("/v1/reservations?limit=1").json()
    assert (len(cut["reservations"]), cut["octets"], cut["complete"]) == (1, 500_000, False)


def test_a_base_station_shows_when_it_was_heard_and_how_far_its_clock_is_off(market: Any) -> None:
    live = market.live
    (before,) = live.get("/v1/base-stations").json()["base_stations"]
    headers = market.station.signed("GET", "/v1/station/recalls", b"")
    for said in ("-90000", "nonsense", "9" * 40):
        live.clock.advance(2 * MINUTE)
        headers = market.station.signed("GET", "/v1/station/recalls", b"")
        answer = live.http.get("/v1/station/recalls", headers={**headers, "qanat-clock-offset": said})
        assert answer.status_code == 200
        (after,) = live.get("/v1/base-stations").json()["base_stations"]
        assert after["clock_ahead_ms"] == (90_000 if said == "-90000" else 0)
        assert after["heard_at"] != before["heard_at"]
        before = after


def test_a_base_station_is_heard_again_at_once_when_the_clock_has_been_set_back(market: Any) -> None:
    live = market.live
    for jump in (DAY, -DAY):
        live.clock.jump(jump)
        headers = market.station.signed("GET", "/v1/station/recalls", b"")
        assert live.http.get("/v1/station/recalls", headers=headers).status_code == 200
        (shown,) = live.get("/v1/base-stations").json()["base_stations"]
        assert shown["heard_at"] == format_instant(live.clock.now())


STAFF_ONLY = (
    "/v1/pulse",
    "/v1/pulse/stream",
    "/v1/search?q=a",
    "/v1/refusals/reasons",
    "/v1/reservations",
    "/v1/changes",
    "/v1/voucher-batches",
    "/v1/base-stations",
    "/v1/trades",
)


def test_subscribers_and_strangers_reach_nothing_of_the_staffs(live: Live) -> None:
    alice = live.sign_in("alice")
    for path in STAFF_ONLY:
        assert live.get(path, token=alice).status_code == 403, path
        assert live.get(path, token="").status_code == 401, path


def _first(session: str) -> dict[str, Any]:
    rows = {"journal": "j1", "floor": 0, "rows": []}
    return {"session": session, "number": 0, "kind": "first", "report": rows, "wants": 400_000}


def _final(session: str) -> dict[str, Any]:
    rows = {"journal": "j1", "floor": 0, "rows": []}
    return {"session": session, "number": 1, "kind": "final", "report": rows}


def _uses(device: Any, session: str, number: int, *, octets: int) -> None:
    (found,) = [one for one in device.live.get("/v1/sessions").json()["sessions"] if one["session"] == session]
    quota = found["quotas"][0]["quota"]
    row = {"seq": number, "quota": quota, "epoch": 0, "up": 0, "down": octets, "reserved": octets * number, "at": 1}
    answer = device.send("POST", "/v1/agent/usage", {"journal": "j1", "floor": 0, "rows": [row]})
    assert answer.status_code == 200, answer.text
