"""Vouchers: staff makes batches of codes, subscribers redeem them."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller
from qanat.registry.vouchers import (
    SYMBOLS,
    Voucher,
    VoucherBatch,
    Worth,
    code_of,
    create_batch,
    find_batch,
    is_well_spelt,
    redeem,
    withdraw_batch,
)
from qanat.server.http.bodies import NewVouchers, VoucherCode
from qanat.server.http.effects import AnyCaller, Limit, StaffCaller, Subject, effect, not_theirs, refuse
from qanat.server.http.people import noticed
from qanat.server.http.services import services_of
from qanat.server.http.subjects import acting_for, both
from qanat.server.http.views.vouchers import RedeemedView, VoucherBatchList, VoucherBatchView, VoucherList, VoucherView
from qanat.server.listing import listed, of_operator
from qanat.server.notices import Change
from qanat.system import fresh_id, fresh_symbols
from qanat.units import DAY, Millis, MinorUnits, Octets

router = APIRouter()
_TAG: Final = "vouchers"


@router.post("/v1/voucher-batches", status_code=201, response_model=VoucherBatchView, tags=[_TAG])
async def create(body: NewVouchers, request: Request, caller: StaffCaller) -> Response:
    """Make a batch of vouchers. The answer holds their codes, which are kept nowhere and never shown again."""
    codes = [code_of(fresh_symbols(SYMBOLS)) for _ in range(body.count)]
    worth = Worth(
        octets=Octets(body.octets),
        valid_days=body.valid_days if body.octets else 0,
        amount=MinorUnits(body.amount),
        currency=body.currency if body.amount else "",
    )

    def decision(work: Work) -> VoucherBatchView | Refused:
        made = not_theirs(caller, body.operator) or create_batch(
            work,
            name=body.batch,
            operator=body.operator,
            worth=worth,
            codes=codes,
            good_for=Millis(body.good_days * DAY),
        )
        return made if isinstance(made, Refused) else VoucherBatchView.of(made, now=work.now, codes=codes)

    return await effect(request, decision, show=lambda shown: shown, caller=caller)


@router.get("/v1/voucher-batches", tags=[_TAG])
async def list_batches(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> VoucherBatchList:
    """List batches of vouchers by name."""
    services = services_of(request)
    found, more = await listed(services.store, VoucherBatch, seen=of_operator(caller), after=after, limit=limit)
    now = services.clock.now()
    return VoucherBatchList(batches=[VoucherBatchView.of(one, now=now) for one in found], next=more)


@router.get("/v1/voucher-batches/{batch}/vouchers", response_model=VoucherList, tags=[_TAG])
async def list_vouchers(
    batch: str, request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100
) -> Response:
    """List a batch's vouchers by number: who redeemed them, and when. Not their codes."""
    store = services_of(request).store
    found = await store.decide(partial(_reach, caller=caller, batch=batch))
    if isinstance(found, Refused):
        return await refuse(services_of(request), found, who=f"{caller.role}/{caller.who}")
    vouchers = await store.find(Voucher, label_prefix=f"{found.id}/", after=after, limit=limit)
    more = vouchers[-1].label if len(vouchers) == limit else ""
    shown = VoucherList(vouchers=[VoucherView.of(one) for one in vouchers], next=more)
    return Response(shown.model_dump_json(), 200, media_type="application/json")


@router.post("/v1/voucher-batches/{batch}/withdrawal", status_code=201, response_model=VoucherBatchView, tags=[_TAG])
async def withdraw(batch: str, request: Request, caller: StaffCaller) -> Response:
    """Let nobody redeem what is left of a batch."""

    def decision(work: Work) -> VoucherBatchView | Refused:
        found = _reach(work, caller=caller, batch=batch)
        if isinstance(found, Refused):
            return found
        return VoucherBatchView.of(withdraw_batch(work, found), now=work.now)

    return await effect(request, decision, show=lambda shown: shown, caller=caller)


@both(router, "POST", "/vouchers", RedeemedView, tag=_TAG)
async def redeem_code(name: Subject, body: VoucherCode, request: Request, caller: AnyCaller) -> Response:
    """Redeem a voucher: its octets become a bucket, its money goes into the wallet. Tries are bounded like sign-ins."""
    services = services_of(request)
    who = f"{caller.role}/{caller.who}"
    # A misspelt code tells nobody anything, so it is no try.
    too_often = services.tries_by_name.count(f"voucher {who}") if is_well_spelt(body.code) else None
    if too_often:
        return await refuse(services, too_often, who=who)
    bucket = fresh_id("bkt")
    decision = acting_for(caller, name, lambda work, one: redeem(work, one, code=body.code, bucket=bucket))
    answer = await effect(request, decision, show=RedeemedView.of, caller=caller)
    if answer.status_code < 300:
        services.tries_by_name.take_back(f"voucher {who}")
    return noticed(request, name, answer, Change.RICHER)


def _reach(work: Work, *, caller: Caller, batch: str) -> VoucherBatch | Refused:
    """Return the batch if the caller may serve its operator; to all others it does not exist."""
    found = find_batch(work, batch)
    if found is None or not_theirs(caller, found.operator):
        return Refused(Refusal.NOT_FOUND, {"thing": f"voucher batch {batch}"})
    return found
