"""What staff sees of the exchange: trades, disputes, and the settlement between operators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path as Folder
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import FileResponse, Response

from qanat.errors import StoreFault
from qanat.exchange.disputes import Dispute, settle_dispute
from qanat.exchange.trades import Trade
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import NAME, subscriber_owner
from qanat.registry.subscribers import reach
from qanat.server.http.bodies import DisputeNote, Period
from qanat.server.http.effects import Administrator, Limit, StaffCaller, effect, not_theirs, refuse, told_before
from qanat.server.http.noting import noted
from qanat.server.http.services import Services, services_of
from qanat.server.http.views.clearing import SettlementView
from qanat.server.http.views.trades import DisputeList, DisputeView, TradeList, TradeView
from qanat.server.listing import listed, of_trade
from qanat.server.ownership import operators_in
from qanat.server.settling import draw_up, seal, settle
from qanat.server.trading import deliver

router = APIRouter()
OperatorName = Annotated[str, Path(pattern=NAME)]


@router.get("/v1/trades", tags=["exchange"])
async def list_trades(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> TradeList:
    """List trades by their id: those running, and those ended within a month."""
    found, more = await listed(services_of(request).store, Trade, seen=of_trade(caller), after=after, limit=limit)
    return TradeList(trades=[TradeView.of(trade) for trade in found], next=more)


@router.get("/v1/disputes", tags=["exchange"])
async def list_disputes(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> DisputeList:
    """List disputes, the open ones first; staff those in which somebody of its operator takes part."""

    async def seen(found: list[Dispute]) -> Callable[[Dispute], bool]:
        owners = {owner for one in found for owner in one.concerned}
        theirs = await services_of(request).ownership.theirs(caller, owners)
        # Of three copies the supplier's.
        return lambda one: one.owner == subscriber_owner(one.supplier) and not theirs.isdisjoint(one.concerned)

    found, more = await listed(services_of(request).store, Dispute, seen=seen, after=after, limit=limit)
    operators = await services_of(request).ownership.operators_of(owner for one in found for owner in one.concerned)
    return DisputeList(disputes=[DisputeView.of(one, operators) for one in found], next=more)


@router.post(
    "/v1/subscribers/{name}/disputes/{dispute}/settlement",
    status_code=201,
    response_model=DisputeView,
    tags=["exchange"],
)
async def note_dispute(name: str, dispute: str, body: DisputeNote, request: Request, caller: StaffCaller) -> Response:
    """Note once how a dispute was settled; staff of the supplier's or of the demander's operator may. All concerned see it."""

    def decide(work: Work) -> DisputeView | Refused:
        found = work.get(Dispute, subscriber_owner(name), dispute)
        sides = [reach(work, caller, side) for side in ((found.supplier, found.demander) if found else (name,))]
        barred = [side for side in sides if isinstance(side, Refused)]
        if len(barred) == len(sides):
            return barred[0]
        if found is None:
            return Refused(Refusal.NOT_FOUND, {"thing": f"dispute {dispute}"})
        settled = settle_dispute(work, found, note=body.note)
        return (
            settled if isinstance(settled, Refused) else DisputeView.of(settled, operators_in(work, settled.concerned))
        )

    answer = await effect(request, decide, show=lambda shown: shown, caller=caller)
    if answer.status_code < 300:
        with suppress(StoreFault):  # it is settled; the sweeper tells the others
            await deliver(services_of(request).store, subscriber_owner(name))
    return answer


@router.get("/v1/settlements/{period}", response_model=SettlementView, tags=["settlement"])
async def preview(period: Period, request: Request, caller: StaffCaller) -> Response:
    """Compute a period's positions and the transfers that net them; changes nothing. Staff sees its own operator's."""
    services = services_of(request)
    settled = await settle(services.store, period)
    assert not isinstance(settled, Refused), "only closing is refused"
    shown = SettlementView.of(settled, caller, now=services.clock.now())
    return Response(shown.model_dump_json(), 200, media_type="application/json")


@router.post("/v1/settlements/{period}/closing", status_code=201, response_model=SettlementView, tags=["settlement"])
async def close(period: Period, request: Request, caller: Administrator) -> Response:
    """Close a period for ever: compute it, write each operator's file, and let no trade join it any more."""
    told = await told_before(request, caller)
    if told is not None:
        return told
    services, note = services_of(request), await noted(request, caller)
    settled = await draw_up(services.store, period, close=True, directory=_folder(services, period), note=note)
    if isinstance(settled, Refused):
        return await refuse(services, settled, who=f"{caller.role}/{caller.who}")
    show = partial(SettlementView.of, caller=caller, now=services.clock.now())
    return await effect(request, partial(seal, settled=settled), show=show, caller=caller)


@router.get("/v1/settlements/{period}/files/{operator}", response_class=FileResponse, tags=["settlement"])
async def file(period: Period, operator: OperatorName, request: Request, caller: StaffCaller) -> Response:
    """Get an operator's records of a closed period as CSV, the last line of which proves the others."""
    services = services_of(request)
    barred = not_theirs(caller, operator)
    if barred:
        return await refuse(services, barred, who=f"{caller.role}/{caller.who}")
    path = _folder(services, period) / f"{operator}-{period}.csv"
    if not await asyncio.to_thread(path.is_file):
        return await refuse(services, Refused(Refusal.NOT_FOUND, {"thing": f"file of {operator} for {period}"}))
    return FileResponse(path, media_type="text/csv", filename=path.name)


def _folder(services: Services, period: str) -> Folder:
    return Folder(services.settings.data) / "settlements" / period
