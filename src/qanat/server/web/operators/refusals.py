"""What was refused in the last week: by reason, one by one, and why, step by step."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.looking import ReasonList
from qanat.server.http.views.sessions import RefusalList, Why
from qanat.server.web.api import segment
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit


async def refusals(visit: Visit) -> Response:
    reason = visit.request.query_params.get("reason", "")
    counted = await visit.api.get("/v1/refusals/reasons", ReasonList)
    found = await visit.api.get("/v1/refusals", RefusalList, limit=100, reason=reason[:64])
    return render(
        visit,
        "operators/refusals.html",
        reason=reason if reason in {one.reason for one in counted.reasons} else "",
        reasons=counted.reasons,
        found=found,
    )


async def why(visit: Visit) -> Response:
    session = segment(visit.request.path_params["session"])
    return render(visit, "operators/why.html", why=await visit.api.get(f"/v1/sessions/{session}/why", Why))
