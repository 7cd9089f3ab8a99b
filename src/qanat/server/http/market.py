"""What people do at the exchange: identity codes, orders, circles, trades, statements, payments, disputes."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.errors import StoreFault
from qanat.exchange import booking, identity, obligations, orders, recall
from qanat.exchange.disputes import Dispute
from qanat.exchange.obtained import obtained
from qanat.exchange.offers import offers_for
from qanat.exchange.orders import Circle, DemandOrder, SupplyOrder
from qanat.exchange.prices import Price
from qanat.exchange.trades import Trade
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.base_stations import base_stations_of
from qanat.registry.names import subscriber_owner
from qanat.registry.subscribers import Subscriber
from qanat.server import trading
from qanat.server.http.bodies import NewCircle, NewDemand, NewSupply, Payment
from qanat.server.http.effects import AnyCaller, Subject, effect, view
from qanat.server.http.services import services_of
from qanat.server.http.subjects import acting_for, both
from qanat.server.http.views.orders import (
    CircleList,
    CircleView,
    DemandList,
    DemandView,
    IdentityView,
    OfferList,
    OfferView,
    SupplyList,
    SupplyView,
)
from qanat.server.http.views.trades import (
    DisputeList,
    DisputeView,
    ObtainedView,
    PaymentView,
    StatementList,
    StatementView,
    TradesView,
    TradeView,
)
from qanat.server.ownership import operators_in
from qanat.system import fresh_code, fresh_id
from qanat.units import HOUR, Instant, Millis, MinorUnits, Octets, later

router = APIRouter()
_both: Final = partial(both, router)
_TAG: Final = "exchange"


@_both("GET", "/identity", IdentityView, tag=_TAG)
async def own_identity(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """Show a subscriber's identity code."""
    decision = acting_for(caller, name, lambda work, one: identity.issue(work, one.owner))
    return await view(request, decision, show=lambda code: IdentityView(name=name, code=code), caller=caller)


