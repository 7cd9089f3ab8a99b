"""What an operator's staff is shown of another operator's people: their names, and no link or form that leads to a refusal."""

from __future__ import annotations

import re

import pytest
from tests.server.live import Live
from tests.server.market import Market, open_market
from tests.server.test_exchange import staff_of
from tests.server.web.forged import Hand


@pytest.fixture
def market(live: Live) -> Market:
    """A trade that bob of south had from alice of north at a base station of west: over-reported, and refused once."""
    market = open_market(live)
    order = market.does("alice", "/supply-orders", {"octets": 1_000_000})["order"]
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.does("alice", f"/supply-orders/{order}/stop")
    market.asks(trade, 1, "intermediate", used={quota["quota"]: 5}, wants=100_000)
    market.asks(trade, 2, "final", used={quota["quota"]: quota["octets"] + 5}, returns=[quota["quota"]])
    return market


@pytest.mark.parametrize("page", ["/ops/disputes", "/ops/refusals"])
@pytest.mark.parametrize("operator", ["north", "south", "west"])
def test_every_link_to_a_subscriber_leads_there(market: Market, operator: str, page: str) -> None:
    staff = Hand(market.live)
    staff.plant(staff_of(market, operator))
    shown = staff.get(page).text
    assert "bob" in shown or "Nothing was refused." in shown
    for link in re.findall(r'href="(/ops/subscribers/[^"]+)"', shown):
        assert staff.get(link).status_code == 200, link


def test_only_whoever_may_settle_a_dispute_is_shown_the_form(market: Market) -> None:
    shown = {}
    for operator in ("north", "south", "west"):
        staff = Hand(market.live)
        staff.plant(staff_of(market, operator))
        shown[operator] = 'name="note"' in staff.get("/ops/disputes").text
    assert shown == {"north": True, "south": True, "west": False}
