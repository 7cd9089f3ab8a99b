"""What staff does: operators, plans, staff of operators, SIM pools."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.errors import BadInput
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry import operators, plans, sims
from qanat.registry.access import Caller, Staff, caller_may_serve, dismiss, hire
from qanat.registry.codes import EnrolmentCode, issue_code
from qanat.registry.names import plan_owner, subscriber_owner
from qanat.registry.sims import Added, NewProfile, SimProfile
from qanat.server.http.bodies import (
    NewOperator,
    NewPlan,
    NewSims,
    NewStaff,
    OperatorCodeRequest,
    SimImport,
)
from qanat.server.http.effects import (
    Administrator,
    AnyCaller,
    Limit,
    StaffCaller,
    chosen,
    effect,
    not_theirs,
    refuse,
    told_before,
    while_signed_in,
)
from qanat.server.http.noting import noted
from qanat.server.http.services import services_of
from qanat.server.http.views.people import OperatorList, OperatorView, StaffList, StaffView
from qanat.server.http.views.plans import PlanList, PlanView
from qanat.server.http.views.terminals import CodeView, PoolView, SimList, SimView
from qanat.server.listing import listed, of_operator
from qanat.system import fresh_code
from qanat.units import HOUR, Millis, MinorUnits, Octets

router = APIRouter()
_CHUNK: Final = 25
"""Profiles added in one decision: each touches two pages of its own."""


@router.post("/v1/operators", status_code=201, response_model=OperatorView, tags=["operators"])
async def create_operator(body: NewOperator, request: Request, caller: Administrator) -> Response:
    """Create an operator, who owns plans, subscribers and a pool of cloud SIMs."""
    decision = partial(operators.create_operator, name=body.name, display_name=body.display_name)
    return await effect(request, decision, show=OperatorView.of, caller=caller)


@router.get("/v1/operators", tags=["operators"])
async def list_operators(request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100) -> OperatorList:
    """List operators by name."""

    async def seen(_: list[operators.Operator]) -> Callable[[operators.Operator], bool]:
        return lambda one: caller_may_serve(caller, one.id)

    found, more = await listed(services_of(request).store, operators.Operator, seen=seen, after=after, limit=limit)
    return OperatorList(operators=[OperatorView.of(one) for one in found], next=more)


@router.post("/v1/operators/{operator}/staff", status_code=201, response_model=StaffView, tags=["operators"])
async def create_staff(operator: str, body: NewStaff, request: Request, caller: StaffCaller) -> Response:
    """Give somebody a name and password with which to work for an operator."""
    services = services_of(request)
    hashed = await services.passwords.hash(body.password.get_secret_value())

    def decision(work: Work) -> Staff | Refused:
        barred = not_theirs(caller, operator) or _missing(work, operator)
        return barred or hire(work, name=body.name, role="operator", operator=operator, password_hash=hashed)

    return await effect(request, decision, show=StaffView.of, caller=caller)


@router.get("/v1/operators/{operator}/staff", response_model=StaffList, tags=["operators"])
async def list_staff(
    operator: str, request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100
) -> Response:
    """List an operator's staff by name, those who were dismissed among it."""
    services = services_of(request)
    barred = not_theirs(caller, operator)
    if barred:
        return await refuse(services, barred, who=f"{caller.role}/{caller.who}")

    async def seen(_: list[Staff]) -> Callable[[Staff], bool]:
        return lambda one: one.operator == operator

    found, more = await listed(services.store, Staff, seen=seen, after=after, limit=limit)
    shown = StaffList(staff=[StaffView.of(one) for one in found], next=more)
    return Response(shown.model_dump_json(), 200, media_type="application/json")


@router.post(
    "/v1/operators/{operator}/staff/{member}/dismissal",
    status_code=201,
    response_model=StaffView,
    tags=["operators"],
)
async def dismiss_staff(operator: str, member: str, request: Request, caller: StaffCaller) -> Response:
    """Let somebody work for an operator no more: its sign-ins end. Hired again, it is back with a new password."""

    def decision(work: Work) -> Staff | Refused:
        return not_theirs(caller, operator) or dismiss(work, name=member, operator=operator)

    return await effect(request, decision, show=StaffView.of, caller=caller)


@router.post("/v1/plans", status_code=201, response_model=PlanView, tags=["plans"])
async def create_plan(body: NewPlan, request: Request, caller: StaffCaller) -> Response:
    """Put a plan on sale."""

    def decision(work: Work) -> plans.Plan | Refused:
        plan = plans.Plan(
            owner=plan_owner(body.name),
            id=body.name,
            operator=body.operator,
            octets=Octets(body.octets or body.seconds or body.units),
            unit=body.unit,
            valid_days=body.valid_days,
            price=MinorUnits(body.price),
            currency=body.currency,
            priority=body.priority,
            quota_octets=Octets(body.quota),
            all_or_nothing=body.all_or_nothing,
            stock=body.stock,
            created_at=work.now,
        )
        return not_theirs(caller, body.operator) or plans.create_plan(work, plan)

    return await effect(request, decision, show=PlanView.of, caller=caller)


@router.get("/v1/plans", tags=["plans"])
async def list_plans(request: Request, caller: AnyCaller, after: str = "", limit: Limit = 100) -> PlanList:
    """List plans by name: staff sees its operator's, a subscriber those that its operator has on sale."""
    services = services_of(request)
    seller = await services.ownership.operator_of(subscriber_owner(caller.who)) if caller.role == "subscriber" else ""

    async def seen(_: list[plans.Plan]) -> Callable[[plans.Plan], bool]:
        return lambda plan: caller_may_serve(caller, plan.operator) or (plan.operator == seller and not plan.withdrawn)

    found, more = await listed(services.store, plans.Plan, seen=seen, after=after, limit=limit)
    return PlanList(plans=[PlanView.of(plan) for plan in found], next=more)


