"""What people do with base stations: issue the code with which one enrols, see those there are, end one.

What base stations say themselves is ``base_stations``.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.exchange import identity
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.base_stations import (
    BaseStation,
    base_stations_of,
    last_heard,
    reach_base_station,
    revoke_base_station,
)
from qanat.registry.codes import EnrolmentCode, issue_code
from qanat.registry.subscribers import Subscriber
from qanat.server.http.bodies import CodeRequest
from qanat.server.http.effects import AnyCaller, Limit, StaffCaller, Subject, effect, view
from qanat.server.http.services import services_of
from qanat.server.http.subjects import acting_for, both
from qanat.server.http.views.base_stations import BaseStationList, BaseStationView
from qanat.server.http.views.terminals import CodeView
from qanat.server.listing import listed, of_operator
from qanat.system import fresh_code
from qanat.units import HOUR, Millis

router = APIRouter()
_both: Final = partial(both, router)
_TAG: Final = "base stations"


@_both("POST", "/base-station-codes", CodeView, tag=_TAG)
async def issue_base_station_code(name: Subject, body: CodeRequest, request: Request, caller: AnyCaller) -> Response:
    """Issue a one-time code with which a base station of this subscriber enrols."""
    code = fresh_code()
    hours = body.hours or services_of(request).settings.agents.code_hours

    def decide(work: Work, one: Subscriber) -> EnrolmentCode | Refused:
        valid = Millis(hours * HOUR)
        return issue_code(work, code=code, operator=one.operator, subscriber=one.id, valid=valid, device="base station")

    return await effect(request, acting_for(caller, name, decide), show=partial(CodeView.of, code), caller=caller)


@_both("GET", "/base-stations", BaseStationList, tag=_TAG)
async def list_own_base_stations(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List a subscriber's base stations."""

    def decide(work: Work, one: Subscriber) -> BaseStationList:
        return BaseStationList(base_stations=[_shown(work, station) for station in base_stations_of(work, one.id)])

    return await view(request, acting_for(caller, name, decide), show=lambda shown: shown, caller=caller)


@router.post("/v1/base-stations/{id}/revocation", status_code=201, response_model=BaseStationView, tags=[_TAG])
async def end_base_station(id: str, request: Request, caller: AnyCaller) -> Response:
    """End a base station: it admits nobody and is granted nothing. Repeating is safe."""

    def decide(work: Work) -> BaseStationView | Refused:
        found = reach_base_station(work, caller, id)
        return found if isinstance(found, Refused) else _shown(work, revoke_base_station(work, found))

    return await effect(request, decide, show=lambda shown: shown, caller=caller)


@router.get("/v1/base-stations", tags=[_TAG])
async def list_base_stations(
    request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100
) -> BaseStationList:
    """List base stations by id."""
    store = services_of(request).store
    found, more = await listed(store, BaseStation, seen=of_operator(caller), after=after, limit=limit)
    return BaseStationList(base_stations=[await store.decide(partial(_shown, station=one)) for one in found], next=more)


def _shown(work: Work, station: BaseStation) -> BaseStationView:
    return BaseStationView.of(station, identity.issue(work, station.owner), last_heard(work, station.id))
