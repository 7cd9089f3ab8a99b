"""Idempotency-Key: a request that comes again takes effect once and gets the same answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.server.live import Live

from qanat.units import DAY


def test_the_same_key_and_body_get_the_stored_answer_and_one_effect(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    answers = [live.post("/v1/subscribers/alice/top-ups", {"octets": 1000}, key="k-1") for _ in range(3)]
    assert {(one.status_code, one.text) for one in answers} == {(201, answers[0].text)}
    assert live.get("/v1/subscribers/alice/balance").json()["available"] == 1000


def test_the_same_key_with_another_body_is_refused(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    live.post("/v1/subscribers/alice/top-ups", {"octets": 1000}, key="k-1")
    again = live.post("/v1/subscribers/alice/top-ups", {"octets": 2000}, key="k-1")
    assert (again.status_code, again.json()["reason"]) == (409, "key_reused")
    assert live.get("/v1/subscribers/alice/balance").json()["available"] == 1000


def test_an_enrolment_code_is_shown_again_to_whoever_asked_for_it(live: Live) -> None:
    first, again = (live.post("/v1/codes", {}, key="k-1").json() for _ in range(2))
    assert first == again
    assert live.post("/v1/codes", {}, key="k-2").json()["code"] != first["code"]


def test_what_was_refused_may_be_tried_again_with_the_same_key(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "alice"})
    live.done("/v1/plans", {"name": "day", "octets": 10, "valid_days": 1, "price": 5})
    assert live.post("/v1/subscribers/alice/purchases", {"plan": "day"}, key="k").status_code == 402
    live.done("/v1/subscribers/alice/pay-ins", {"amount": 5})
    assert live.post("/v1/subscribers/alice/purchases", {"plan": "day"}, key="k").status_code == 201


def test_keys_of_different_callers_do_not_meet_and_are_forgotten_after_a_day(live: Live) -> None:
    alice, bob = live.sign_in("alice"), live.sign_in("bob")
    codes = [live.post("/v1/me/codes", {}, token=token, key="k").json()["subscriber"] for token in (alice, bob)]
    assert codes == ["alice", "bob"]
    live.done("/v1/subscribers/alice/top-ups", {"octets": 1})
    live.post("/v1/subscribers/alice/top-ups", {"octets": 1}, key="k")
    live.clock.advance(DAY)
    live.post("/v1/subscribers/alice/top-ups", {"octets": 1}, key="k")
    assert live.get("/v1/subscribers/alice/balance").json()["available"] == 3


def test_a_range_of_cloud_sims_is_made_up_once_however_many_decisions_it_takes(live: Live) -> None:
    answers = [live.post("/v1/sims", {"count": 60}, key="k-1") for _ in range(2)]
    assert answers[0].text == answers[1].text
    assert live.get("/v1/sims").json()["pools"][0]["free"] == 60


def test_a_range_that_is_asked_for_again_while_it_is_made_up_is_the_same_range(live: Live) -> None:
    """A range of sixty takes three decisions, between which those of its repeats come."""
    with ThreadPoolExecutor(8) as repeats:
        answers = list(repeats.map(lambda _: live.post("/v1/sims", {"count": 60}, key="k-1"), range(8)))
    assert {(one.status_code, one.text) for one in answers} == {(201, answers[0].text)}
    assert live.get("/v1/sims").json()["pools"][0]["free"] == 60