@_both("POST", "/identity/revocation", IdentityView, tag=_TAG)
async def revoke_identity(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """Replace a subscriber's identity code; the old one is refused from now on."""
    decision = acting_for(caller, name, lambda work, one: identity.revoke(work, one.owner))
    return await effect(request, decision, show=lambda code: IdentityView(name=name, code=code), caller=caller)


# -- supply


@_both("POST", "/supply-orders", SupplyView, tag=_TAG)
async def open_supply(name: Subject, body: NewSupply, request: Request, caller: AnyCaller) -> Response:
    """Consent to supply traffic: how much, to whom, at which price, until when, where."""
    id = fresh_id("ord")
    decision = acting_for(caller, name, lambda work, one: orders.open_supply(work, _supply(work, one, body, id)))
    return await effect(request, decision, show=SupplyView.of, caller=caller)


@_both("GET", "/supply-orders", SupplyList, tag=_TAG)
async def list_supply(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List a supplier's orders."""
    decision = acting_for(caller, name, lambda work, one: work.all(SupplyOrder, one.owner))
    return await view(
        request,
        decision,
        show=lambda found: SupplyList(orders=[SupplyView.of(one) for one in _by_label(found)]),
        caller=caller,
    )


@_both("POST", "/supply-orders/{order}/stop", SupplyView, tag=_TAG)
async def stop_supply(name: Subject, order: str, request: Request, caller: AnyCaller) -> Response:
    """Take consent back: nothing more is granted, and what runs is recalled. Repeating is safe."""

    def decide(work: Work, one: Subscriber) -> SupplyOrder | Refused:
        found = orders.find_supply(work, one.id, order)
        return found if isinstance(found, Refused) else recall.stop(work, found)

    return await effect(request, acting_for(caller, name, decide), show=SupplyView.of, caller=caller)


@_both("POST", "/circles", CircleView, tag=_TAG)
async def make_circle(name: Subject, body: NewCircle, request: Request, caller: AnyCaller) -> Response:
    """Make a circle of people, or give one other members."""
    decision = acting_for(
        caller, name, lambda work, one: orders.make_circle(work, one, name=body.name, members=tuple(body.members))
    )
    return await effect(request, decision, show=CircleView.of, caller=caller)


@_both("GET", "/circles", CircleList, tag=_TAG)
async def list_circles(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List a subscriber's circles."""
    decision = acting_for(caller, name, lambda work, one: work.all(Circle, one.owner))
    return await view(
        request,
        decision,
        show=lambda found: CircleList(circles=[CircleView.of(one) for one in found]),
        caller=caller,
    )


# -- demand


@_both("GET", "/offers", OfferList, tag=_TAG)
async def list_offers(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List what others would supply to a subscriber now, the one to be tried first at the head."""
    suppliers = await trading.suppliers_on_offer(services_of(request).store)
    decision = acting_for(
        caller, name, lambda work, one: offers_for(work, one.id, {*suppliers, *obligations.partners(work, one.id)})
    )
    return await view(
        request,
        decision,
        show=lambda found: OfferList(offers=[OfferView.of(offer) for offer in found]),
        caller=caller,
    )


@_both("POST", "/demand-orders", DemandView, tag=_TAG)
async def open_demand(name: Subject, body: NewDemand, request: Request, caller: AnyCaller) -> Response:
    """Open a demand order. Whoever knows its passcode, shown this once, goes online within its bound."""
    id, passcode = fresh_id("dem"), fresh_code()
    decision = acting_for(
        caller, name, lambda work, one: orders.open_demand(work, _demand(work, one, body, id, passcode))
    )
    return await effect(
        request,
        decision,
        show=lambda order: DemandView.of(order).model_copy(update={"passcode": passcode}),
        caller=caller,
    )


@_both("GET", "/demand-orders", DemandList, tag=_TAG)
async def list_demand(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List a demander's orders."""
    decision = acting_for(caller, name, lambda work, one: work.all(DemandOrder, one.owner))
    return await view(
        request,
        decision,
        show=lambda found: DemandList(orders=[DemandView.of(one) for one in found]),
        caller=caller,
    )


@_both("POST", "/demand-orders/{order}/stop", DemandView, tag=_TAG)
async def stop_demand(name: Subject, order: str, request: Request, caller: AnyCaller) -> Response:
    """Stop a demand order: its passcode opens nothing any more. Repeating is safe."""

    def decide(work: Work, one: Subscriber) -> DemandOrder | Refused:
        found = orders.find_demand(work, one.id, order)
        return found if isinstance(found, Refused) else orders.stop_demand(work, found)

    return await effect(request, acting_for(caller, name, decide), show=DemandView.of, caller=caller)


# -- what came of it


@_both("GET", "/trades", TradesView, tag=_TAG)
async def list_own_trades(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List what a subscriber has given, those running among it, and what it has obtained."""

    def decide(work: Work, one: Subscriber) -> TradesView:
        given = sorted(work.all(Trade, one.owner), key=lambda trade: trade.opened_at)
        return TradesView(
            given=[TradeView.of(trade) for trade in given],
            obtained=[ObtainedView.of(share) for share in obtained(work, one.id)],
        )

    return await view(request, acting_for(caller, name, decide), show=lambda shown: shown, caller=caller)


@_both("GET", "/statement", StatementList, tag=_TAG)
async def statement(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """Tell what is owed to and by a subscriber, and how each offset came about."""
    decision = acting_for(caller, name, lambda work, one: obligations.statement(work, one.id))
    return await view(
        request,
        decision,
        show=lambda found: StatementList(statements=[StatementView.of(one) for one in found]),
        caller=caller,
    )


@_both("POST", "/payments", PaymentView, tag=_TAG)
async def pay(name: Subject, body: Payment, request: Request, caller: AnyCaller) -> Response:
    """Pay from the wallet what is owed to somebody in money."""
    id, amount = fresh_id("pay"), MinorUnits(body.amount)
    decision = acting_for(
        caller,
        name,
        lambda work, one: booking.pay(work, one, creditor=body.to, currency=body.currency, amount=amount, id=id),
    )
    shown = PaymentView(payment=id, to=body.to, amount=body.amount, currency=body.currency)
    answer = await effect(request, decision, show=lambda _: shown, caller=caller)
    if answer.status_code < 300:
        with suppress(StoreFault):  # the payment is made; the sweeper books it on the other's side
            await trading.deliver(services_of(request).store, subscriber_owner(name))
    return answer


@_both("GET", "/disputes", DisputeList, tag=_TAG)
async def list_own_disputes(name: Subject, request: Request, caller: AnyCaller) -> Response:
    """List the disputes about a subscriber's trades, on either side, and about those at its base stations."""

    def decide(work: Work, one: Subscriber) -> DisputeList:
        owners = [one.owner, *(station.owner for station in base_stations_of(work, one.id))]
        found = {each.id: each for owner in owners for each in work.all(Dispute, owner)}.values()
        return DisputeList(disputes=[DisputeView.of(each, operators_in(work, each.concerned)) for each in found])

    return await view(request, acting_for(caller, name, decide), show=lambda shown: shown, caller=caller)


def _supply(work: Work, one: Subscriber, body: NewSupply, id: str) -> SupplyOrder:
    return SupplyOrder(
        owner=one.owner,
        id=id,
        operator=one.operator,
        terminal=body.terminal,
        total=Octets(body.octets),
        per_day=None if body.per_day is None else Octets(body.per_day),
        audience="circle" if body.circle else "person" if body.person else "anyone",
        to=body.circle or body.person or "",
        price=_price(body.per_gb, body.currency) or Price(),
        until=_until(work, body.hours),
        base_stations=tuple(body.base_stations),
        operators=tuple(body.operators),
        opened_at=work.now,
    )


def _demand(work: Work, one: Subscriber, body: NewDemand, id: str, passcode: str) -> DemandOrder:
    return DemandOrder(
        owner=one.owner,
        id=id,
        total=Octets(body.octets),
        most=_price(body.per_gb, body.currency),
        until=_until(work, body.hours),
        passcode_page=orders.passcode_page(passcode),
        opened_at=work.now,
    )


def _price(per_gb: int | None, currency: str) -> Price | None:
    return None if per_gb is None else Price(unit=currency, per_gb=per_gb)


def _until(work: Work, hours: int | None) -> Instant | None:
    return None if hours is None else later(work.now, Millis(hours * HOUR))


def _by_label(found: list[SupplyOrder]) -> list[SupplyOrder]:
    return sorted(found, key=lambda order: order.label)
