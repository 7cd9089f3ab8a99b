"""Buying: the plans on sale, the wallet that pays for them, and vouchers."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views.plans import BalanceView, BucketView, PlanList, PlanView
from qanat.server.http.views.vouchers import RedeemedView
from qanat.server.web.api import Turned
from qanat.server.web.forms import bad
from qanat.server.web.pages import redirect, render
from qanat.server.web.people.fields import text
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem


async def plans(visit: Visit, problem: Problem | None = None) -> Response:
    found = await _on_sale(visit)
    shown = {"plans": found, "wallets": await _wallets(visit), "problem": problem}
    return render(visit, "people/plans.html", problem.status if problem else 200, **shown)


async def plan(visit: Visit, problem: Problem | None = None) -> Response:
    """One plan, with what the wallet holds before and after."""
    name = visit.request.path_params["plan"]
    found = next((one for one in await _on_sale(visit) if one.name == name), None)
    if found is None:
        raise Turned(bad("plan", visit.say("This plan is not on sale."), visit.say("Choose another plan.")))
    wallets = await _wallets(visit)
    return render(
        visit,
        "people/plan.html",
        problem.status if problem else 200,
        plan=found,
        holds=wallets.get(found.currency, 0),
        problem=problem,
    )


async def buy(visit: Visit) -> Response:
    try:
        await visit.api.post(
            "/v1/me/purchases", {"plan": visit.request.path_params["plan"]}, BucketView, once=visit.once
        )
    except Turned as turned:
        return await plan(visit, turned.problem)
    return redirect("/me?done=bought")


async def redeem(visit: Visit) -> Response:
    try:
        await visit.api.post("/v1/me/vouchers", {"code": text(visit, "code")}, RedeemedView, once=visit.once)
    except Turned as turned:
        return await plans(visit, turned.problem)
    return redirect("/me?done=redeemed")


async def _on_sale(visit: Visit) -> list[PlanView]:
    """Return what this subscriber's operator sells, the cheapest first."""
    found = await visit.api.get("/v1/plans", PlanList, limit=1000)
    left = [one for one in found.plans if one.stock is None or one.stock > (one.sold or 0)]
    return sorted(left, key=lambda one: (one.unit, one.currency, one.price, one.size))


async def _wallets(visit: Visit) -> dict[str, int]:
    found = await visit.api.get("/v1/me/balance", BalanceView)
    return {wallet.currency: wallet.balance for wallet in found.wallets}
