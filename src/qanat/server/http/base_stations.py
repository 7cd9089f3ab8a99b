"""The base stations' side of the interface, and what terminals say about trades. Plain routes, since they are hot.

Usage is counted page by page before anything is confirmed, and a question is answered on the supplier's page alone
(``server/trading``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from qanat.exchange import identity
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import BaseStation, enrol_base_station
from qanat.registry.names import base_station_owner, subscriber_owner, terminal_owner
from qanat.registry.terminals import Terminal, terminal_or_refused
from qanat.server import trading
from qanat.server.http import translate_trades as translate
from qanat.server.http.admission import BASE_STATION
from qanat.server.http.agents import Described
from qanat.server.http.devices import from_base_station, from_bearer, from_terminal
from qanat.server.http.effects import refuse
from qanat.server.http.services import Services
from qanat.system import fresh_id
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageConfirmation, UsageReport
from qanat.wire.base_station import (
    Admission,
    Admitted,
    BaseStationEnrolled,
    BaseStationEnrolment,
    OwnIdentities,
    Recalls,
    TradeCount,
    TradeCounted,
)

A = TypeVar("A", bound=msgspec.Struct)

_ASK_AGAIN_MS: Final = 1000
_encode: Final = msgspec.json.Encoder().encode
_admission: Final = msgspec.json.Decoder(Admission)
_interrogation: Final = msgspec.json.Decoder(Interrogation)
_report: Final = msgspec.json.Decoder(UsageReport)
_count: Final = msgspec.json.Decoder(TradeCount)


@from_bearer(BaseStationEnrolment)
async def base_station_enrolment(services: Services, asked: BaseStationEnrolment) -> Response:
    """Enrol a base station."""
    id = fresh_id(BASE_STATION)

    def decide(work: Work) -> BaseStationEnrolled | Refused:
        found = enrol_base_station(work, asked, id=id)
        return found if isinstance(found, Refused) else _enrolled(work, found, services)

    outcome = await services.store.decide(decide)
    return await refuse(services, outcome) if isinstance(outcome, Refused) else _json(outcome, 201)


@from_base_station
async def admission(services: Services, base_station: str, body: bytes) -> Response:
    """Ask whether a demander may go online here. A repeat of the same proof gets the same answer."""
    asked, id = _admission.decode(body), fresh_id("trd")
    offered_by = await trading.suppliers_on_offer(services.store)
    outcome = await services.store.decide(
        lambda work: translate.admission(work, services.policy, base_station, asked, id=id, offered_by=offered_by)
    )
    return await refuse(services, outcome) if isinstance(outcome, Refused) else _json(outcome, 201)


@from_base_station
async def trade_interrogation(services: Services, base_station: str, body: bytes) -> Response:
    """Report, give back, ask, in the session of a trade (RFC 8506 §5)."""
    message = _interrogation.decode(body)
    outcome = await trading.interrogate(services.store, services.policy, base_station, message)
    if isinstance(outcome, Refused):
        return await refuse(services, outcome, who=base_station_owner(base_station), session=message.session)
    if outcome.refusal is not None:
        services.metrics.refusals.labels(outcome.refusal.reason).inc()
    return _json(outcome, 200)


@from_base_station
async def trade_usage(services: Services, base_station: str, body: bytes) -> Response:
    """Take rows of a base station's usage journal; what is confirmed is durable."""
    outcome = await trading.take_usage(services.store, base_station, _report.decode(body))
    return await refuse(services, outcome) if isinstance(outcome, Refused) else _json(outcome, 200)


@from_base_station
async def recalls(services: Services, base_station: str, _: bytes) -> Response:
    """Tell a base station which of its trades must end now."""
    outcome = await services.store.decide(
        lambda work: translate.recalls(work, base_station, ask_again_ms=_ASK_AGAIN_MS)
    )
    return await refuse(services, outcome) if isinstance(outcome, Refused) else _json(outcome, 200)


@from_terminal
async def own_identities(services: Services, id: str, _: bytes) -> Response:
    """Tell a terminal its identity code and its subscriber's."""
    return await _for_terminal(services, id, _identities)


@from_terminal
async def trade_count(services: Services, id: str, body: bytes) -> Response:
    """Take a terminal's own count of a trade. Counts only grow, so repeating is safe."""
    counted = _count.decode(body)
    return await _for_terminal(services, id, lambda work, terminal: translate.terminal_count(work, terminal, counted))


ENROLMENT: Final[Described] = (
    Route("/v1/base-stations", base_station_enrolment, methods=["POST"]),
    BaseStationEnrolment,
    BaseStationEnrolled,
    201,
)
HOT: Final[list[Described]] = [
    (Route("/v1/station/admissions", admission, methods=["POST"]), Admission, Admitted, 201),
    (
        Route("/v1/station/interrogations", trade_interrogation, methods=["POST"]),
        Interrogation,
        InterrogationAnswer,
        200,
    ),
    (Route("/v1/station/usage", trade_usage, methods=["POST"]), UsageReport, UsageConfirmation, 200),
    (Route("/v1/station/recalls", recalls, methods=["GET"]), None, Recalls, 200),
    (Route("/v1/agent/identities", own_identities, methods=["GET"]), None, OwnIdentities, 200),
    (Route("/v1/agent/trade-counts", trade_count, methods=["POST"]), TradeCount, TradeCounted, 200),
]


async def _for_terminal(services: Services, id: str, decision: Callable[[Work, Terminal], A | Refused]) -> Response:
    def decide(work: Work) -> A | Refused:
        terminal = terminal_or_refused(work, id)
        return terminal if isinstance(terminal, Refused) else decision(work, terminal)

    outcome = await services.store.decide(decide)
    if isinstance(outcome, Refused):
        return await refuse(services, outcome, who=terminal_owner(id))
    return _json(outcome, 200)


def _identities(work: Work, terminal: Terminal) -> OwnIdentities | Refused:
    if not terminal.subscriber:
        return Refused(Refusal.TERMINAL_UNBOUND, {"terminal": terminal.id})
    return OwnIdentities(
        terminal=identity.issue(work, terminal.owner),
        subscriber=identity.issue(work, subscriber_owner(terminal.subscriber)),
    )


def _enrolled(work: Work, station: BaseStation, services: Services) -> BaseStationEnrolled:
    return BaseStationEnrolled(
        base_station=station.id,
        identity=identity.issue(work, station.owner),
        subscriber=station.subscriber,
        operator=station.operator,
        report_interval_s=services.settings.agents.report_interval_s,
        server_time=work.now,
    )


def _json(message: msgspec.Struct, status: int) -> Response:
    return Response(_encode(message), status, media_type="application/json")
