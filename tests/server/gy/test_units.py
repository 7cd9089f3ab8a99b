"""Units other than octets: time, and what a service counts by itself. Each has its own plans, buckets and accounts."""

from __future__ import annotations

from typing import Any

from tests.server.gy.gateway import Gateway, balance, mscc, plain, wants
from tests.server.gy.gateway import used as octets_used
from tests.server.live import Live

from qanat.wire.diameter.profiles import avp, u32, u64


def bought(live: Live, plan: str, **terms: int) -> None:
    live.done("/v1/plans", {"name": plan, "valid_days": 30, "price": 0, **terms})
    live.done("/v1/subscribers/alice/purchases", {"plan": plan})


def left(live: Live, unit: str) -> list[tuple[int, int]]:
    """Return what is available and reserved of each bucket of a unit."""
    shown = live.get("/v1/subscribers/alice/balance").json()["buckets"]
    return [(one["available"], one["reserved"]) for one in shown if one["unit"] == unit]


def seconds(name: str, count: int) -> bytes:
    return avp(name, u32("CC-Time", count))


def units(name: str, count: int) -> bytes:
    return avp(name, u64("CC-Service-Specific-Units", count))


def ask(gateway: Gateway, kind: str, *avps: bytes, **more: Any) -> Any:
    gateway.profile = plain(*avps, **more)
    return gateway.ask(kind)


WANTED, USED = "Requested-Service-Unit", "Used-Service-Unit"


def test_a_call_is_granted_and_charged_in_seconds_and_what_is_left_goes_home(live: Live, pgw: Gateway) -> None:
    bought(live, "talk", seconds=3_600)
    (first,) = ask(pgw, "I", mscc(seconds(WANTED, 300), group=7)).services
    assert (first.granted.time_s, first.granted.total, first.time_quota_threshold_s) == (300, None, 60)
    assert (first.volume_quota_threshold, first.final_unit) == (None, None)
    assert left(live, "seconds") == [(3_300, 300)]
    (more,) = ask(pgw, "U", mscc(seconds(WANTED, 300), seconds(USED, 250), group=7)).services
    assert more.granted.time_s == 300
    ask(pgw, "U", mscc(seconds(WANTED, 300), seconds(USED, 250), group=7))
    assert ask(pgw, "T", mscc(seconds(USED, 10), group=7)).result_code == 2001
    assert left(live, "seconds") == [(3_600 - 510, 0)]
    assert balance(live) == (10**9, 0, 0)


def test_a_repeated_report_of_seconds_is_charged_once(live: Live, pgw: Gateway) -> None:
    bought(live, "talk", seconds=3_600)
    ask(pgw, "I", mscc(seconds(WANTED, 300), group=7))
    ask(pgw, "U", mscc(seconds(WANTED, 300), seconds(USED, 250), group=7))
    pgw.send(pgw.last)
    assert pgw.receive().result_code == 2001  # type: ignore[attr-defined]
    ask(pgw, "T")
    assert left(live, "seconds") == [(3_350, 0)]


def test_the_last_seconds_are_granted_in_part_and_final_and_then_there_are_none(live: Live, pgw: Gateway) -> None:
    bought(live, "talk", seconds=100)
    (last,) = ask(pgw, "I", mscc(seconds(WANTED, 300), group=7)).services
    assert (last.granted.time_s, last.final_unit is None, last.time_quota_threshold_s) == (100, False, None)
    (none,) = ask(pgw, "U", mscc(seconds(WANTED, 300), seconds(USED, 120), group=7)).services
    assert (none.result_code, none.granted) == (4012, None)
    ask(pgw, "T")
    bought(live, "more", seconds=1_000)  # 20 seconds were owed, of time and not of octets
    assert left(live, "seconds") == [(980, 0)]
    assert balance(live) == (10**9, 0, 0)


