"""Chapter B of the show on real traffic: three meters agree, refusals are said, and settlement keeps every total."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.lab.place import any_place, processes_that_know, run_inside

from qanat.lab.exchange_report import TradeCounts, is_settled

pytestmark = pytest.mark.namespaces
REFUSED = (
    "unknown_passcode",
    "misspelt_identity",
    "wrong_kind_of_identity",
    "no_supply",
    "no_supply_order",
    "order_not_for_you",
    "price_too_high",
    "order_not_here",
    "supplier_short",
    "order_stopped",
    "own_traffic",
    "subscriber_suspended",
    "identity_revoked",
    "order_exhausted",
    "base_station_revoked",
)


class Said(msgspec.Struct):
    counts: list[TradeCounts]
    settlements: list[dict[str, Any]]
    audit: dict[str, object]
    printed: str


def test_base_station_terminal_and_ledger_agree_on_every_trade_though_agent_and_order_ended_in_mid_download(
    tmp_path: Path,
) -> None:
    """The real server, base station, terminal and browser in namespaces: a kill -9, a stopped order, one used up, an offset."""
    done = run_inside(any_place(), "tests.lab.shorter_exchange", str(tmp_path))
    assert done.returncode == 0, done.stderr
    said = msgspec.json.decode(done.stdout, type=Said)
    by_terminal, by_browser, offset = said.counts
    assert all(trade.adds_up for trade in said.counts), said.counts
    assert all(trade.ledger == trade.base_station.total for trade in said.counts)
    assert by_terminal.agreed is True
    assert by_terminal.ledger > 22_000_000
    assert 1_500_000 - 3000 <= by_browser.ledger <= 1_500_000
    assert f"After: bob owes alice {by_terminal.ledger - offset.ledger:,} octets" in said.printed
    for reason in REFUSED:
        assert f"({reason}): " in said.printed
    assert sum(settlement["trades"] for settlement in said.settlements) == 3
    assert all(map(is_settled, said.settlements))
    assert said.audit["balanced"] is True
    assert processes_that_know(str(tmp_path)) == []
