"""Who works for an operator: listed, hired, dismissed."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from qanat.server.http.views.people import StaffList, StaffView
from qanat.server.web.api import Turned, segment
from qanat.server.web.operators.acting import act, own_operator
from qanat.server.web.pages import explain, redirect, render
from qanat.server.web.passwords import WHAT_FITS
from qanat.server.web.people.fields import text
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

_ROWS: Final = 50


async def choose(visit: Visit) -> Response:
    """Go to the staff of the operator that was typed in, or of one's own."""
    typed = visit.request.query_params.get("operator", "").strip()
    return redirect(f"/ops/staff/{segment(typed or own_operator(visit))}")


async def staff(visit: Visit, problem: Problem | None = None) -> Response:
    operator, after = _operator(visit), visit.request.query_params.get("after", "")
    found = await visit.api.get(f"/v1/operators/{operator}/staff", StaffList, limit=_ROWS, after=after)
    shown = {"staff": found.staff, "next": found.next, "first": not after, "problem": problem}
    return render(visit, "operators/staff.html", problem.status if problem else 200, operator=operator, **shown)


async def hire(visit: Visit) -> Response:
    asked = {"name": text(visit, "name"), "password": visit.form.get("password", "")}
    try:
        await visit.api.post(f"/v1/operators/{_operator(visit)}/staff", asked, StaffView, once=visit.once)
    except Turned as turned:
        return await staff(visit, explain(visit, turned.problem, WHAT_FITS))
    return redirect(_page(visit))


async def dismiss(visit: Visit) -> Response:
    path = f"/v1/operators/{_operator(visit)}/staff/{segment(text(visit, 'name'))}/dismissal"
    return await act(visit, path, dict, StaffView, then=_page(visit), again=staff)


def _operator(visit: Visit) -> str:
    return segment(visit.request.path_params["operator"])


def _page(visit: Visit) -> str:
    return f"/ops/staff/{_operator(visit)}"
