"""What staff looks at: terminals, sessions, refusals and the audit."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.charging.session import Session
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry import terminals
from qanat.registry.access import Caller
from qanat.registry.names import name_of
from qanat.registry.refused import RefusedRequest
from qanat.registry.subscribers import find_subscriber
from qanat.registry.terminals import Terminal, find_terminal
from qanat.registry.unmatched import UnmatchedReport
from qanat.server.http.effects import Administrator, AnyCaller, Limit, StaffCaller, effect, not_theirs, view
from qanat.server.http.services import Services, services_of
from qanat.server.http.views import (
    RefusalList,
    RefusalView,
    SessionList,
    SessionView,
    TerminalList,
    TerminalView,
    UnmatchedList,
    UnmatchedView,
    Verdict,
    Why,
)
from qanat.server.named import sessions_named

router = APIRouter()
_MANY: Final = 1000


@router.get("/v1/terminals", tags=["terminals"])
async def list_terminals(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> TerminalList:
    """List all terminals by id."""
    found = await services_of(request).store.find(Terminal, after=after, limit=limit)
    theirs = [one for one in found if not_theirs(caller, one.operator) is None]
    return TerminalList(terminals=[TerminalView.of(one) for one in theirs])


@router.get("/v1/terminals/{id}", response_model=TerminalView, tags=["terminals"])
async def show_terminal(id: str, request: Request, caller: AnyCaller) -> Response:
    """Show a terminal."""
    return await view(
        request, lambda work: terminals.reach_terminal(work, caller, id), show=TerminalView.of, caller=caller
    )


@router.post("/v1/terminals/{id}/revocation", status_code=201, response_model=TerminalView, tags=["terminals"])
async def revoke(id: str, request: Request, caller: AnyCaller) -> Response:
    """End a terminal: its cloud SIM goes back to the pool and its key is never accepted again."""

    def decision(work: Work) -> Terminal | Refused:
        found = terminals.reach_terminal(work, caller, id)
        return found if isinstance(found, Refused) else terminals.revoke(work, found)

    return await effect(request, decision, show=TerminalView.of, caller=caller)


@router.get("/v1/sessions", tags=["sessions"])
async def list_sessions(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> SessionList:
    """List sessions by their identifier, those open and those closed within the last day."""
    services = services_of(request)
    found = await services.store.find(Session, after=after, limit=limit)
    theirs = await _theirs(services, caller, {one.owner for one in found})
    return SessionList(sessions=[SessionView.of(one) for one in found if one.owner in theirs])


@router.get("/v1/sessions/{session}/why", tags=["sessions"])
async def why(session: str, request: Request, caller: StaffCaller) -> Why:
    """Tell everything that explains what a session was answered."""
    services = services_of(request)
    found = await sessions_named(services.store, session)
    refused = await services.store.find(RefusedRequest, label_prefix=session, limit=_MANY)
    theirs = await _theirs(services, caller, {one.owner for one in found} | {one.who for one in refused})
    return Why(
        session=session,
        sessions=[SessionView.of(one) for one in found if one.owner in theirs],
        refusals=_newest_first([one for one in refused if one.who in theirs and one.session == session]),
    )


@router.get("/v1/refusals", tags=["sessions"])
async def list_refusals(request: Request, caller: StaffCaller, limit: Limit = 100) -> RefusalList:
    """List what was refused in the last week and why, newest first."""
    services = services_of(request)
    found = await services.store.find(RefusedRequest, limit=_MANY)
    theirs = await _theirs(services, caller, {one.who for one in found})
    return RefusalList(refusals=_newest_first([one for one in found if one.who in theirs])[:limit])


@router.get("/v1/unmatched", tags=["sessions"])
async def list_unmatched(request: Request, _caller: Administrator, limit: Limit = 100) -> UnmatchedList:
    """List reports of usage that fit no session and no subscriber; kept for a week."""
    found = await services_of(request).store.find(UnmatchedReport, limit=limit)
    return UnmatchedList(reports=[UnmatchedView.of(one) for one in found])


@router.get("/v1/audit", tags=["audit"])
async def audit(request: Request, _caller: Administrator) -> Verdict:
    """Recompute every balance from the entries, and hold the stored rows against them."""
    services = services_of(request)
    verdict = await services.store.audit()
    services.metrics.audits.set(verdict.balanced)
    return Verdict(
        balanced=verdict.balanced,
        accounts=verdict.accounts,
        entries=verdict.entries,
        problems=list(verdict.problems),
    )


async def _theirs(services: Services, caller: Caller, owners: set[str]) -> set[str]:
    """Return those of the owners that the caller may look at: an administrator all, staff its operator's."""
    if caller.role == "administrator":
        return owners
    return {
        owner
        for owner in owners
        if not_theirs(caller, await services.store.decide(partial(_operator_of, owner=owner))) is None
    }


def _operator_of(work: Work, owner: str) -> str:
    kind, name = owner.partition("/")[0], name_of(owner)
    found = find_terminal(work, name) if kind == "terminal" else find_subscriber(work, name)
    return found.operator if found else ""


def _newest_first(refused: list[RefusedRequest]) -> list[RefusalView]:
    return [RefusalView.of(one) for one in sorted(refused, key=lambda one: one.at, reverse=True)]
