"""What subscribers do, and what staff does for them: one shape, under ``/v1/subscribers/{name}`` and ``/v1/me``."""

from __future__ import annotations

from functools import partial
from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.charging.session import Session
from qanat.ledger.book import used
from qanat.ledger.history import DAYS_KEPT, HOURS_KEPT, usage_by
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry import terminals, wallets
from qanat.registry.access import set_password
from qanat.registry.codes import EnrolmentCode, issue_code
from qanat.registry.names import subscriber_owner
from qanat.registry.refused import RefusedRequest, refused_owner
from qanat.registry.subscribers import Status, Subscriber, create_subscriber, set_status
from qanat.server.http.bodies import Binding, CodeRequest, NewSubscriber, PayIn, Purchase, StatusChange, TopUp
from qanat.server.http.effects import AnyCaller, Limit, StaffCaller, Subject, effect, not_theirs, view
from qanat.server.http.services import services_of
from qanat.server.http.subjects import acting_for, both
from qanat.server.http.views.people import SubscriberList, SubscriberView
from qanat.server.http.views.plans import BalanceView, BucketView, SpanView, UsageView, WalletView
from qanat.server.http.views.sessions import RefusalList, RefusalView, SessionList, SessionView
from qanat.server.http.views.terminals import CodeView, TerminalList, TerminalView
from qanat.server.listing import listed, of_operator
from qanat.server.notices import Change
from qanat.system import fresh_code, fresh_id
from qanat.units import DAY, HOUR, Instant, Millis, MinorUnits, Octets, format_instant

router = APIRouter()
_both = partial(both, router)


def noticed(request: Request, name: str, answer: Response, change: Change) -> Response:
    """Let those who serve the subscriber's sessions know what took effect."""
    if answer.status_code < 300:
        services_of(request).notices.tell(subscriber_owner(name), change)
    return answer


@router.post("/v1/subscribers", status_code=201, response_model=SubscriberView, tags=["subscribers"])
async def create(body: NewSubscriber, request: Request, caller: StaffCaller) -> Response:
    """Create a subscriber. With a password it can sign in."""
    hashed = await services_of(request).passwords.hash(body.password.get_secret_value()) if body.password else ""

    def decision(work: Work) -> Subscriber | Refused:
        barred = not_theirs(caller, body.operator)
        if barred:
            return barred
        made = create_subscriber(
            work,
            name=body.name,
            operator=body.operator,
            imsi=body.imsi,
            msisdn=body.msisdn,
            display_name=body.display_name,
        )
        if hashed and isinstance(made, Subscriber):
            set_password(work, made.owner, hashed)
        return made

    return await effect(request, decision, show=SubscriberView.of, caller=caller)


@router.get("/v1/subscribers", tags=["subscribers"])
async def list_subscribers(
    request: Request, caller: StaffCaller, prefix: str = "", after: str = "", limit: Limit = 100
) -> SubscriberList:
    """List subscribers by name."""
    store = services_of(request).store
    found, more = await listed(store, Subscriber, seen=of_operator(caller), prefix=prefix, after=after, limit=limit)
    return SubscriberList(subscribers=[SubscriberView.of(one) for one in found], next=more)


