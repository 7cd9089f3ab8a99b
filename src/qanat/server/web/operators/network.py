"""What is connected: base stations, peers, and the octets that live sessions hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from starlette.responses import Response

from qanat.server.gy.quirks import PROFILES
from qanat.server.http.looking import ReservationList
from qanat.server.http.views.base_stations import BaseStationList, BaseStationView
from qanat.server.http.views.house import PeerList, PeerView
from qanat.server.web.api import segment
from qanat.server.web.language import later
from qanat.server.web.operators.acting import act
from qanat.server.web.pages import render
from qanat.server.web.people.fields import text
from qanat.server.web.visit import Visit
from qanat.units import MINUTE
from qanat.wire.agent import Problem

_ROWS: Final = 50
_SILENT_MS: Final = 3 * MINUTE
"""A base station asks every second, and is noted once a minute."""
AGES: Final = {
    60: later("under a minute"),
    600: later("under 10 minutes"),
    3600: later("under an hour"),
    0: later("longer"),
}


async def base_stations(visit: Visit) -> Response:
    after = visit.request.query_params.get("after", "")
    found = await visit.api.get("/v1/base-stations", BaseStationList, limit=_ROWS, after=after)
    shown = [(one, _standing(one, visit.now)) for one in found.base_stations]
    return render(visit, "operators/base_stations.html", base_stations=shown, next=found.next, first=not after)


async def peers(visit: Visit, problem: Problem | None = None) -> Response:
    found = (await visit.api.get("/v1/peers", PeerList)).peers
    return render(
        visit,
        "operators/peers.html",
        problem.status if problem else 200,
        strangers=[one for one in found if one.turned_away],
        peers=[one for one in found if not one.turned_away],
        profiles=sorted(PROFILES),
        problem=problem,
    )


async def accept(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        return {"origin_host": text(visit, "origin_host"), "profile": text(visit, "profile")}

    return await act(visit, "/v1/peers", body, PeerView, then="/ops/peers", again=peers)


async def remove(visit: Visit) -> Response:
    path = f"/v1/peers/{segment(text(visit, 'origin_host'))}/removal"
    return await act(visit, path, dict, PeerView, then="/ops/peers", again=peers)


async def reservations(visit: Visit) -> Response:
    found = await visit.api.get("/v1/reservations", ReservationList, limit=_ROWS)
    ages = [(visit.say(AGES[one.under_s]), one) for one in found.ages]
    return render(visit, "operators/reservations.html", found=found, ages=ages)


def _standing(one: BaseStationView, now: int) -> str:
    if one.state == "revoked" or one.heard_at is None:
        return "revoked" if one.state == "revoked" else "never heard"
    silent_ms = now - int(datetime.fromisoformat(one.heard_at).timestamp() * 1000)
    return "on" if silent_ms < _SILENT_MS else "off"
