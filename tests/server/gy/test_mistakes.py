"""Mistakes proved or read in other systems, each not repeated here.

A retransmission charged again is in ``test_decisions``, kill -9 in ``test_kill``.
"""

from __future__ import annotations

import pytest
from tests.server.gy.gateway import Gateway, balance, funded, mscc, plain, used, wants
from tests.server.live import Live

from qanat.charging.session import ANSWERS_KEPT


def test_the_end_of_a_balance_is_spent_to_the_last_octet(live: Live, smf: Gateway) -> None:
    """No minimum reservation: 25,000,001 octets are three quotas, the last of 5,000,001."""
    funded(live, octets=25_000_001, name="bob", imsi="001010000000002", msisdn="37060000002")
    granted = [smf.ask("I", imsi="001010000000002").services[0]]
    while granted[-1].granted is not None:
        octets = granted[-1].granted.total
        granted.append(smf.ask("U", imsi="001010000000002", used=(octets, 0)).services[0])
    assert [service.granted.total for service in granted[:-1]][-1] == 5_000_001
    assert granted[-1].result_code == 4012
    assert balance(live, "bob") == (0, 0, 25_000_001)


def test_a_top_up_revives_a_session_of_a_gateway_that_ignores_re_authorisation(live: Live, smf: Gateway) -> None:
    """Its last quota is short-lived, and not called the last: Open5GS would end the session at the report that follows."""
    bob = "001010000000002"
    funded(live, octets=1_000, name="bob", msisdn="37060000002", imsi=bob)
    (last,) = smf.ask("I", imsi=bob).services
    assert (last.granted.total, last.validity_time_s, last.final_unit) == (1_000, 60, None)
    live.done("/v1/subscribers/bob/top-ups", {"octets": 5_000})
    smf.receive()
    (more,) = smf.ask("U", imsi=bob, used=(400, 500)).services
    assert (more.granted.total, more.final_unit) == (5_100, None)
    assert smf.ask("U", imsi=bob, used=(5_100, 0)).services[0].result_code == 4012


def test_an_end_without_services_releases_every_reservation(live: Live, pgw: Gateway) -> None:
    pgw.profile = plain(mscc(wants(1_000), group=1), mscc(wants(1_000), group=2))
    pgw.ask("I")
    pgw.profile = plain()
    assert pgw.ask("T").result_code == 2001
    assert balance(live) == (10**9, 0, 0)


def test_no_service_that_asks_is_told_2001_without_a_grant(live: Live, pgw: Gateway) -> None:
    """For real gateways 2001 without octets means unlimited traffic."""
    pgw.profile = plain(mscc(wants(), group=1), mscc(wants(0), group=2), mscc(wants()), mscc(wants(2**64 - 1), group=3))
    for service in pgw.ask("I").services:
        assert service.granted.total > 0


def test_volumes_beyond_32_bits_are_counted_exactly(live: Live, smf: Gateway) -> None:
    live.done("/v1/subscribers/alice/top-ups", {"octets": 2**52})
    smf.ask("I")
    smf.ask("U", used=(2**40 + 1, 2**41 + 1))
    assert balance(live)[2] == 2**40 + 2**41 + 2


@pytest.mark.parametrize("reports", [1, 3])
def test_a_report_that_cannot_be_is_refused_and_counts_nothing(live: Live, pgw: Gateway, reports: int) -> None:
    """Three reports of the largest count together do not fit into 64 bits."""
    pgw.profile = plain(mscc(wants()))
    pgw.ask("I")
    pgw.profile = plain(mscc(wants(), *[used(2**64 - 1)] * reports))
    answer = pgw.ask("U")
    assert (answer.result_code, len(answer.failed_avps)) == (5004, 1)
    assert balance(live)[2] == 0


def test_usage_past_the_balance_is_debt_that_the_next_purchase_pays(live: Live, smf: Gateway) -> None:
    funded(live, octets=1_000, name="bob", imsi="001010000000002", msisdn="37060000002")
    smf.ask("I", imsi="001010000000002")
    smf.ask("T", imsi="001010000000002", used=(1_500, 0))
    assert live.get("/v1/subscribers/bob/balance").json()["debt"] == 500
    live.done("/v1/subscribers/bob/top-ups", {"octets": 2_000})
    assert balance(live, "bob") == (1_500, 0, 1_500)


def test_a_session_that_is_refused_as_a_whole_holds_nothing_though_no_end_will_come(live: Live, smf: Gateway) -> None:
    live.done("/v1/subscribers/alice/status", {"status": "suspended"})
    assert smf.ask("I").result_code != 2001
    assert balance(live)[1] == 0


def test_more_numbers_than_answers_are_kept_are_still_known(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    for _ in range(ANSWERS_KEPT + 3):
        smf.ask("U", used=(1, 0))
    smf.number = 1
    assert smf.ask("U", used=(1, 0)).result_code == 5004
    assert balance(live)[2] == ANSWERS_KEPT + 3


def test_why_tells_an_operator_what_a_session_was_refused(live: Live, smf: Gateway) -> None:
    funded(live, octets=0, name="bob", imsi="001010000000002", msisdn="37060000002")
    smf.ask("I", imsi="001010000000002")
    shown = live.get(f"/v1/sessions/{smf.session}/why").json()
    assert shown["refusals"][0]["reason"] == "credit_limit_reached"
    assert "qanat top-up" in shown["refusals"][0]["cure"]
    assert shown["sessions"][0]["front"] == "gy"
