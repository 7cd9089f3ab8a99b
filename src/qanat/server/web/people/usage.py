"""When traffic was used: by the day for a month, by the hour for two days, to the octet."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views.plans import UsageView
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit


async def usage(visit: Visit) -> Response:
    found = await visit.api.get("/v1/me/usage", UsageView)
    by = "hour" if visit.request.query_params.get("by") == "hour" else "day"
    days = [span.octets for span in found.days]
    return render(
        visit,
        "people/usage.html",
        by=by,
        spans=found.hours if by == "hour" else found.days,
        today=days[-1],
        week=sum(days[-7:]),
        month=sum(days),
    )
