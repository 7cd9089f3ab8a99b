from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from tests.server.live import Live, live_server, settings_for

from qanat.units import HOUR, MINUTE


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(live: Live) -> None:
    live.sign_in("alice")
    wrong = [
        live.post("/v1/sign-in", {"name": name, "password": "not this one"}, token="") for name in ("alice", "nobody")
    ]
    assert wrong[0].text == wrong[1].text
    assert wrong[0].json()["reason"] == "wrong_sign_in"


def test_tries_are_bounded_for_names_that_exist_and_names_that_do_not(live: Live) -> None:
    live.sign_in("alice")
    for name in ("alice", "nobody"):
        answers = [live.post("/v1/sign-in", {"name": name, "password": "wrong"}, token="") for _ in range(6)]
        assert [one.status_code for one in answers] == [401] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0
    live.clock.advance(MINUTE)
    assert live.post("/v1/sign-in", {"name": "alice", "password": "correct horse"}, token="").status_code == 201


def test_an_address_that_may_try_no_more_keeps_nobody_out(live: Live) -> None:
    live.sign_in("alice")
    for number in range(48):
        live.post("/v1/sign-in", {"name": f"nobody-{number}", "password": "a guess"}, token="")
    asked = {"name": "alice", "password": "a guess"}
    assert {live.post("/v1/sign-in", asked, token="").status_code for _ in range(10)} == {429}
    elsewhere = httpx2.HTTPTransport(local_address="127.0.0.2")
    with httpx2.Client(base_url=live.url, transport=elsewhere) as http:
        answer = http.post("/v1/sign-in", json={"name": "alice", "password": "correct horse"})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(("proxies", "in_the_next_house"), [("", 429), ("10.9.9.9", 429), ("10.9.9.9, 127.0.0.1", 201)])
def test_only_a_known_proxy_says_whose_tries_they_are(tmp_path: Path, proxies: str, in_the_next_house: int) -> None:
    """Behind a proxy all would share one address, and whoever guesses passwords there would keep everybody out."""
    with live_server(tmp_path, settings_for(tmp_path, http={"proxies": proxies})) as live:
        live.sign_in("alice")
        for number in range(50):
            _tries(live, f"nobody-{number}", address="203.0.113.1")
        assert _tries(live, "alice", address="198.51.100.7, 203.0.113.1") == 429, (
            "what a client says itself counts nothing"
        )
        assert _tries(live, "alice", address="203.0.113.2") == in_the_next_house


@pytest.mark.parametrize(
    ("guesser", "other", "told"),
    [
        ("2001:db8:1:1::{}", "2001:db8:1:1:ffff::", 429),
        ("2001:db8:1:1::{}", "2001:db8:1:2::", 201),
        ("::ffff:192.0.2.{}", "::ffff:198.51.100.7", 201),
        ("192.0.2.{}", "192.0.2.200", 201),
    ],
)
def test_whoever_takes_another_ipv6_address_for_every_guess_is_one_all_the_same(
    tmp_path: Path, guesser: str, other: str, told: int
) -> None:
    with live_server(tmp_path, settings_for(tmp_path, http={"proxies": "127.0.0.1"})) as live:
        live.sign_in("alice")
        for number in range(50):
            _tries(live, f"nobody-{number}", address=guesser.format(number))
        assert _tries(live, "alice", address=other) == told


def _tries(live: Live, name: str, *, address: str) -> int:
    asked = {"name": name, "password": "correct horse"}
    return live.http.post("/v1/sign-in", json=asked, headers={"x-forwarded-for": address}).status_code


def test_a_token_ends_with_its_time_and_with_signing_out(live: Live) -> None:
    alice = live.sign_in("alice")
    assert live.get("/v1/whoami", token=alice).json()["name"] == "alice"
    live.done("/v1/sign-out", token=alice)
    assert live.get("/v1/whoami", token=alice).json()["reason"] == "signed_out"
    again = live.done("/v1/sign-in", {"name": "alice", "password": "correct horse"}, token="")["token"]
    live.clock.advance(12 * HOUR)
    assert live.get("/v1/whoami", token=again).status_code == 401


def test_a_subscriber_touches_only_what_is_its_own(live: Live) -> None:
    alice, _ = live.sign_in("alice"), live.sign_in("bob")
    for path in ("/v1/subscribers/bob/balance", "/v1/subscribers", "/v1/refusals", "/v1/audit", "/v1/sims"):
        assert live.get(path, token=alice).status_code == 403, path
    for path, body in (
        ("/v1/subscribers/alice/pay-ins", {"amount": 1}),
        ("/v1/subscribers/alice/top-ups", {"octets": 1}),
        ("/v1/subscribers/bob/codes", {}),
        ("/v1/plans", {"name": "x", "octets": 1, "valid_days": 1, "price": 0}),
        ("/v1/codes", {}),
    ):
        assert live.post(path, body, token=alice).status_code == 403, path
    assert live.get("/v1/subscribers/alice/balance", token=alice).status_code == 200


def test_without_a_token_nothing_is_shown(live: Live) -> None:
    for path in ("/v1/plans", "/v1/me/balance", "/v1/subscribers/alice/balance", "/v1/sessions"):
        for token in ("", "wrong"):
            assert live.get(path, token=token).json()["reason"] == "signed_out", path


def test_staff_that_asks_for_its_own_balance_is_told_to_name_a_subscriber(live: Live) -> None:
    answer = live.get("/v1/me/balance")
    assert (answer.status_code, answer.json()["reason"]) == (403, "subscriber_not_named")
    assert "--subscriber" in answer.json()["cure"]


