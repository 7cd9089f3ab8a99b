"""Where existing systems contradict each other, this is what we do: the decisions of docs/decisions/0009, one test each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.server.gy.gateway import IMSI, Gateway, accepted, balance, funded, mscc, plain, used, wants
from tests.server.live import Live, live_server, settings_for
from tests.server.test_lists import whole

from qanat.charging.granting import QUOTAS_MOST
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.messages import ErrorAnswer
from qanat.wire.diameter.profiles import avp, text, u32
from qanat.wire.diameter.values import FinalUnitAction


def poor(live: Live, octets: int) -> None:
    """Create Bob, who has only so much."""
    funded(live, octets=octets, name="bob", imsi="001010000000002", msisdn="37060000002")


BOB = "001010000000002"


def services(gateway: Gateway, kind: str, *avps: bytes, imsi: str = IMSI) -> Any:
    """Ask, and return the services of an answer that is good as a whole."""
    answer = say(gateway, kind, *avps, imsi=imsi)
    assert answer.result_code == 2001, answer
    return answer.services


def say(gateway: Gateway, kind: str, *avps: bytes, imsi: str = IMSI, named: bool = True) -> Any:
    gateway.profile = plain(*avps, named=named)
    return gateway.ask(kind, imsi=imsi)


def refusals(live: Live) -> list[tuple[str, str]]:
    found = live.get("/v1/refusals").json()["refusals"]
    return [(one["reason"], one["session"]) for one in found]


def test_more_than_the_balance_is_granted_in_part_with_a_final_unit_indication(live: Live, pgw: Gateway) -> None:
    poor(live, 700)
    (service,) = services(pgw, "I", mscc(wants(1_000)), imsi=BOB)
    assert service.granted.total == 700
    assert service.final_unit.action is FinalUnitAction.TERMINATE
    assert service.volume_quota_threshold is None


def test_a_plan_of_all_or_nothing_refuses_more_than_there_is(live: Live, pgw: Gateway) -> None:
    poor(live, 0)
    live.done("/v1/plans", {"name": "lump", "octets": 700, "valid_days": 1, "price": 0, "all_or_nothing": True})
    live.done("/v1/subscribers/bob/purchases", {"plan": "lump"})
    (service,) = services(pgw, "I", mscc(wants(1_000)), imsi=BOB)
    assert (service.result_code, service.granted) == (4012, None)


def test_an_event_is_never_granted_in_part(live: Live, pgw: Gateway) -> None:
    poor(live, 2)
    debit = u32("Requested-Action", 0)
    refused = say(pgw, "E", debit, wants(5), imsi=BOB)
    assert (refused.result_code, refused.granted) == (4012, None)
    granted = say(pgw, "E", debit, wants(2), imsi=BOB)
    assert (granted.result_code, granted.granted.total) == (2001, 2)
    assert balance(live, "bob") == (0, 0, 2)


def test_an_empty_balance_refuses_the_service_and_not_the_command(live: Live, pgw: Gateway) -> None:
    poor(live, 0)
    (service,) = services(pgw, "I", mscc(wants(1_000), group=7), imsi=BOB)
    assert (service.result_code, service.rating_group, service.granted) == (4012, 7, None)
    assert ("credit_limit_reached", pgw.session) in refusals(live)


def test_an_empty_balance_refuses_the_command_for_peers_that_look_only_there(live: Live, pgw: Gateway) -> None:
    poor(live, 0)
    accepted(live, "*.whole.test", "whole")
    with Gateway(live, "ggsn.whole.test") as ggsn:
        ggsn.introduce()
        answer = say(ggsn, "I", mscc(wants(1_000)), imsi=BOB)
    assert (answer.result_code, answer.services) == (4012, ())
    (session,) = live.get(f"/v1/sessions/{ggsn.session}/why").json()["sessions"]
    assert session["state"] == "closed"


def test_a_request_without_services_is_refused_at_command_level(live: Live, pgw: Gateway) -> None:
    poor(live, 0)
    assert say(pgw, "I", wants(1_000), imsi=BOB).result_code == 4012


def test_a_single_service_at_command_level_is_answered_there(live: Live, pgw: Gateway) -> None:
    first = say(pgw, "I", wants(1_000))
    assert (first.granted.total, first.validity_time_s, first.services) == (1_000, 3600, ())
    assert say(pgw, "U", wants(1_000), used(400)).granted.total == 1_000
    assert say(pgw, "T", used(3)).result_code == 2001
    assert balance(live) == (10**9 - 403, 0, 403)


@pytest.mark.parametrize("kind", ["U", "T"])
def test_update_or_end_of_an_unknown_session_is_refused_and_its_usage_kept(live: Live, pgw: Gateway, kind: str) -> None:
    assert say(pgw, kind, mscc(used(900))).result_code == 5002
    assert balance(live) == (10**9 - 900, 0, 900)
    assert ("unknown_session", pgw.session) in refusals(live)


def test_usage_of_an_unknown_session_that_names_nobody_is_kept_as_an_unmatched_report(live: Live, pgw: Gateway) -> None:
    for _ in range(2):
        pgw.number = 4
        assert say(pgw, "U", mscc(used(900)), named=False).result_code == 5002
    (report,) = live.get("/v1/unmatched").json()["reports"]
    assert (report["session"], report["holder"], report["octets"]) == (pgw.session, "pgw.epc.test", 900)


def test_a_list_of_unmatched_reports_goes_on_behind_what_it_said(live: Live, pgw: Gateway) -> None:
    for session in ("a", "b", "c"):
        pgw.session = session
        say(pgw, "U", mscc(used(900)), named=False)
    found = whole(live, "/v1/unmatched", "reports")
    assert [report["session"] for report in found] == ["a", "b", "c"]


def test_update_without_services_is_good(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    assert services(smf, "U") == ()


def test_usage_without_a_request_is_posted_and_grants_nothing_new(live: Live, pgw: Gateway) -> None:
    services(pgw, "I", mscc(wants(1_000), group=1))
    (service,) = services(pgw, "U", mscc(used(300), group=1))
    assert (service.result_code, service.granted) == (2001, None)
    assert balance(live) == (10**9 - 1_000, 700, 300)


def test_several_used_units_of_a_service_are_summed_total_before_input_and_output(live: Live, pgw: Gateway) -> None:
    services(pgw, "I", mscc(wants(1_000)))
    services(pgw, "U", mscc(used(100, up=1, down=2), used(up=30, down=40), used(down=5), used(0, up=0), used()))
    assert balance(live)[2] == 175


def test_an_idle_report_of_nothing_is_accepted(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    assert smf.ask("U", used=(0, 0)).services[0].granted.total == 10_000_000
    assert balance(live)[2] == 0


def test_an_unknown_subscriber_is_told_so(live: Live, smf: Gateway) -> None:
    assert smf.ask("I", imsi="001019999999999").result_code == 5030
    assert ("unknown_subscriber", smf.session) in refusals(live)


def test_a_number_leads_to_its_subscriber_where_the_imsi_does_not(live: Live, smf: Gateway) -> None:
    assert smf.ask("I", imsi="001019999999999", msisdn="+37060000001").result_code == 2001


def test_no_subscriber_at_all_is_a_missing_avp_and_the_answer_shows_which(live: Live, pgw: Gateway) -> None:
    answer = say(pgw, "I", mscc(wants()), named=False)
    assert answer.result_code == 5005
    assert int.from_bytes(answer.failed_avps[0][8:12], "big") == 443  # Subscription-Id


def test_a_session_is_found_for_a_gateway_that_names_its_subscriber_only_once(live: Live, pgw: Gateway) -> None:
    services(pgw, "I", mscc(wants(1_000)))
    for _ in range(2):
        pgw.profile = plain(mscc(wants(1_000), used(10)), named=False)
        assert pgw.ask("U").services[0].granted.total == 1_000
    assert balance(live) == (10**9 - 1_020, 1_000, 20)


@pytest.mark.parametrize("flag", [False, True], ids=["again", "with the T flag"])
def test_the_same_request_again_gets_the_same_answer_and_one_charge(live: Live, smf: Gateway, flag: bool) -> None:
    smf.ask("I")
    smf.send(smf.request("U", used=(100, 200)))
    once = smf.receive_octets()
    live.clock.advance(5_000)
    smf.send(smf.last[:4] + bytes((smf.last[4] | (0x10 if flag else 0),)) + smf.last[5:])
    assert smf.receive_octets() == once
    assert balance(live)[2] == 300


def test_the_same_number_with_other_contents_is_refused_and_logged(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    smf.ask("U", used=(100, 200))
    smf.number -= 1
    answer = smf.ask("U", used=(100, 201))
    assert answer.result_code == 5004
    assert int.from_bytes(answer.failed_avps[0][8:12], "big") == 415  # CC-Request-Number
    assert balance(live)[2] == 300
    assert ("request_reused", smf.session) in refusals(live)


def test_numbers_may_arrive_out_of_order_and_each_is_charged_once(live: Live, pgw: Gateway) -> None:
    services(pgw, "I", mscc(wants(1_000), group=1), mscc(wants(1_000), group=2))
    for number in (3, 1, 2, 3, 1):
        pgw.number = number - 1
        services(pgw, "U", mscc(wants(1_000), used(number), group=number % 2 + 1))
    assert balance(live) == (10**9 - 6 - 2_000, 2_000, 6)


def test_a_repeat_whose_answer_is_forgotten_is_not_charged_again(live: Live, pgw: Gateway) -> None:
    services(pgw, "I", mscc(wants(1_000)))
    for _ in range(8):
        services(pgw, "U", mscc(wants(1_000), used(10)))
    pgw.number = 0
    assert say(pgw, "U", mscc(wants(1_000), used(10))).result_code == 5004
    assert balance(live)[2] == 80


BROKEN: dict[str, tuple[int, str, bytes]] = {
    "an enumeration out of range": (5004, "Requested-Action", u32("Requested-Action", 99)),
    "a wrong length": (5014, "Termination-Cause", avp("Termination-Cause", b"\0\0")),
    "a missing member": (5005, "Subscription-Id", avp("Subscription-Id", u32("Subscription-Id-Type", 1))),
    "one too many": (5009, "Origin-Host", text("Origin-Host", "pgw.epc.test")),
    "an unknown mandatory AVP": (5001, "", (9999).to_bytes(4, "big") + (0x40000008).to_bytes(4, "big")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_grammar_is_answered_with_its_code_and_the_failed_avp(
    live: Live, pgw: Gateway, name: str
) -> None:
    code, at_fault, octets = BROKEN[name]
    answer = say(pgw, "I", mscc(wants()), octets)
    assert answer.result_code == code
    assert len(answer.failed_avps) == 1
    if at_fault:
        assert int.from_bytes(answer.failed_avps[0][8:12], "big") == BY_NAME[at_fault].code
    assert answer.session_id == pgw.session


@pytest.mark.parametrize(("at", "value", "code"), [(8, 16_777_238, 3007), (4, 0xC0 << 24 | 999, 3001)])
def test_unknown_applications_and_commands_are_answered(
    live: Live, pgw: Gateway, at: int, value: int, code: int
) -> None:
    octets = pgw.request("I")
    answer = pgw.exchange(octets[:at] + value.to_bytes(4, "big") + octets[at + 4 :], ErrorAnswer)
    assert (answer.result_code, answer.flags & 0x20) == (code, 0x20)


def test_another_realm_or_host_is_not_served(live: Live, smf: Gateway) -> None:
    assert smf.ask("I", destination_host="hss.qanat.test").result_code == 3002
    smf.who = replace(smf.who, destination_realm="elsewhere.test")
    assert smf.ask("I").result_code == 3003


def test_what_a_relay_wrote_beside_a_request_comes_back_with_whatever_it_is_told(live: Live, pgw: Gateway) -> None:
    """Granted, refused, of a stranger, at the end, debited, gone astray: RFC 6733 §6.2 makes no exception."""
    relayed = avp("Proxy-Info", text("Proxy-Host", "relay.test"), avp("Proxy-State", b"state"))
    told = [
        say(pgw, "I", mscc(wants(1_000)), relayed),
        say(pgw, "I", mscc(wants(2_000)), relayed),
        say(pgw, "I", mscc(wants(1_000)), relayed, imsi="001019999999999"),
        say(pgw, "T", relayed),
        say(pgw, "E", u32("Requested-Action", 0), wants(5), relayed),
    ]
    pgw.who = replace(pgw.who, destination_realm="elsewhere.test")
    told.append(say(pgw, "U", relayed))
    assert [one.result_code for one in told] == [2001, 5004, 5030, 2001, 2001, 3003]
    assert [one.proxy_infos for one in told] == [(relayed,)] * 6


def test_the_answer_comes_in_the_order_that_clients_were_built_against(live: Live, smf: Gateway) -> None:
    smf.send(smf.request("I"))
    octets, codes, at = smf.receive_octets(), [], 20
    while at < len(octets):
        codes.append(int.from_bytes(octets[at : at + 4], "big"))
        at += int.from_bytes(octets[at + 5 : at + 8], "big") + 3 & ~3
    assert codes[:8] == [263, 268, 264, 296, 258, 416, 415, 456]


def test_a_suspended_subscriber_is_denied_as_a_whole_and_nothing_stays_open(live: Live, smf: Gateway) -> None:
    live.done("/v1/subscribers/alice/status", {"status": "suspended"})
    assert smf.ask("I").result_code == 4010
    (session,) = live.get(f"/v1/sessions/{smf.session}/why").json()["sessions"]
    assert session["state"] == "closed"


def test_single_events_are_debited_given_back_and_checked(live: Live, pgw: Gateway) -> None:
    assert say(pgw, "E", u32("Requested-Action", 0), wants(500)).granted.total == 500
    assert balance(live) == (10**9 - 500, 0, 500)
    assert say(pgw, "E", u32("Requested-Action", 1), wants(200)).result_code == 2001
    assert balance(live) == (10**9 - 300, 0, 300)
    assert say(pgw, "E", u32("Requested-Action", 1), wants(301)).result_code == 5004
    assert say(pgw, "E", u32("Requested-Action", 2), wants(10)).check_balance_result == 0
    assert say(pgw, "E", u32("Requested-Action", 2), wants(10**10)).check_balance_result == 1
    assert say(pgw, "E", u32("Requested-Action", 3), wants(1)).result_code == 5031
    assert balance(live) == (10**9 - 300, 0, 300)


def test_an_event_repeated_is_debited_once(live: Live, pgw: Gateway) -> None:
    for _ in range(3):
        pgw.number = -1
        assert say(pgw, "E", u32("Requested-Action", 0), wants(500)).granted.total == 500
    assert balance(live)[2] == 500


def test_all_rating_groups_of_a_request_are_granted_in_one_transaction(live: Live, pgw: Gateway) -> None:
    before = live.get("/v1/audit").json()["entries"]
    found = services(pgw, "I", *(mscc(wants(1_000), group=group) for group in range(20)))
    assert [service.rating_group for service in found] == list(range(20))
    assert live.get("/v1/audit").json()["entries"] == before + 1
    assert balance(live)[1] == 20_000


def test_a_session_holds_so_many_quotas_and_no_more(live: Live, pgw: Gateway) -> None:
    told = []
    for first in range(0, QUOTAS_MOST + 64, 64):
        found = services(pgw, "U" if first else "I", *(mscc(wants(10), group=first + n) for n in range(64)))
        told += [service.result_code for service in found]
    assert told == [2001] * QUOTAS_MOST + [4010] * 64
    assert balance(live)[1] == 10 * QUOTAS_MOST
    assert set(refusals(live)) == {("too_many_quotas", pgw.session)}
    services(pgw, "U", mscc(used(10), u32("Reporting-Reason", 2), group=0))
    (granted,) = services(pgw, "U", mscc(wants(10), group=QUOTAS_MOST))
    assert granted.result_code == 2001


def test_what_nobody_sells_is_refused_and_says_so(live: Live, pgw: Gateway) -> None:
    """Money is rated by nobody here; of time Alice has none."""
    money = avp("Requested-Service-Unit", avp("CC-Money", avp("Unit-Value", avp("Value-Digits", bytes(8)))))
    assert services(pgw, "I", mscc(money, group=1))[0].result_code == 5031
    (service,) = services(pgw, "U", mscc(avp("Requested-Service-Unit", u32("CC-Time", 60)), group=1))
    assert (service.result_code, service.granted) == (4012, None)
    refused = live.get(f"/v1/sessions/{pgw.session}/why").json()["refusals"][0]
    assert (refused["reason"], "seconds" in refused["sentence"]) == ("units_used_up", True)


@pytest.mark.parametrize(
    ("settings", "action"),
    [
        ({"final_unit": "redirect", "redirect_url": "https://top.up/"}, FinalUnitAction.REDIRECT),
        ({"final_unit": "restrict", "restrict_filter": "only-top-up"}, FinalUnitAction.RESTRICT_ACCESS),
    ],
)
def test_what_happens_after_the_last_quota_is_a_setting(
    tmp_path: Path, settings: dict[str, str], action: FinalUnitAction
) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy=settings)) as live, Gateway(live) as smf:
        funded(live, octets=10)
        accepted(live, profile="strict")
        smf.introduce()
        final_unit = smf.ask("I").services[0].final_unit
    assert final_unit.action is action
    if action is FinalUnitAction.REDIRECT:
        assert final_unit.redirect_server.address == "https://top.up/"
    else:
        assert final_unit.filter_ids == ("only-top-up",)


def test_how_long_a_quota_may_be_held_unused_is_a_setting(tmp_path: Path) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"holding_s": 300})) as live, Gateway(live) as smf:
        funded(live)
        accepted(live)
        smf.introduce()
        assert smf.ask("I").services[0].quota_holding_time_s == 300


def test_the_first_answer_says_what_to_do_when_we_cannot_be_reached(smf: Gateway) -> None:
    first, update = smf.ask("I"), smf.ask("U")
    assert (first.failure_handling, first.cc_session_failover) == (2, 1)
    assert (update.failure_handling, update.cc_session_failover) == (None, None)
