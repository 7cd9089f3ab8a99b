"""The exchange's commands against a real server: each prints something for people and JSON for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.console.running import Shell
from tests.server.live import Live
from tests.server.market import open_market


def _json(shell: Shell, *arguments: str) -> Any:
    return json.loads(shell.qanat(*arguments, "--json"))


@pytest.mark.usefixtures("live")
def test_orders_are_opened_listed_and_stopped(shell: Shell) -> None:
    for name in ("alice", "bob"):
        shell.qanat("subscriber", "create", name)
    assert "bob, bella" in shell.qanat("supply", "circle", "family", "bob", "bella", "--subscriber", "alice")
    terms = ("--octets", "1GB", "--per-day", "100MB", "--price", "1.50", "--circle", "family", "--hours", "5")
    order = _json(shell, "supply", "offer", "--subscriber", "alice", *terms)
    assert (order["octets"], order["per_day"], order["price"]) == (
        1_000_000_000,
        100_000_000,
        {"currency": "EUR", "per_gb": 150},
    )
    assert "circle family" in shell.qanat("supply", "list", "--subscriber", "alice")
    shell.qanat("supply", "stop", order["order"], "--subscriber", "alice")
    assert _json(shell, "supply", "list", "--subscriber", "alice")["orders"][0]["state"] == "stopped"
    assert "Nobody offers" in shell.qanat("demand", "offers", "--subscriber", "bob")
    shell.qanat("top-up", "--subscriber", "alice", "--octets", "1GB")
    shell.qanat("supply", "offer", "--octets", "2GB", "--subscriber", "alice")
    assert "octet for octet" in shell.qanat("demand", "offers", "--subscriber", "bob")
    demand = _json(shell, "demand", "open", "--octets", "5MB", "--subscriber", "bob")
    assert len(demand["passcode"]) == 14
    assert demand["order"] in shell.qanat("demand", "list", "--subscriber", "bob")
    assert "is stopped" in shell.qanat("demand", "stop", demand["order"], "--subscriber", "bob")
    said = shell.qanat("supply", "offer", "--subscriber", "alice", "--octets", "1MB", "--price", "80")
    assert "1.00 MB (1,000,000) for anyone, 80.00 EUR a gigabyte." in said
    for option, reason in (
        ("--circle", "unknown_circle"),
        ("--operator", "unknown_operator"),
        ("--base-station", "unknown_base_station"),
    ):
        wrong = ("supply", "offer", "--octets", "1GB", option, "nobody", "--subscriber", "alice")
        assert reason in shell.qanat(*wrong, status=1)


@pytest.mark.usefixtures("live")
def test_identity_codes_base_stations_trades_disputes_and_settlement_can_be_looked_at(shell: Shell) -> None:
    shell.qanat("subscriber", "create", "alice")
    first = _json(shell, "identity", "--subscriber", "alice")["code"]
    assert first.startswith("S-")
    assert _json(shell, "identity", "--subscriber", "alice", "--revoke")["code"] != first
    assert "for alice" in shell.qanat("station", "code", "--subscriber", "alice")
    for words, key in (
        (("station", "list"), "base_stations"),
        (("trades",), "trades"),
        (("trades", "--statement", "--subscriber", "alice"), "statements"),
        (("disputes",), "disputes"),
        (("settle", "--period", "2023-11"), "positions"),
    ):
        assert _json(shell, *words)[key] == []
        assert shell.qanat(*words).strip(), words
    refused = shell.qanat("pay", "--subscriber", "alice", "--to", "bob", "--amount", "1", status=1)
    assert "alice owes bob 0.00 EUR; 1.00 EUR were to be paid." in refused
    assert _json(shell, "settle", "--period", "2023-10", "--close")["closed_at"]
    assert "period_closed" in shell.qanat("settle", "--period", "2023-10", "--close", status=1)


@pytest.mark.usefixtures("live")
def test_every_list_shows_staff_everybodys_and_a_subscriber_its_own(shell: Shell) -> None:
    for name in ("alice", "bob"):
        shell.qanat("sign-up", name, "--password", "correct horse")
        shell.qanat("sign-in", name, "--password", "correct horse", "--save", f"{name}.token")
        shell.qanat("buy", "--plan", f"for-{name}", "--token-file", f"{name}.token", status=1)
    for words in (
        ("sessions",),
        ("refusals",),
        ("terminal", "list"),
        ("station", "list"),
        ("trades",),
        ("disputes",),
    ):
        hers = _json(shell, *words, "--token-file", "alice.token")
        assert hers == _json(shell, *words, "--mine", "--token-file", "alice.token"), words
        assert hers == _json(shell, *words, "--subscriber", "alice"), words
        assert "subscriber_not_named" in shell.qanat(*words, "--mine", status=1), words
    refused = {one["who"] for one in _json(shell, "refusals")["refusals"]}
    assert refused >= {"subscriber/alice", "subscriber/bob"}
    assert shell.qanat("disputes", "--all") == shell.qanat("disputes") == "No dispute.\n", "as it was typed before"


def test_a_statement_names_who_owes_whom_and_says_you_to_nobody_else(shell: Shell, live: Live) -> None:
    market = open_market(live)
    mine = shell.environment | {"QANAT_TOKEN": market.tokens["bob"]}

    def trade(**terms: Any) -> tuple[str, str]:
        order = market.does("alice", "/supply-orders", {"octets": 1_000_000, **terms})["order"]
        wish = market.presentation(currency="EUR", most_per_gb=1_000)
        id = market.station.send("POST", "/v1/station/admissions", wish).json()["trade"]
        quota = market.asks(id, 0, "first", used={}, wants=100_000)["quotas"][0]["quota"]
        market.asks(id, 1, "final", used={quota: 70_000}, returns=[quota])
        market.does("alice", f"/supply-orders/{order}/stop")
        staffs = shell.qanat("trades", "--statement", "--subscriber", "bob")
        shell.environment, kept = mine, shell.environment
        own = shell.qanat("trades", "--statement")
        shell.environment = kept
        return staffs.splitlines()[0], own.splitlines()[0]

    assert trade(per_gb=1_000) == (
        "Nothing is owed between bob and alice.",
        "Nothing is owed between you and alice.",
    ), "70 kB at 10.00 a gigabyte are less than a cent"
    assert trade() == ("bob owes alice 70.0 kB (70,000)", "you owe alice 70.0 kB (70,000)")
    staffs = shell.qanat("trades", "--statement", "--subscriber", "alice")
    assert staffs.startswith("bob owes alice 70.0 kB (70,000)")
