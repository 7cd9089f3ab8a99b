"""A subscriber's first page: what is left, as one large honest figure with the buckets it consists of."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from qanat.server.http.views.orders import SupplyList
from qanat.server.http.views.people import SubscriberView
from qanat.server.http.views.plans import BalanceView
from qanat.server.http.views.sessions import SessionList
from qanat.server.http.views.terminals import TerminalList
from qanat.server.http.views.trades import TradesView
from qanat.server.web.language import later
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit

_DONE: Final = {
    "bought": later("It is bought and ready to use."),
    "redeemed": later("The voucher is redeemed."),
}


async def home(visit: Visit) -> Response:
    api = visit.api
    return render(
        visit,
        "people/home.html",
        who=await api.get("/v1/me", SubscriberView),
        orders=[one for one in (await api.get("/v1/me/supply-orders", SupplyList)).orders if one.state == "open"],
        done=_DONE.get(visit.request.query_params.get("done", ""), ""),
        **await _now(visit),
    )


async def left(visit: Visit) -> Response:
    """The figure alone, for a page that stays open."""
    return render(visit, "people/left.html", **await _now(visit))


async def _now(visit: Visit) -> dict[str, Any]:
    sessions = (await visit.api.get("/v1/me/sessions", SessionList)).sessions
    lent = (await visit.api.get("/v1/me/trades", TradesView)).given
    trades = {trade.trade for trade in lent}
    terminals = (await visit.api.get("/v1/me/terminals", TerminalList)).terminals
    return {
        "terminals": {one.terminal: one.hardware or one.terminal for one in terminals},
        "balance": await visit.api.get("/v1/me/balance", BalanceView),
        "running": [one for one in sessions if one.state == "open" and one.session not in trades],
        "lent": [trade for trade in lent if trade.ended_at is None],
    }
