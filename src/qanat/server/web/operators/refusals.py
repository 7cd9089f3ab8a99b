"""What was refused in the last week, and why."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views import RefusalList
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit


async def refusals(visit: Visit) -> Response:
    found = await visit.api.get("/v1/refusals", RefusalList, limit=100)
    return render(visit, "operators/refusals.html", refusals=found.refusals)
