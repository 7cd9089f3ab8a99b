"""A subscriber: who it is here, and its password."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views.people import SubscriberView
from qanat.server.web import passwords
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem


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
    path, page = "/v1/me/password", "/me/account"
    return await passwords.change(visit, SubscriberView, path=path, page=page, again=account)
