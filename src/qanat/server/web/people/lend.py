"""Lending: consent in three taps, taken back in one, and who is using it now."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from qanat.server.http.views.orders import CircleList, CircleView, SupplyList, SupplyView
from qanat.server.http.views.plans import BalanceView
from qanat.server.http.views.trades import TradesView
from qanat.server.web.api import Turned, segment
from qanat.server.web.language import later
from qanat.server.web.pages import redirect, render
from qanat.server.web.people.fields import chosen_size, currency, money, size, text, usual_currency, whole
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

_DONE: Final = {
    "lent": later("Your order stands. Nobody takes more than you said, and you can stop it at any time."),
    "stopped": later("It is stopped. Whoever was using it is being told to end."),
    "circle": later("The circle is saved."),
}
_ENDED_SHOWN: Final = 20


async def lend(visit: Visit, problem: Problem | None = None) -> Response:
    orders = (await visit.api.get("/v1/me/supply-orders", SupplyList)).orders
    balance = await visit.api.get("/v1/me/balance", BalanceView)
    return render(
        visit,
        "people/lend.html",
        problem.status if problem else 200,
        orders=[one for one in orders if one.state == "open"],
        ended=sorted((one for one in orders if one.state != "open"), key=lambda one: one.opened_at, reverse=True)[
            :_ENDED_SHOWN
        ],
        circles=(await visit.api.get("/v1/me/circles", CircleList)).circles,
        available=balance.available,
        currency=usual_currency(balance),
        problem=problem,
        done=_DONE.get(visit.request.query_params.get("done", ""), ""),
        **await _lent(visit),
    )


async def using(visit: Visit) -> Response:
    """Who uses it now, for a page that stays open."""
    return render(visit, "people/using.html", **await _lent(visit))


async def offer(visit: Visit) -> Response:
    try:
        await visit.api.post("/v1/me/supply-orders", _terms(visit), SupplyView, once=visit.once)
    except Turned as turned:
        return await lend(visit, turned.problem)
    return redirect("/me/lend?done=lent")


async def stop(visit: Visit) -> Response:
    order = segment(visit.request.path_params["order"])
    await visit.api.post(f"/v1/me/supply-orders/{order}/stop", None, SupplyView, once=visit.once)
    return redirect("/me/lend?done=stopped")


async def circle(visit: Visit) -> Response:
    members = text(visit, "members").replace(",", " ").replace("，", " ").split()
    try:
        body = {"name": text(visit, "circle_name"), "members": members}
        await visit.api.post("/v1/me/circles", body, CircleView, once=visit.once)
    except Turned as turned:
        return await lend(visit, turned.problem)
    return redirect("/me/lend?done=circle")


def _terms(visit: Visit) -> dict[str, Any]:
    """Read an order. Raises Turned."""
    audience, price = text(visit, "audience"), money(visit, "price")
    terms: dict[str, Any] = {
        "octets": chosen_size(visit),
        "per_day": size(visit, "per_day"),
        "hours": whole(visit, "hours", None),
    }
    if audience == "person":
        terms["person"] = text(visit, "person")
    elif audience.startswith("circle "):
        terms["circle"] = audience.removeprefix("circle ")
    if price is not None:
        terms |= {"per_gb": price, "currency": currency(visit)}
    return terms


async def _lent(visit: Visit) -> dict[str, Any]:
    given = (await visit.api.get("/v1/me/trades", TradesView)).given
    return {"using": [trade for trade in given if trade.ended_at is None]}