@router.post("/v1/plans/{plan}/withdrawal", status_code=201, response_model=PlanView, tags=["plans"])
async def withdraw_plan(plan: str, request: Request, caller: StaffCaller) -> Response:
    """Take a plan off sale. What was bought before stays."""

    def decision(work: Work) -> plans.Plan | Refused:
        found = plans.find_plan(work, plan)
        barred = not_theirs(caller, found.operator) if found else None
        return barred or plans.withdraw_plan(work, name=plan)

    return await effect(request, decision, show=PlanView.of, caller=caller)


@router.post("/v1/codes", status_code=201, response_model=CodeView, tags=["terminals"])
async def issue_unbound_code(body: OperatorCodeRequest, request: Request, caller: StaffCaller) -> Response:
    """Issue an enrolment code for a terminal that its subscriber will bind later, with its binding code."""
    code = fresh_code()
    hours = body.hours or services_of(request).settings.agents.code_hours

    def decision(work: Work) -> EnrolmentCode | Refused:
        barred = not_theirs(caller, body.operator) or _missing(work, body.operator)
        return barred or issue_code(work, code=code, operator=body.operator, subscriber="", valid=Millis(hours * HOUR))

    return await effect(request, decision, show=partial(CodeView.of, code), caller=caller)


@router.post("/v1/sims", status_code=201, response_model=PoolView, tags=["cloud SIMs"])
async def make_sims(body: NewSims, request: Request, caller: StaffCaller) -> Response:
    """Make up a range of cloud SIM profiles and put them into an operator's pool."""
    barred = not_theirs(caller, body.operator)
    if barred:
        return await refuse(services_of(request), barred, who=f"{caller.role}/{caller.who}")
    told = await told_before(request, caller)
    if told is not None:
        return told
    issuer, imsi_prefix, count = body.issuer, body.imsi_prefix, body.count
    take = partial(sims.take_numbers, issuer=issuer, imsi_prefix=imsi_prefix, first=body.first, count=count)
    first = await chosen(request, caller, take)
    if isinstance(first, Refused):
        return await refuse(services_of(request), first, who=f"{caller.role}/{caller.who}")
    profiles = sims.profile_range(issuer=issuer, imsi_prefix=imsi_prefix, first=first, count=count)
    return await _add(request, caller, body.operator, profiles)


@router.post("/v1/sims/import", status_code=201, response_model=PoolView, tags=["cloud SIMs"])
async def import_sims(body: SimImport, request: Request, caller: StaffCaller) -> Response:
    """Put profiles from CSV with the columns iccid and imsi into an operator's pool. Repeating is safe."""
    profiles = sims.read_profiles(body.csv)
    if not profiles:
        raise BadInput("no profile follows the first line", field="csv")
    return await _add(request, caller, body.operator, profiles)


@router.get("/v1/sims", tags=["cloud SIMs"])
async def list_sims(
    request: Request, caller: StaffCaller, after: str = "", limit: Limit = 100, prefix: str = ""
) -> SimList:
    """List cloud SIMs by ICCID, and how the pools stand."""
    store = services_of(request).store
    found, more = await listed(store, SimProfile, seen=of_operator(caller), prefix=prefix, after=after, limit=limit)
    pools = await store.find(sims.Pool, limit=1000)
    return SimList(
        sims=[SimView.of(profile) for profile in found],
        pools=[PoolView.of(pool) for pool in pools if caller_may_serve(caller, pool.id)],
        next=more,
    )


async def _add(request: Request, caller: Caller, operator: str, profiles: list[NewProfile]) -> Response:
    """Add profiles chunk by chunk; an interrupted request is simply repeated, what is in the pool is left alone."""
    store = services_of(request).store
    barred = not_theirs(caller, operator)
    if barred:
        return await refuse(services_of(request), barred, who=f"{caller.role}/{caller.who}")
    added, note = Added(0, 0), await noted(request, caller)

    def add(work: Work, chunk: list[NewProfile]) -> Added | Refused:
        outcome = sims.add_profiles(work, operator=operator, profiles=chunk)
        if not isinstance(outcome, Refused) and outcome.added:
            note(work)
        return outcome

    *chunks, last = [profiles[start : start + _CHUNK] for start in range(0, len(profiles), _CHUNK)]
    for chunk in chunks:
        outcome = await store.decide(while_signed_in(request, partial(add, chunk=chunk)))
        if isinstance(outcome, Refused):
            return await refuse(services_of(request), outcome, who=f"{caller.role}/{caller.who}")
        added = Added(added.added + outcome.added, added.existing + outcome.existing)

    def finish(work: Work) -> PoolView | Refused:
        outcome = add(work, last)
        if isinstance(outcome, Refused):
            return outcome
        pool = PoolView.of(sims.pool_of(work, operator))
        return pool.model_copy(
            update={"added": added.added + outcome.added, "existing": added.existing + outcome.existing}
        )

    return await effect(request, finish, show=lambda shown: shown, caller=caller)


def _missing(work: Work, operator: str) -> Refused | None:
    found = operators.require_operator(work, operator)
    return found if isinstance(found, Refused) else None
