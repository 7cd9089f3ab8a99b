"""A member of staff: who it is here, and its password."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views.people import StaffView
from qanat.server.web.api import Turned
from qanat.server.web.pages import explain, redirect, render
from qanat.server.web.people.account import WHAT_FITS
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem


async def account(visit: Visit, problem: Problem | None = None) -> Response:
    changed = visit.request.query_params.get("done") == "changed"
    status = problem.status if problem else 200
    return render(visit, "operators/account.html", status, problem=problem, changed=changed)


async def change_password(visit: Visit) -> Response:
    asked = {"current": visit.form.get("current", ""), "password": visit.form.get("password", "")}
    try:
        await visit.api.post("/v1/staff/password", asked, StaffView)
    except Turned as turned:
        return await account(visit, explain(visit, turned.problem, WHAT_FITS))
    return redirect("/ops/account?done=changed")