@_both("GET", "", SubscriberView, tag="subscribers")
async def show(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """Show a subscriber."""
    return await view(request, acting_for(caller, name, lambda _, one: one), show=SubscriberView.of, caller=caller)


@router.post("/v1/subscribers/{name}/status", status_code=201, response_model=SubscriberView, tags=["subscribers"])
async def change_status(name: Subject, body: StatusChange, request: Request, caller: StaffCaller) -> Response:
    """Suspend a subscriber, who is granted nothing from then on, or set it active again."""
    decision = acting_for(caller, name, lambda work, one: set_status(work, one, cast(Status, body.status)))
    answer = await effect(request, decision, show=SubscriberView.of, caller=caller)
    return noticed(request, name, answer, Change.BARRED if body.status == "suspended" else Change.RICHER)


@router.post("/v1/subscribers/{name}/pay-ins", status_code=201, response_model=WalletView, tags=["wallet"])
async def pay_in(name: Subject, body: PayIn, request: Request, caller: StaffCaller) -> Response:
    """Book money that a subscriber has paid into its wallet."""
    amount, currency = MinorUnits(body.amount), body.currency
    decision = acting_for(
        caller, name, lambda work, one: wallets.pay_into_wallet(work, one, amount=amount, currency=currency)
    )
    return await effect(request, decision, show=WalletView.of, caller=caller)


@_both("POST", "/purchases", BucketView, tag="wallet")
async def buy(name: Subject, body: Purchase, request: Request, caller: AnyCaller) -> Response:
    """Buy a plan from the wallet. What the subscriber owes is paid from the new bucket first."""
    bucket = fresh_id("bkt")
    decision = acting_for(caller, name, lambda work, one: wallets.buy(work, one, plan=body.plan, bucket=bucket))
    answer = await effect(request, decision, show=BucketView.of, caller=caller)
    return noticed(request, name, answer, Change.RICHER)


@router.post("/v1/subscribers/{name}/top-ups", status_code=201, response_model=BucketView, tags=["wallet"])
async def top_up(name: Subject, body: TopUp, request: Request, caller: StaffCaller) -> Response:
    """Give octets without a price."""
    bucket, octets = fresh_id("bkt"), Octets(body.octets)
    decision = acting_for(
        caller,
        name,
        lambda work, one: wallets.top_up(work, one, octets=octets, valid_days=body.valid_days, bucket=bucket),
    )
    answer = await effect(request, decision, show=BucketView.of, caller=caller)
    return noticed(request, name, answer, Change.RICHER)


@_both("GET", "/balance", BalanceView, tag="wallet")
async def balance(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """Show what is available, reserved, used and owed, in octets."""
    decision = acting_for(caller, name, wallets.balance_of)
    return await view(request, decision, show=partial(BalanceView.of, name), caller=caller)


@_both("GET", "/usage", UsageView, tag="wallet")
async def usage(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """Show what was used by the hour and by the day, to the octet."""

    def decide(work: Work, one: Subscriber) -> UsageView:
        spans = partial(usage_by, work, one.owner, used=used(work, one.owner))
        return UsageView(
            subscriber=one.id,
            hours=[_span(at, octets) for at, octets in spans(span=HOUR, count=HOURS_KEPT)],
            days=[_span(at, octets) for at, octets in spans(span=DAY, count=DAYS_KEPT)],
        )

    return await view(request, acting_for(caller, name, decide), show=lambda shown: shown, caller=caller)


def _span(at: Instant, octets: Octets) -> SpanView:
    return SpanView(at=format_instant(at), octets=octets)


@_both("POST", "/codes", CodeView, tag="terminals")
async def issue(name: Subject, body: CodeRequest, request: Request, caller: AnyCaller) -> Response:
    """Issue a one-time enrolment code; the terminal that uses it is bound to this subscriber at once."""
    code = fresh_code()
    hours = body.hours or services_of(request).settings.agents.code_hours

    def decide(work: Work, one: Subscriber) -> EnrolmentCode | Refused:
        return issue_code(work, code=code, operator=one.operator, subscriber=one.id, valid=Millis(hours * HOUR))

    return await effect(request, acting_for(caller, name, decide), show=partial(CodeView.of, code), caller=caller)


@_both("POST", "/terminals", TerminalView, tag="terminals")
async def bind(name: Subject, body: Binding, request: Request, caller: AnyCaller) -> Response:
    """Bind the terminal that shows this binding code, and the cloud SIM in it."""
    decision = acting_for(
        caller, name, lambda work, one: terminals.bind(work, subscriber=one, binding_code=body.binding_code)
    )
    return await effect(request, decision, show=TerminalView.of, caller=caller)


@_both("GET", "/terminals", TerminalList, tag="terminals")
async def list_own_terminals(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List the terminals bound to a subscriber."""
    decision = acting_for(caller, name, lambda work, one: terminals.terminals_of(work, one.id))
    return await view(
        request,
        decision,
        show=lambda found: TerminalList(terminals=[TerminalView.of(one) for one in found]),
        caller=caller,
    )


@_both("GET", "/sessions", SessionList, tag="sessions")
async def list_own_sessions(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List a subscriber's sessions, those open and those closed within the last day."""
    decision = acting_for(caller, name, lambda work, one: work.all(Session, one.owner))
    return await view(
        request,
        decision,
        show=lambda found: SessionList(sessions=[SessionView.of(one) for one in found]),
        caller=caller,
    )


@_both("GET", "/refusals", RefusalList, tag="sessions")
async def list_own_refusals(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List what a subscriber was refused in the last week, and why."""

    def decide(work: Work, one: Subscriber) -> list[RefusedRequest]:
        return work.all(RefusedRequest, refused_owner(subscriber_owner(one.id)))

    return await view(
        request,
        acting_for(caller, name, decide),
        show=lambda found: RefusalList(refusals=[RefusalView.of(one) for one in found]),
        caller=caller,
    )
