"""Who somebody is here, and the password: a subscriber's, and that of staff."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views.people import SubscriberView
from qanat.server.web.api import Turned
from qanat.server.web.language import later
from qanat.server.web.pages import explain, redirect, render
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

WHAT_FITS = {"password": later("A password has 8 to 256 characters.")}


async def account(visit: Visit, problem: Problem | None = None) -> Response:
    return render(
        visit,
        "people/account.html",
        problem.status if problem else 200,
        who=await visit.api.get("/v1/me", SubscriberView),
        problem=problem,
        changed=visit.request.query_params.get("done") == "changed",
    )


async def change_password(visit: Visit) -> Response:
    asked = {"current": visit.form.get("current", ""), "password": visit.form.get("password", "")}
    try:
        await visit.api.post("/v1/me/password", asked, SubscriberView)
    except Turned as turned:
        return await account(visit, explain(visit, turned.problem, WHAT_FITS))
    return redirect("/me/account?done=changed")
