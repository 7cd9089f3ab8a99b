"""Vouchers: each is good once, however it is tried, and a database that is stolen redeems none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.server.live import Live
from tests.server.test_lists import staffed

from qanat.units import DAY, MINUTE

__all__ = ["staffed"]


def make(live: Live, batch: str = "v", *, token: str | None = None, **more: Any) -> list[str]:
    worth = {"octets": 1000} if "amount" not in more else {}
    codes: list[str] = live.done("/v1/voucher-batches", {"batch": batch, "count": 3, **worth, **more}, token=token)[
        "codes"
    ]
    return codes


def redeem(live: Live, code: str, token: str) -> tuple[int, str]:
    answer = live.post("/v1/me/vouchers", {"code": code}, token=token)
    return answer.status_code, answer.json().get("reason", "")


def test_a_voucher_of_octets_becomes_a_bucket(live: Live) -> None:
    alice = live.sign_in("alice")
    code, *_ = make(live, valid_days=7)
    got = live.done("/v1/me/vouchers", {"code": code}, token=alice)
    (bucket,) = live.get("/v1/me/balance", token=alice).json()["buckets"]
    assert (got["octets"], got["bucket"], got["expires_at"]) == (1000, bucket["bucket"], bucket["expires_at"])
    assert (bucket["available"], live.get("/v1/audit").json()["balanced"]) == (1000, True)


def test_a_voucher_of_money_goes_into_the_wallet(live: Live) -> None:
    alice = live.sign_in("alice")
    first, second, _ = make(live, amount=990)
    for code in (first, second):
        assert live.done("/v1/me/vouchers", {"code": code}, token=alice)["amount"] == 990
    assert live.get("/v1/me/balance", token=alice).json()["wallets"] == [{"currency": "EUR", "balance": 1980}]


def test_a_code_is_good_however_it_is_written_and_a_wrong_symbol_is_seen_before_it_counts_as_a_try(live: Live) -> None:
    alice = live.sign_in("alice")
    code, *_ = make(live)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(20):
        assert redeem(live, wrong, alice) == (422, "misspelt_voucher")
    assert redeem(live, f" {code.lower().replace('-', ' ')} ", alice) == (201, "")


def test_many_who_redeem_one_voucher_at_once_get_it_once(live: Live) -> None:
    tokens = [live.sign_in(name) for name in ("alice", "bob", "carol", "dave")]
    code, *_ = make(live)
    with ThreadPoolExecutor(8) as several:
        answers = list(several.map(lambda token: redeem(live, code, token), tokens * 2))
    assert sorted(answers)[0] == (201, "")
    assert {answer for answer in answers if answer[0] != 201} == {(409, "voucher_used")}
    assert sum(live.get("/v1/me/balance", token=token).json()["available"] for token in tokens) == 1000
    (batch,) = live.get("/v1/voucher-batches").json()["batches"]
    assert batch["redeemed"] == 1


def test_a_repeat_with_the_same_key_gets_the_same_answer(live: Live) -> None:
    alice = live.sign_in("alice")
    code, *_ = make(live)
    answers = [live.post("/v1/me/vouchers", {"code": code}, token=alice, key="k").text for _ in range(2)]
    assert answers[0] == answers[1]
    again = [live.post("/v1/voucher-batches", {"batch": "w", "count": 2, "octets": 1}, key="b").text for _ in range(2)]
    assert again[0] == again[1]


def test_guessing_is_bounded(live: Live) -> None:
    alice = live.sign_in("alice")
    make(live, "mine")
    unknown = make(live, "theirs", operator=live.done("/v1/operators", {"name": "north"})["name"])
    seen = [redeem(live, unknown[0], alice) for _ in range(6)]
    assert seen == [(404, "unknown_voucher")] * 5 + [(429, "too_many_tries")]
    live.clock.advance(MINUTE)
    assert redeem(live, unknown[0], alice)[0] == 404


def test_a_stranger_at_the_door_keeps_nobody_from_redeeming(live: Live) -> None:
    alice = live.sign_in("alice")
    for _ in range(6):
        live.post("/v1/sign-in", {"name": "voucher subscriber/alice", "password": "a guess"}, token="")
    assert redeem(live, make(live)[0], alice)[0] == 201


def test_right_codes_are_no_tries_and_a_repeat_of_one_buys_no_more(live: Live) -> None:
    alice = live.sign_in("alice")
    codes = make(live, count=10)
    unknown = make(live, "theirs", operator=live.done("/v1/operators", {"name": "north"})["name"])[0]
    assert [redeem(live, code, alice)[0] for code in codes[:9]] == [201] * 9
    seen = []
    for _ in range(8):
        live.post("/v1/me/vouchers", {"code": codes[9]}, token=alice, key="k")
        seen.append(redeem(live, unknown, alice)[0])
    assert seen == [404] * 5 + [429] * 3


def test_what_ran_out_or_was_withdrawn_is_named_as_such(live: Live) -> None:
    alice = live.sign_in("alice")
    old, withdrawn = make(live, "old", good_days=1), make(live, "withdrawn")
    live.done("/v1/voucher-batches/withdrawn/withdrawal")
    assert redeem(live, withdrawn[0], alice) == (410, "voucher_expired")
    live.clock.advance(DAY)
    alice = live.done("/v1/sign-in", {"name": "alice", "password": "correct horse"}, token="")["token"]
    assert redeem(live, old[0], alice) == (410, "voucher_expired")
    states = {one["batch"]: one["state"] for one in live.get("/v1/voucher-batches").json()["batches"]}
    assert states == {"old": "expired", "withdrawn": "withdrawn"}


def test_codes_are_shown_once_and_nowhere_kept(live: Live) -> None:
    codes = make(live)
    shown = [live.get(path).text for path in ("/v1/voucher-batches", "/v1/voucher-batches/v/vouchers", "/v1/changes")]
    assert not [code for code in codes for text in shown if code in text]


@pytest.mark.parametrize(
    "wrong",
    [
        {"octets": 1, "amount": 1},
        {"octets": 0},
        {"octets": 1, "count": 5001},
        {"octets": 1, "count": 0},
        {"octets": -1},
        {"octets": 1, "batch": "../x"},
        {"octets": 1, "currency": "euro"},
    ],
)
def test_bad_batches_are_refused_with_the_field(live: Live, wrong: dict[str, Any]) -> None:
    answer = live.post("/v1/voucher-batches", {"batch": "v", "count": 1, **wrong})
    assert (answer.status_code, answer.json()["reason"]) == (422, "bad_input")


def test_batches_are_their_operators_and_no_subscribers(live: Live, staffed: str) -> None:
    alice = live.sign_in("alice")
    make(live)
    for path in ("/v1/voucher-batches", "/v1/voucher-batches/v/vouchers"):
        assert live.get(path, token=alice).status_code == 403
    assert live.get("/v1/voucher-batches", token=staffed).json()["batches"] == []
    assert live.get("/v1/voucher-batches/v/vouchers", token=staffed).status_code == 404
    assert live.post("/v1/voucher-batches/v/withdrawal", token=staffed).status_code == 404
    assert live.post("/v1/voucher-batches", {"batch": "w", "count": 1, "octets": 1}, token=staffed).status_code == 403
    assert live.post("/v1/voucher-batches", {"batch": "w", "count": 1, "octets": 1}, token=alice).status_code == 403
    assert len(make(live, "w", operator="south", token=staffed)) == 3
    assert live.post("/v1/subscribers/s0/vouchers", {"code": "x"}, token=alice).status_code == 403


def test_the_largest_batch_is_made_in_one_piece(live: Live) -> None:
    codes = make(live, count=5000)
    assert len(set(codes)) == 5000
    alice = live.sign_in("alice")
    assert redeem(live, codes[4999], alice) == (201, "")
