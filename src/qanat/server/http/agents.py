"""The agents' side of the interface: enrolment, interrogations, usage. Plain routes, since they are the hot ones.

What a known terminal is refused is remembered for the operator, in the same commit where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from qanat.exchange import identity
from qanat.ledger.book import available, usable_buckets
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.names import subscriber_owner, terminal_owner
from qanat.registry.terminals import Terminal, enrol, terminal_or_refused
from qanat.server.http import translate
from qanat.server.http.devices import from_bearer, from_terminal
from qanat.server.http.effects import refuse
from qanat.server.http.services import Services
from qanat.system import fresh_code, fresh_id
from qanat.wire.agent import (
    CloudSim,
    Enrolled,
    Enrolment,
    Interrogation,
    InterrogationAnswer,
    PlanView,
    TerminalView,
    UsageConfirmation,
    UsageReport,
)

_encode: Final = msgspec.json.Encoder().encode
_interrogation: Final = msgspec.json.Decoder(Interrogation)
_report: Final = msgspec.json.Decoder(UsageReport)


@from_bearer(Enrolment)
async def enrolment(services: Services, asked: Enrolment) -> Response:
    """Enrol a terminal."""
    id, binding_code = fresh_id("trm"), fresh_code()
    terminal = await services.store.decide(lambda work: enrol(work, asked, id=id, binding_code=binding_code))
    if isinstance(terminal, Refused):
        return await refuse(services, terminal)
    return Response(_encode(_enrolled(terminal, services)), 201, media_type="application/json")


@from_terminal
async def interrogation(services: Services, id: str, body: bytes) -> Response:
    """Report, give back, ask (RFC 8506 §5). A repeat of the same number gets the same answer."""
    return await _decided(services, interrogation_of(services, id, body), terminal=id)


@from_terminal
async def usage(services: Services, id: str, body: bytes) -> Response:
    """Take rows of the usage journal; what is confirmed is durable, and may be deleted by the terminal."""
    return await _decided(services, usage_of(services, id, body), terminal=id)


class Question(NamedTuple):
    """What a terminal asks, ready to be decided."""

    decide: Callable[[Work], msgspec.Struct | Refused]
    session: str = ""


def interrogation_of(services: Services, id: str, body: bytes) -> Question:
    """Read an interrogation. Raises msgspec.DecodeError."""
    message = _interrogation.decode(body)

    def decide(work: Work) -> InterrogationAnswer | Refused:
        terminal = terminal_or_refused(work, id)
        if isinstance(terminal, Refused):
            return terminal
        return translate.interrogation(work, services.policy, terminal, message)

    return Question(decide, message.session)


def usage_of(_: Services, id: str, body: bytes) -> Question:
    """Read a usage report. Raises msgspec.DecodeError."""
    report = _report.decode(body)

    def decide(work: Work) -> UsageConfirmation | Refused:
        # A terminal that was revoked may still report what passed before: it happened.
        terminal = terminal_or_refused(work, id)
        return terminal if isinstance(terminal, Refused) else translate.usage(work, terminal, report)

    return Question(decide)


@from_terminal
async def own_terminal(services: Services, id: str, _: bytes) -> Response:
    """Tell a terminal what the server knows of it."""

    def look(work: Work) -> TerminalView | Refused:
        terminal = terminal_or_refused(work, id)
        return terminal if isinstance(terminal, Refused) else _terminal_view(work, terminal)

    return await _decided(services, Question(look), terminal=id)


Described = tuple[Route, type[msgspec.Struct] | None, type[msgspec.Struct], int]
"""A route with what it takes, what it answers, and the status of that answer."""

ENROLMENT: Final[Described] = (Route("/v1/terminals", enrolment, methods=["POST"]), Enrolment, Enrolled, 201)
HOT: Final[list[Described]] = [
    (Route("/v1/agent/interrogations", interrogation, methods=["POST"]), Interrogation, InterrogationAnswer, 200),
    (Route("/v1/agent/usage", usage, methods=["POST"]), UsageReport, UsageConfirmation, 200),
    (Route("/v1/agent/terminal", own_terminal, methods=["GET"]), None, TerminalView, 200),
]


SHORT: Final[dict[str, Callable[[Services, str, bytes], Question]]] = {
    "/v1/agent/interrogations": interrogation_of,
    "/v1/agent/usage": usage_of,
}
"""What is asked most, by its path: ``short_way`` answers it without the application's layers."""


def encoded(services: Services, outcome: msgspec.Struct) -> bytes:
    """Return a good answer as it is sent; that nothing was granted is counted with the refusals."""
    if isinstance(outcome, InterrogationAnswer) and outcome.refusal is not None:
        services.metrics.refusals.labels(outcome.refusal.reason).inc()
    return _encode(outcome)


async def _decided(services: Services, question: Question, *, terminal: str) -> Response:
    outcome = await services.store.decide(question.decide)
    if isinstance(outcome, Refused):
        return await refuse(services, outcome, who=terminal_owner(terminal), session=question.session)
    return Response(encoded(services, outcome), media_type="application/json")


def _enrolled(terminal: Terminal, services: Services) -> Enrolled:
    return Enrolled(
        terminal=terminal.id,
        sim=_sim(terminal),
        subscriber=terminal.subscriber or None,
        binding_code=None if terminal.subscriber else terminal.binding_code,
        report_interval_s=services.settings.agents.report_interval_s,
        server_time=services.clock.now(),
    )


def _terminal_view(work: Work, terminal: Terminal) -> TerminalView:
    owner = subscriber_owner(terminal.subscriber)
    buckets = usable_buckets(work, owner) if terminal.subscriber else []
    return TerminalView(
        terminal=terminal.id,
        identity=identity.issue(work, terminal.owner),
        sim=_sim(terminal) if terminal.iccid else None,
        subscriber=terminal.subscriber or None,
        binding_code=None if terminal.subscriber else terminal.binding_code,
        available=available(work, owner) if terminal.subscriber else 0,
        plans=[
            PlanView(
                plan=bucket.plan,
                octets=bucket.size,
                available=bucket.available,
                priority=bucket.priority,
                expires_at=bucket.expires_at or bucket.opened_at,
            )
            for bucket in buckets
        ],
    )


def _sim(terminal: Terminal) -> CloudSim:
    return CloudSim(iccid=terminal.iccid, imsi=terminal.imsi, account=terminal.subscriber or terminal.operator)
