"""An operator's first page: live sessions and their rate as they change, and what was refused."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse

from qanat.server.http.live import PulseView
from qanat.server.http.looking import Hits, ReasonList
from qanat.server.web.pages import redirect, render
from qanat.server.web.visit import Visit

_SESSIONS = 12


async def overview(visit: Visit) -> Response:
    pulse = await visit.api.get("/v1/pulse", PulseView)
    reasons = await visit.api.get("/v1/refusals/reasons", ReasonList)
    return render(
        visit, "operators/overview.html", pulse=pulse, sessions=pulse.sessions[:_SESSIONS], reasons=reasons.reasons
    )


async def pulse(visit: Visit) -> Response:
    """Server-sent events for a page that stays open: what the interface streams, untouched."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    events = await visit.api.stream("/v1/pulse/stream")
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def search(visit: Visit) -> Response:
    """Show what was found; what is found alone is opened at once."""
    words = visit.request.query_params.get("q", "").strip()
    hits = (await visit.api.get("/v1/search", Hits, q=words[:100])).hits if words else []
    if len(hits) == 1 and hits[0].kind == "subscriber":
        return redirect(f"/ops/subscribers/{hits[0].name}")
    return render(visit, "operators/search.html", words=words, hits=hits)