def test_a_name_is_taken_once(live: Live) -> None:
    live.sign_in("alice")
    for name in ("alice", "admin"):
        answer = live.post("/v1/sign-up", {"name": name, "password": "correct horse"}, token="")
        assert answer.json()["reason"] == "name_taken"


def test_staff_gives_a_new_password_and_every_earlier_sign_in_ends(live: Live) -> None:
    alice = live.sign_in("alice")
    live.done("/v1/subscribers/alice/password", {"password": "another horse"})
    assert live.get("/v1/whoami", token=alice).status_code == 401
    assert live.post("/v1/sign-in", {"name": "alice", "password": "correct horse"}, token="").status_code == 401
    assert live.post("/v1/sign-in", {"name": "alice", "password": "another horse"}, token="").status_code == 201
    live.done("/v1/operators", {"name": "north"})
    live.done("/v1/operators/north/staff", {"name": "norbert", "password": "correct horse"})
    norbert = live.done("/v1/sign-in", {"name": "norbert", "password": "correct horse"}, token="")["token"]
    barred = live.post("/v1/subscribers/alice/password", {"password": "norberts horse"}, token=norbert)
    assert barred.json()["reason"] == "unknown_subscriber", "another operator's"


def test_a_subscriber_changes_its_own_password_with_the_current_one_and_tries_are_bounded(live: Live) -> None:
    alice = live.sign_in("alice")
    other = live.done("/v1/sign-in", {"name": "alice", "password": "correct horse"}, token="")["token"]
    bella = live.sign_in("alice2")
    for wrong in ({}, {"current": "a guess"}):
        answer = live.post("/v1/me/password", {"password": "another horse", **wrong}, token=alice)
        assert answer.json()["reason"] == "wrong_sign_in"
    live.done("/v1/me/password", {"password": "another horse", "current": "correct horse"}, token=alice)
    assert live.get("/v1/whoami", token=alice).status_code == 200, "this sign-in stays"
    assert live.get("/v1/whoami", token=other).status_code == 401, "the others end"
    assert live.get("/v1/whoami", token=bella).status_code == 200
    answers = [
        live.post("/v1/me/password", {"password": "another horse", "current": "a guess"}, token=alice) for _ in range(6)
    ]
    assert answers[-1].status_code == 429
    assert live.post("/v1/subscribers/alice2/password", {"password": "stolen horse"}, token=alice).status_code == 403


def test_who_is_dismissed_is_out_at_once_and_comes_back_only_when_hired_again(live: Live) -> None:
    for operator in ("north", "south"):
        live.done("/v1/operators", {"name": operator})
    password, another = {"password": "correct horse"}, {"password": "another horse"}
    live.done("/v1/operators/north/staff", {"name": "nora", **password})
    nora = live.done("/v1/sign-in", {"name": "nora", **password}, token="")["token"]
    for other in ("south", "nowhere"):
        assert live.post(f"/v1/operators/{other}/staff/nora/dismissal").json()["reason"] == "not_found"
    for _ in range(2):
        assert live.done("/v1/operators/north/staff/nora/dismissal")["dismissed_at"]
    assert live.get("/v1/whoami", token=nora).status_code == 401
    assert live.post("/v1/sign-in", {"name": "nora", **password}, token="").json()["reason"] == "wrong_sign_in"
    taken = (
        live.post("/v1/sign-up", {"name": "nora", **password}, token=""),
        live.post("/v1/operators/south/staff", {"name": "nora", **another}),
    )
    assert {one.json()["reason"] for one in taken} == {"name_taken"}
    assert [one["name"] for one in live.get("/v1/operators/north/staff").json()["staff"]] == ["nora"]
    assert live.done("/v1/operators/north/staff", {"name": "nora", **another})["dismissed_at"] is None
    assert live.post("/v1/operators/north/staff", {"name": "nora", **password}).json()["reason"] == "name_taken"
    back = live.done("/v1/sign-in", {"name": "nora", **another}, token="")["token"]
    assert live.get("/v1/operators/north/staff", token=back).status_code == 200
    assert live.get("/v1/operators/south/staff", token=back).status_code == 403


def test_staff_changes_its_own_password_with_the_current_one_and_the_token_file_stays_good(live: Live) -> None:
    live.done("/v1/operators/home/staff", {"name": "sue", "password": "correct horse"})
    here, elsewhere = (
        live.done("/v1/sign-in", {"name": "sue", "password": "correct horse"}, token="")["token"] for _ in range(2)
    )
    asked = {"password": "quite another horse"}
    assert live.post("/v1/staff/password", asked, token=here).status_code == 401
    assert live.post("/v1/staff/password", asked | {"current": "a guess"}, token=here).status_code == 401
    live.done("/v1/staff/password", asked | {"current": "correct horse"}, token=here)
    assert live.get("/v1/whoami", token=here).status_code == 200
    assert live.get("/v1/whoami", token=elsewhere).status_code == 401
    assert live.get("/v1/whoami").status_code == 200, "the token file of the administrator"
    alice = live.sign_in("alice")
    assert live.post("/v1/staff/password", asked | {"current": "correct horse"}, token=alice).status_code == 403


def test_who_signs_up_becomes_a_subscriber_of_the_operator_that_the_settings_name(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, sign_in={"operator": "gadget"})) as live:
        dora = {"name": "dora", "password": "correct horse"}
        early = live.post("/v1/sign-up", dora, token="")
        assert (early.status_code, early.json()["reason"]) == (404, "unknown_operator")
        live.done("/v1/operators", {"name": "gadget"})
        assert live.done("/v1/sign-up", dora, token="")["operator"] == "gadget"