def test_a_report_is_plausible_if_each_of_its_units_is(live: Live, pgw: Gateway) -> None:
    ask(pgw, "I", mscc(wants(1_000)))
    both = avp(USED, u64("CC-Total-Octets", 2**53 - 1), u32("CC-Time", 2**32 - 1))
    assert ask(pgw, "U", mscc(both)).result_code == 2001
    assert balance(live)[2] == 2**53 - 1


def test_services_of_different_units_live_in_one_request(live: Live, pgw: Gateway) -> None:
    bought(live, "talk", seconds=3_600)
    bought(live, "letters", units=50)
    asked = (mscc(wants(1_000), group=1), mscc(seconds(WANTED, 60), group=2), mscc(units(WANTED, 3), group=3))
    traffic, call, letters = ask(pgw, "I", *asked).services
    assert (traffic.granted.total, call.granted.time_s, letters.granted.service_specific) == (1_000, 60, 3)
    reports = (mscc(octets_used(400), group=1), mscc(seconds(USED, 5), group=2), mscc(units(USED, 2), group=3))
    assert ask(pgw, "T", *reports).result_code == 2001
    assert (left(live, "seconds"), left(live, "units")) == ([(3_595, 0)], [(48, 0)])
    assert balance(live) == (10**9 - 400, 0, 400)


def test_one_service_may_be_bounded_by_time_and_octets_and_gets_what_there_is(live: Live, pgw: Gateway) -> None:
    """Gateways that always ask in both get octets alone where no time was bought, and nobody is told of a refusal."""
    both = avp(WANTED, u32("CC-Time", 60), u64("CC-Total-Octets", 5_000))
    (alone,) = ask(pgw, "I", mscc(both, group=1)).services
    assert (alone.granted.total, alone.granted.time_s) == (5_000, None)
    assert live.get("/v1/refusals").json()["refusals"] == []
    bought(live, "talk", seconds=3_600)
    pgw.receive()  # it is told that there is more now
    spent = avp(USED, u32("CC-Time", 30), u64("CC-Total-Octets", 100))
    (bounded,) = ask(pgw, "U", mscc(both, spent, group=1)).services
    assert (bounded.granted.total, bounded.granted.time_s) == (5_000, 60)
    ask(pgw, "U", mscc(wants(5_000), spent, group=1))
    assert left(live, "seconds") == [(3_570, 0)]  # no time was asked for any more
    ask(pgw, "T", mscc(spent, group=1))
    assert left(live, "seconds") == [(3_570, 0)]
    assert balance(live)[2] == 300


def test_time_that_is_reported_beside_octets_without_a_quota_of_time_costs_nothing(live: Live, smf: Gateway) -> None:
    """As Open5GS does, always; also where the subscriber has time for other services."""
    bought(live, "talk", seconds=3_600)
    smf.ask("I")
    smf.ask("U", used=(1, 2), time_s=99)
    smf.ask("T", used=(3, 4), time_s=99)
    assert left(live, "seconds") == [(3_600, 0)]
    assert balance(live) == (10**9 - 10, 0, 10)


def test_a_message_is_debited_and_given_back_as_one_event(live: Live, pgw: Gateway) -> None:
    bought(live, "letters", units=2)
    debit, refund = u32("Requested-Action", 0), u32("Requested-Action", 1)
    answer = ask(pgw, "E", debit, mscc(units(WANTED, 1), group=3), session="sms;1")
    assert answer.services[0].granted.service_specific == 1
    assert left(live, "units") == [(1, 0)]
    assert ask(pgw, "E", debit, mscc(units(WANTED, 2), group=3), session="sms;2").result_code == 4012
    assert ask(pgw, "E", refund, mscc(units(WANTED, 1), group=3), session="sms;3").result_code == 2001
    assert left(live, "units") == [(2, 0)]
    assert balance(live) == (10**9, 0, 0)


def test_a_plan_holds_one_unit(live: Live) -> None:
    for amounts in ({}, {"octets": 1, "seconds": 1}, {"units": 0}):
        assert live.post("/v1/plans", {"name": "odd", "valid_days": 1, "price": 0, **amounts}).status_code == 422
