"""Borrowing: the identity code that others name, what is offered, and a passcode for a device without an agent."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from qanat.server.http.views.orders import DemandList, DemandView, IdentityView, OfferList
from qanat.server.http.views.plans import BalanceView
from qanat.server.http.views.trades import TradesView
from qanat.server.web.api import Turned, segment
from qanat.server.web.language import later
from qanat.server.web.pages import redirect, render
from qanat.server.web.people.fields import chosen_size, currency, money, usual_currency, whole
from qanat.server.web.people.terminals import qr
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

_DONE: Final = {
    "stopped": later("The passcode opens nothing any more."),
    "replaced": later("You have a new identity code; the old one is refused from now on."),
}
_SHOWN: Final = 20


async def borrow(visit: Visit, problem: Problem | None = None) -> Response:
    identity = await visit.api.get("/v1/me/identity", IdentityView)
    orders = (await visit.api.get("/v1/me/demand-orders", DemandList)).orders
    obtained = (await visit.api.get("/v1/me/trades", TradesView)).obtained
    return render(
        visit,
        "people/borrow.html",
        problem.status if problem else 200,
        identity=identity.code,
        drawn=qr(identity.code),
        offers=(await visit.api.get("/v1/me/offers", OfferList)).offers,
        orders=[one for one in orders if one.state == "open"],
        currency=usual_currency(await visit.api.get("/v1/me/balance", BalanceView)),
        obtained=obtained[: -_SHOWN - 1 : -1],
        problem=problem,
        done=_DONE.get(visit.request.query_params.get("done", ""), ""),
    )


async def demand(visit: Visit) -> Response:
    """Open a demand order and show its passcode, this once."""
    try:
        opened = await visit.api.post("/v1/me/demand-orders", _wish(visit), DemandView, once=visit.once)
    except Turned as turned:
        return await borrow(visit, turned.problem)
    return render(visit, "people/passcode.html", order=opened)


async def stop(visit: Visit) -> Response:
    order = segment(visit.request.path_params["order"])
    await visit.api.post(f"/v1/me/demand-orders/{order}/stop", None, DemandView, once=visit.once)
    return redirect("/me/borrow?done=stopped")


async def replace(visit: Visit) -> Response:
    await visit.api.post("/v1/me/identity/revocation", None, IdentityView, once=visit.once)
    return redirect("/me/borrow?done=replaced")


def _wish(visit: Visit) -> dict[str, Any]:
    """Read what is wanted. Raises Turned."""
    wish: dict[str, Any] = {"octets": chosen_size(visit), "hours": whole(visit, "hours", None)}
    price = money(visit, "price")
    return wish if price is None else wish | {"per_gb": price, "currency": currency(visit)}
