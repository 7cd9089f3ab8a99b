"""The exchange over real HTTP: orders, admission, a trade with a recall, booking, statements, refusals, settlement."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.server.live import Live, interrogation
from tests.server.market import PASSWORD, Market, open_market


@pytest.fixture
def market(live: Live) -> Market:
    return open_market(live)


def staff_of(market: Market, operator: str) -> str:
    """Hire somebody for an operator; return its token."""
    named = {"name": f"nils-{operator}", "password": PASSWORD}
    market.live.done(f"/v1/operators/{operator}/staff", named)
    token: str = market.live.done("/v1/sign-in", named, token="")["token"]
    return token


def test_a_demander_goes_online_on_a_suppliers_traffic_is_recalled_and_everybody_sees_the_same(market: Market) -> None:
    order = market.does("alice", "/supply-orders", {"octets": 3_000_000, "person": "bob", "hours": 5})
    code = market.of("alice", "/identity")["code"]
    admission = market.presentation(supplier=code)
    admitted = market.station.send("POST", "/v1/station/admissions", admission).json()
    assert (admitted["supplier"], admitted["octets"], admitted["order"]) == ("alice", 3_000_000, order["order"])
    assert admitted["identities"]["supplier"] == code
    trade = admitted["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=1_000_000)["quotas"][0]
    (seen,) = market.of("alice", "/supply-orders")["orders"]
    assert (seen["given"], seen["promised"]) == (0, 1_000_000)
    assert market.station.send("GET", "/v1/station/recalls").json()["trades"] == []
    market.does("alice", f"/supply-orders/{order['order']}/stop")
    assert market.station.send("GET", "/v1/station/recalls").json()["trades"] == [trade]
    why = market.live.get(f"/v1/sessions/{trade}/why").json()
    assert [one["reason"] for one in why["refusals"]] == ["order_stopped"], "known before the base station comes back"
    barred = market.asks(trade, 1, "intermediate", used={quota["quota"]: 400_000})
    assert barred["refusal"]["reason"] == "order_stopped"
    assert "停止" in barred["refusal"]["sentence_zh"]
    market.asks(trade, 2, "final", used={quota["quota"]: 450_000}, returns=[quota["quota"]])
    assert market.station.send("GET", "/v1/station/recalls").json()["trades"] == []
    (given,) = market.of("alice", "/trades")["given"]
    (obtained,) = market.of("bob", "/trades")["obtained"]
    assert (given["octets"], given["state"], obtained["octets"]) == (450_000, "ended", 450_000)
    assert market.of("alice", "/balance")["available"] == 4_550_000
    (owed,) = market.of("bob", "/statement")["statements"]
    assert (owed["other"], owed["net"]) == ("alice", {"octets": -450_000})
    count = {"trade": trade, "up": 0, "down": 450_000}
    assert market.bob.send("POST", "/v1/agent/trade-counts", count).json() == {"trade": trade, "agrees": True}
    why = market.live.get(f"/v1/sessions/{trade}/why").json()
    assert [one["reason"] for one in why["refusals"]] == ["order_stopped"]
    assert market.live.get("/v1/audit").json()["balanced"] is True


def test_refusals_carry_reason_sentence_and_cure_in_both_languages_and_are_remembered(market: Market) -> None:
    code = market.of("alice", "/identity")["code"]
    answer = market.station.send("POST", "/v1/station/admissions", market.presentation(supplier=code))
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (404, "no_supply_order")
    assert "alice" in problem["detail"]
    assert "供应单" in problem["detail_zh"]
    assert problem["cure"]
    assert problem["cure_zh"]
    (listed,) = market.live.get("/v1/refusals").json()["refusals"]
    assert (listed["reason"], listed["who"], listed["by"]) == (
        "no_supply_order",
        "subscriber/bob",
        f"base-station/{market.station.id}",
    )


def test_a_demander_who_was_turned_away_finds_the_refusal_among_its_own_and_so_does_the_base_stations_operator(
    market: Market,
) -> None:
    market.station.send("POST", "/v1/station/admissions", market.presentation())
    market.station.send("POST", "/v1/station/admissions", {"passcode": "AAAA-AAAA-AAAA"})
    assert [one["reason"] for one in market.of("bob", "/refusals")["refusals"]] == ["no_supply"]
    seen = {}
    for operator in ("west", "north"):
        token = staff_of(market, operator)
        listed = market.live.get("/v1/refusals", token=token).json()["refusals"]
        counted = market.live.get("/v1/refusals/reasons", token=token).json()["reasons"]
        assert {one["reason"] for one in listed} == {one["reason"] for one in counted}
        seen[operator] = {one["reason"] for one in listed}
    assert seen == {"west": {"no_supply", "unknown_passcode"}, "north": set()}


def test_a_subscriber_finds_what_its_terminal_was_refused_among_its_own(market: Market) -> None:
    market.bob.send("POST", "/v1/agent/interrogations", interrogation("s-1", 0, "first"))
    (own,) = market.of("bob", "/refusals")["refusals"]
    assert (own["reason"], own["session"], own["by"]) == ("credit_limit_reached", "s-1", f"terminal/{market.bob.id}")


def test_a_person_with_a_passcode_takes_the_best_offer(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    demand = market.does("bob", "/demand-orders", {"octets": 300_000})
    assert market.of("bob", "/demand-orders")["orders"][0]["passcode"] == "", "shown once"
    admitted = market.station.send("POST", "/v1/station/admissions", {"passcode": demand["passcode"]}).json()
    assert (admitted["supplier"], admitted["demander"], admitted["octets"]) == ("alice", "bob", 300_000)


def test_a_demander_sees_what_it_is_offered_and_nothing_that_is_for_others(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000, "per_gb": 300})
    market.does("alice", "/supply-orders", {"octets": 2_000_000, "person": "bob"})
    market.does("alice", "/supply-orders", {"octets": 2_000_000, "person": "carol"})
    stopped = market.does("alice", "/supply-orders", {"octets": 2_000_000})["order"]
    market.does("alice", f"/supply-orders/{stopped}/stop")
    market.live.done("/v1/subscribers/bob/top-ups", {"octets": 100})
    market.does("bob", "/supply-orders", {"octets": 100, "base_stations": [market.station.id]})
    offered = market.of("bob", "/offers")["offers"]
    code = market.of("alice", "/identity")["code"]
    assert [(one["supplier"], one["octets"], one["price"]["per_gb"]) for one in offered] == [
        ("alice", 2_000_000, 0),
        ("alice", 1_000_000, 300),
    ]
    assert {one["identity"] for one in offered} == {code}
    assert [one["places"] for one in market.of("alice", "/offers")["offers"]] == [[market.station.id]]


def test_over_reporting_is_a_dispute_that_staff_settles_for_all_to_see(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: quota["octets"] + 5}, returns=[quota["quota"]])
    for name in ("alice", "bob", "carol"):
        (dispute,) = market.of(name, "/disputes")["disputes"]
        assert (dispute["about"], dispute["by_base_station"] - dispute["ledger"]) == ("over-reported", 5)
    (listed,) = market.live.get("/v1/disputes").json()["disputes"]
    path = f"/v1/subscribers/alice/disputes/{listed['dispute']}/settlement"
    assert market.live.done(path, {"note": "carol pays"})["note"] == "carol pays"
    for name in ("alice", "bob"):
        again = market.live.post(
            f"/v1/subscribers/{name}/disputes/{listed['dispute']}/settlement", {"note": "alice pays"}
        )
        assert (again.status_code, again.json()["reason"]) == (409, "dispute_settled")
    for name in ("alice", "bob", "carol"):
        assert [one["note"] for one in market.of(name, "/disputes")["disputes"]] == ["carol pays"]


def test_staff_lists_the_disputes_of_its_own_operators_people_and_settles_them_on_either_side(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: quota["octets"] + 5}, returns=[quota["quota"]])
    market.live.done("/v1/operators", {"name": "east"})
    seen, settled = {}, {}
    for operator in ("east", "west", "south", "north"):
        token = staff_of(market, operator)
        listed = market.live.get("/v1/disputes", token=token).json()["disputes"]
        seen[operator] = [one["trade"] for one in listed]
        path = f"/v1/subscribers/alice/disputes/{trade}:over-reported/settlement"
        settled[operator] = market.live.post(path, {"note": f"said {operator}"}, token=token).status_code
    assert seen == {"east": [], "west": [trade], "south": [trade], "north": [trade]}
    assert settled == {"east": 404, "west": 404, "south": 201, "north": 409}
    assert market.live.get("/v1/disputes", token=market.tokens["alice"]).status_code == 403


def test_a_terminal_is_no_base_station_nor_the_other_way_round(market: Market) -> None:
    barred = market.bob.send("GET", "/v1/station/recalls")
    assert (barred.status_code, barred.json()["reason"]) == (404, "unknown_base_station")
    barred = market.station.send("GET", "/v1/agent/terminal")
    assert (barred.status_code, barred.json()["reason"]) == (404, "unknown_terminal")
    listed = market.live.get("/v1/base-stations").json()["base_stations"]
    assert [one["base_station"] for one in listed] == [market.station.id]
    market.live.done(f"/v1/base-stations/{market.station.id}/revocation")
    barred = market.station.send("POST", "/v1/station/admissions", market.presentation())
    assert (barred.status_code, barred.json()["reason"]) == (403, "base_station_revoked")


def test_nobody_opens_or_stops_orders_for_somebody_else(market: Market) -> None:
    order = market.does("alice", "/supply-orders", {"octets": 1_000_000})["order"]
    token = market.tokens["bob"]
    for path, body in (("/supply-orders", {"octets": 1}), (f"/supply-orders/{order}/stop", {})):
        assert market.live.post(f"/v1/subscribers/alice{path}", body, token=token).status_code == 403
    assert market.live.post(f"/v1/me/supply-orders/{order}/stop", {}, token=token).json()["reason"] == "unknown_order"
    both = market.live.post("/v1/me/supply-orders", {"octets": 1, "person": "a", "circle": "b"}, token=token)
    assert both.status_code == 422


def test_the_suppliers_operator_is_told_why_a_trade_was_refused_though_the_demander_is_anothers(market: Market) -> None:
    order = market.does("alice", "/supply-orders", {"octets": 1_000_000})["order"]
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    market.asks(trade, 0, "first", used={}, wants=100_000)
    market.does("alice", f"/supply-orders/{order}/stop")
    token = staff_of(market, "north")
    why = market.live.get(f"/v1/sessions/{trade}/why", token=token).json()
    assert [one["reason"] for one in why["refusals"]] == ["order_stopped"]


def test_staff_of_an_operator_sees_its_own_position_and_who_pays_it(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: 70_000}, returns=[quota["quota"]])
    market.live.done("/v1/operators", {"name": "east"})
    seen = {}
    for operator in ("north", "east"):
        token = staff_of(market, operator)
        seen[operator] = market.live.get("/v1/settlements/2023-11", token=token).json()
        assert market.live.post("/v1/settlements/2023-11/closing", token=token).status_code == 403
    assert [(one["operator"], one["unit"], one["net"]) for one in seen["north"]["positions"]] == [
        ("north", "octets", 70_000)
    ]
    assert [(one["debtor"], one["creditor"]) for one in seen["north"]["transfers"]] == [("south", "north")]
    assert (seen["north"]["trades"], seen["east"]["trades"]) == (1, 0)
    assert (seen["east"]["positions"], seen["east"]["transfers"]) == ([], [])


def test_operators_settle_a_month_and_fetch_their_files(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: 70_000}, returns=[quota["quota"]])
    preview = market.live.get("/v1/settlements/2023-11").json()
    assert (preview["trades"], preview["closed_at"], preview["preserved"]) == (1, None, True)
    closing = "/v1/settlements/2023-11/closing"
    closed = market.live.post(closing, key="k").json()
    assert market.live.post(closing, key="k").json() == closed, "a repeat is told the same"
    assert (closed["files"], closed["unchanged"]) == (["north", "south", "west"], True)
    nets = {(one["operator"], one["unit"]): one["net"] for one in closed["positions"]}
    assert nets == {
        ("north", "octets"): 70_000,
        ("south", "octets"): -70_000,
        ("west", "carried-octets"): 70_000,
        ("south", "carried-octets"): -70_000,
    }
    rows = list(csv.reader(market.live.get("/v1/settlements/2023-11/files/north").text.splitlines()))
    assert (rows[1][0], rows[1][3], rows[-1][:2]) == ("1", trade, ["trailer", "1"])
    again = market.live.post(closing)
    assert (again.status_code, again.json()["reason"]) == (409, "period_closed")
    assert market.live.get("/v1/settlements/2023-13").status_code == 422
    log = market.live.get("/v1/changes").json()["changes"]
    assert [one["act"] for one in log if one["target"].startswith("settlements/")] == ["period closed"]
    assert market.live.get("/v1/settlements/2023-11/files/nobody").status_code == 404


def test_why_knows_a_trade_that_everybodys_staff_sees_though_no_session_of_it_is_known(market: Market) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    market.live.done("/v1/operators", {"name": "east"})
    known = {}
    for operator in ("north", "south", "west", "east"):
        why = market.live.get(f"/v1/sessions/{trade}/why", token=staff_of(market, operator)).json()
        known[operator] = [(one["trade"], one["state"]) for one in why["trades"]]
        assert why["sessions"] == []
    assert known == {"north": [(trade, "open")], "south": [(trade, "open")], "west": [(trade, "open")], "east": []}
    assert market.live.get(f"/v1/sessions/{trade[:-1]}/why").json()["trades"] == []


def test_a_month_that_is_not_closed_leaves_no_folder_behind(market: Market, tmp_path: Path) -> None:
    assert market.live.post("/v1/settlements/2023-12/closing").json()["reason"] == "period_not_begun"
    assert not (tmp_path / "settlements").exists()
    market.live.done("/v1/settlements/2023-11/closing")
    assert [one.name for one in (tmp_path / "settlements").iterdir()] == ["2023-11"]


def test_a_month_whose_files_meet_a_disk_that_takes_nothing_is_closed_by_the_repeat(
    market: Market, tmp_path: Path
) -> None:
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: 70_000}, returns=[quota["quota"]])
    (tmp_path / "settlements").write_text("in the way")
    failed = market.live.post("/v1/settlements/2023-11/closing", key="k")
    said = failed.json()
    assert (failed.status_code, said["reason"]) == (503, "file_unwritten")
    assert str(tmp_path / "settlements" / "2023-11") in said["detail"]
    assert "repeat" in said["cure"]
    (tmp_path / "settlements").unlink()
    closed = market.live.post("/v1/settlements/2023-11/closing", key="k")
    assert (closed.status_code, closed.json()["files"]) == (201, ["north", "south", "west"])
    assert len([*(tmp_path / "settlements" / "2023-11").iterdir()]) == 3
