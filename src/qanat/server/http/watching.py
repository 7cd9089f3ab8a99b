"""What staff looks at: terminals, sessions, refusals and the audit."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.charging.session import Session
from qanat.errors import BadInput
from qanat.exchange.trades import Trade
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry import terminals
from qanat.registry.changes import Change, is_place
from qanat.registry.names import name_of
from qanat.registry.refused import RefusedRequest
from qanat.registry.subscribers import find_subscriber
from qanat.registry.terminals import Terminal
from qanat.registry.unmatched import UnmatchedReport
from qanat.registry.wallets import balance_of
from qanat.server.http.effects import Administrator, AnyCaller, Limit, StaffCaller, effect, view
from qanat.server.http.services import services_of
from qanat.server.http.views.house import ChangeList, ChangeView, UnmatchedList, UnmatchedView, Verdict
from qanat.server.http.views.plans import BalanceView
from qanat.server.http.views.sessions import RefusalList, RefusalView, SessionList, SessionView, StepView, Why
from qanat.server.http.views.terminals import TerminalList, TerminalView
from qanat.server.http.views.trades import TradeView
from qanat.server.listing import everything, listed, of_operator, of_owner, of_trade
from qanat.server.named import sessions_named
from qanat.server.refused import refusals_seen

router = APIRouter()


@router.get("/v1/terminals", tags=["terminals"])
async def list_terminals(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> TerminalList:
    """List all terminals by id."""
    store = services_of(request).store
    found, more = await listed(store, Terminal, seen=of_operator(caller), after=after, limit=limit)
    return TerminalList(terminals=[TerminalView.of(one) for one in found], next=more)


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
    """List sessions by their identifier: those that are live, then those closed within the last day."""
    services = services_of(request)
    seen = of_owner(services.ownership, caller)
    found, more = await listed(services.store, Session, seen=seen, after=after, limit=limit)
    return SessionList(sessions=[SessionView.of(one) for one in found], next=more)


@router.get("/v1/sessions/{session}/why", tags=["sessions"])
async def why(session: str, request: Request, caller: StaffCaller) -> Why:
    """Tell everything that explains what a session was answered."""
    services = services_of(request)
    found = await sessions_named(services.store, session)
    refused = await services.store.find(RefusedRequest, label_prefix=session, limit=1000)
    concerned = {owner for one in refused for owner in one.concerned}
    theirs = await services.ownership.theirs(caller, {one.owner for one in found} | concerned)
    sessions = [one for one in found if one.owner in theirs]
    # In a trade it is the demander who was refused, and its supplier's operator wants to know of it as well.
    all_theirs = bool(sessions) and len(sessions) == len(found)
    refusals = [one for one in refused if one.session == session and (all_theirs or theirs.intersection(one.concerned))]
    names = sorted({name_of(one.owner) for one in sessions})
    trades, _ = await listed(services.store, Trade, seen=of_trade(caller), prefix=session)
    return Why(
        session=session,
        trades=[TradeView.of(one) for one in trades if one.id == session],
        sessions=[SessionView.of(one) for one in sessions],
        steps=[step for one in sessions for step in StepView.of(one)],
        balances=[await services.store.decide(partial(_balance, name=name)) for name in names],
        refusals=[RefusalView.of(one) for one in _newest_first(refusals)],
    )


@router.get("/v1/refusals", tags=["sessions"])
async def list_refusals(
    request: Request, caller: StaffCaller, limit: Limit = 100, reason: str = "", who: str = ""
) -> RefusalList:
    """List what was refused in the last week and why, newest first; for one reason, or to one owner, if named."""
    _require_reason(reason)
    services = services_of(request)
    seen, looked_through = await refusals_seen(services.store, services.ownership, caller, who=who)
    newest = _newest_first([one for one in seen if reason in ("", one.reason)])
    shown = newest[:limit]
    operators = await services.ownership.operators_of({one.who for one in shown})
    return RefusalList(
        refusals=[RefusalView.of(one, operator=operators[one.who]) for one in shown],
        complete=not looked_through and len(newest) <= limit,
        looked_through=looked_through,
    )


@router.get("/v1/unmatched", tags=["sessions"])
async def list_unmatched(
    request: Request, _caller: Administrator, after: str = "", limit: Limit = 100
) -> UnmatchedList:
    """List reports of usage that fit no session and no subscriber, by the session they name; kept for a week."""
    store = services_of(request).store
    found, more = await listed(store, UnmatchedReport, seen=everything, after=after, limit=limit)
    return UnmatchedList(reports=[UnmatchedView.of(one) for one in found], next=more)


@router.get("/v1/changes", tags=["changes"])
async def list_changes(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> ChangeList:
    """List what staff changed in the last 400 days, newest first; staff of an operator sees its colleagues'."""
    if after and not is_place(after):
        raise BadInput(f"{after!r} is no place in the log; take what the piece before said", field="after")
    store = services_of(request).store
    found, more = await listed(store, Change, seen=of_operator(caller), after=after, limit=limit)
    return ChangeList(changes=[ChangeView.of(one) for one in found], next=more)


@router.get("/v1/audit", tags=["audit"])
async def audit(request: Request, _caller: Administrator) -> Verdict:
    """Recompute every balance from the entries, and hold the stored rows against them."""
    services = services_of(request)
    with services.under_way.until_stop():
        verdict = await services.store.audit()
    services.metrics.audits.set(verdict.balanced)
    return Verdict(
        balanced=verdict.balanced,
        accounts=verdict.accounts,
        entries=verdict.entries,
        archived=verdict.archived,
        problems=list(verdict.problems),
    )


def _require_reason(text: str) -> None:
    """Raise BadInput that names the nearest reasons, unless this is one or none."""
    if text and text not in list(Refusal):
        near = ", ".join(get_close_matches(text, list(Refusal), cutoff=0))
        raise BadInput(f"{text!r} is no reason; the nearest are {near}", field="reason")


def _balance(work: Work, name: str) -> BalanceView:
    subscriber = find_subscriber(work, name)
    assert subscriber is not None, f"{name} has a session and is no subscriber"
    return BalanceView.of(name, balance_of(work, subscriber))


def _newest_first(refused: list[RefusedRequest]) -> list[RefusedRequest]:
    return sorted(refused, key=lambda one: one.at, reverse=True)
