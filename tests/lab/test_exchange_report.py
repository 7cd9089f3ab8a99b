"""The arithmetic of the exchange's reckoning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qanat.agents.kernel.link import UpDown
from qanat.lab.exchange_report import TradeCounts, differences, is_settled, periods, positions, rows
from qanat.units import Instant, Octets, format_instant


def both(up: int, down: int) -> UpDown:
    return UpDown(Octets(up), Octets(down))


RIGHT = TradeCounts(
    who="bob from alice",
    base_station=both(100_000, 10_000_000),
    terminal=both(100_000, 10_000_000),
    agreed=True,
    ledger=Octets(10_100_000),
    excess=Octets(0),
)
SETTLED: dict[str, Any] = {
    "preserved": True,
    "positions": [
        {"operator": "north", "unit": "octets", "claims": 70, "owes": 30, "net": 40},
        {"operator": "south", "unit": "octets", "claims": 30, "owes": 70, "net": -40},
    ],
}


def test_when_all_meters_agree_there_is_no_difference() -> None:
    assert RIGHT.adds_up
    assert list(differences([RIGHT])) == []
    assert [row.difference for row in rows([RIGHT]) if row.against] == [0, 0]


def test_what_was_forwarded_last_may_not_have_arrived_within_the_tolerance() -> None:
    less = replace(RIGHT, terminal=both(100_000, 9_999_000))
    assert less.adds_up
    (told,) = differences([less])
    assert (told.octets, told.is_broken) == (-1000, False)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, ledger=Octets(10_099_999)),
        replace(RIGHT, ledger=Octets(10_100_001)),
        replace(RIGHT, excess=Octets(1)),
        replace(RIGHT, agreed=False),
        replace(RIGHT, terminal=both(100_000, 9_900_000)),
        replace(RIGHT, terminal=both(100_000, 10_100_000)),
    ],
    ids=["not booked", "booked twice", "beyond the grant", "disputed", "much lost", "much more"],
)
def test_one_octet_too_many_or_too_few_in_the_ledger_and_a_dispute_do_not_add_up(wrong: TradeCounts) -> None:
    assert not wrong.adds_up


def test_a_plain_browser_has_no_meter_of_its_own() -> None:
    browser = replace(RIGHT, terminal=None, agreed=None)
    assert browser.adds_up
    assert [row.counter.strip() for row in rows([browser])] == ["bob from alice", "base station", "ledger"]


def test_settlement_says_each_position_and_all_nets_come_to_nothing() -> None:
    assert list(positions(SETTLED))[1] == "south, octets: may claim 30, owes 70; net -40."
    money = {"operator": "north", "unit": "EUR", "claims": 1_211, "owes": 0, "net": 1_211}
    assert list(positions({"positions": [money]})) == ["north, EUR: may claim 12.11, owes 0.00; net +12.11."]
    assert is_settled(SETTLED)
    assert not is_settled(SETTLED | {"preserved": False})
    assert not is_settled(SETTLED | {"positions": SETTLED["positions"][:1]})


def test_trades_around_the_end_of_a_month_fall_into_two_periods() -> None:
    late, early = Instant(1_796_083_199_000), Instant(1_796_083_201_000)  # around 2026-12-01T00:00Z
    assert periods([format_instant(late)], now=late) == ["2026-11"]
    assert periods([format_instant(late)], now=early) == ["2026-11", "2026-12"]
