"""A member of staff: who it is here, and its password."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views.people import StaffView
from qanat.server.web import passwords
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem


async def account(visit: Visit, problem: Problem | None = None) -> Response:
    changed = visit.request.query_params.get("done") == "changed"
    status = problem.status if problem else 200
    return render(visit, "operators/account.html", status, problem=problem, changed=changed)


async def change_password(visit: Visit) -> Response:
    path, page = "/v1/staff/password", "/ops/account"
    return await passwords.change(visit, StaffView, path=path, page=page, again=account)
