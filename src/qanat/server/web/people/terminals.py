"""A subscriber's own devices: terminals with their cloud SIMs, and base stations; how new ones come in and old ones go."""

from __future__ import annotations

import segno
from markupsafe import Markup
from starlette.responses import Response

from qanat.server.http.views.base_stations import BaseStationList, BaseStationView
from qanat.server.http.views.terminals import CodeView, TerminalList, TerminalView
from qanat.server.web.api import Turned, segment
from qanat.server.web.pages import redirect, render
from qanat.server.web.people.fields import text
from qanat.server.web.visit import Visit, is_secure
from qanat.wire.agent import Problem


async def terminals(visit: Visit, problem: Problem | None = None) -> Response:
    return render(
        visit,
        "people/terminals.html",
        problem.status if problem else 200,
        terminals=(await visit.api.get("/v1/me/terminals", TerminalList)).terminals,
        stations=(await visit.api.get("/v1/me/base-stations", BaseStationList)).base_stations,
        problem=problem,
    )


async def new_terminal(visit: Visit) -> Response:
    """Show an enrolment code once: to read, to scan, and in the command that uses it."""
    shown = await visit.api.post("/v1/me/codes", {}, CodeView, once=visit.once)
    return _code(visit, shown, station=False)


async def new_station(visit: Visit) -> Response:
    shown = await visit.api.post("/v1/me/base-station-codes", {}, CodeView, once=visit.once)
    return _code(visit, shown, station=True)


async def bind(visit: Visit) -> Response:
    try:
        await visit.api.post(
            "/v1/me/terminals", {"binding_code": text(visit, "binding_code")}, TerminalView, once=visit.once
        )
    except Turned as turned:
        return await terminals(visit, turned.problem)
    return redirect("/me/terminals?done=bound")


async def terminal(visit: Visit) -> Response:
    """One terminal, and the question whether to end it."""
    id = segment(visit.request.path_params["id"])
    return render(visit, "people/terminal.html", terminal=await visit.api.get(f"/v1/terminals/{id}", TerminalView))


async def end_terminal(visit: Visit) -> Response:
    id = segment(visit.request.path_params["id"])
    await visit.api.post(f"/v1/terminals/{id}/revocation", None, TerminalView, once=visit.once)
    return redirect("/me/terminals?done=ended")


async def station(visit: Visit) -> Response:
    found = (await visit.api.get("/v1/me/base-stations", BaseStationList)).base_stations
    id = visit.request.path_params["id"]
    shown = next((one for one in found if one.base_station == id), None)
    if shown is None:
        raise Turned(Problem(status=404, reason="no_such_path"))
    return render(visit, "people/station.html", station=shown)


async def end_station(visit: Visit) -> Response:
    id = segment(visit.request.path_params["id"])
    await visit.api.post(f"/v1/base-stations/{id}/revocation", None, BaseStationView, once=visit.once)
    return redirect("/me/terminals?done=ended")


def qr(content: str) -> Markup:
    """Draw a QR code as one path, which the page's policy allows."""
    code = segno.make(content, micro=False, error="m")
    modules = [(x, y) for y, row in enumerate(code.matrix) for x, dark in enumerate(row) if dark]
    path = "".join(f"M{x} {y}h1v1h-1z" for x, y in modules)
    width = len(code.matrix)
    return Markup(
        '<svg class="qr" viewBox="0 0 {0} {0}" aria-hidden="true" shape-rendering="crispEdges"><path d="{1}"/></svg>'
    ).format(width, path)


def _code(visit: Visit, shown: CodeView, *, station: bool) -> Response:
    request = visit.request
    scheme = "https" if is_secure(request) else "http"
    server = visit.services.settings.web.origin or f"{scheme}://{request.headers.get('host', '')}"
    return render(visit, "people/code.html", code=shown, drawn=qr(shown.code), server=server, station=station)
