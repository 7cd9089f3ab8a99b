"""What people are shown of the exchange."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.exchange.booking import TradeShare
from qanat.exchange.disputes import Dispute
from qanat.exchange.obligations import Statement
from qanat.exchange.offers import Offer
from qanat.exchange.orders import Circle, DemandOrder, SupplyOrder
from qanat.exchange.prices import OCTET_FOR_OCTET, Price
from qanat.exchange.trades import Trade
from qanat.registry.base_stations import BaseStation, Heard
from qanat.server.http.views import Listed
from qanat.server.settling import Settled
from qanat.units import Instant, format_instant


def _when(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)


class IdentityView(BaseModel):
    """An identity code: public, to be said, typed or scanned."""

    name: str
    code: str


class PriceView(BaseModel):
    """Octet for octet when ``currency`` is empty; else minor units for 10^9 octets."""

    currency: str
    per_gb: int

    @classmethod
    def of(cls, price: Price) -> PriceView:
        return cls(currency="" if price.unit == OCTET_FOR_OCTET else price.unit, per_gb=price.money)


class SupplyView(BaseModel):
    order: str
    supplier: str
    state: str
    octets: int
    given: int
    per_day: int | None
    audience: str
    to: str
    price: PriceView
    until: str | None
    base_stations: list[str]
    operators: list[str]
    terminal: str
    opened_at: str
    stopped_at: str | None

    @classmethod
    def of(cls, order: SupplyOrder) -> SupplyView:
        return cls(
            order=order.id,
            supplier=order.supplier,
            state="open" if order.stopped_at is None else "stopped",
            octets=order.total,
            given=order.given,
            per_day=order.per_day,
            audience=order.audience,
            to=order.to,
            price=PriceView.of(order.price),
            until=_when(order.until),
            base_stations=list(order.base_stations),
            operators=list(order.operators),
            terminal=order.terminal,
            opened_at=format_instant(order.opened_at),
            stopped_at=_when(order.stopped_at),
        )


class OfferView(BaseModel):
    """A supply order as a demander sees it; ``identity`` is what to type in at a base station."""

    order: str
    supplier: str
    identity: str
    octets: int
    """What could be drawn on it now."""
    price: PriceView
    audience: str
    until: str | None
    places: list[str]
    operators: list[str]

    @classmethod
    def of(cls, offer: Offer) -> OfferView:
        order = offer.order
        return cls(
            order=order.id,
            supplier=order.supplier,
            identity=offer.identity,
            octets=offer.left,
            price=PriceView.of(order.price),
            audience=order.audience,
            until=_when(order.until),
            places=list(offer.places),
            operators=list(order.operators),
        )


class DemandView(BaseModel):
    order: str
    demander: str
    state: str
    octets: int
    obtained: int
    most: PriceView | None
    until: str | None
    opened_at: str
    stopped_at: str | None
    passcode: str = ""
    """Shown once, when the order is opened."""

    @classmethod
    def of(cls, order: DemandOrder) -> DemandView:
        return cls(
            order=order.id,
            demander=order.demander,
            state="open" if order.stopped_at is None else "stopped",
            octets=order.total,
            obtained=order.obtained,
            most=PriceView.of(order.most) if order.most else None,
            until=_when(order.until),
            opened_at=format_instant(order.opened_at),
            stopped_at=_when(order.stopped_at),
        )


class CircleView(BaseModel):
    name: str
    members: list[str]

    @classmethod
    def of(cls, circle: Circle) -> CircleView:
        return cls(name=circle.id, members=list(circle.members))


class TradeView(BaseModel):
    trade: str
    order: str
    supplier: str
    demander: str
    terminal: str
    base_station: str
    state: str
    cause: str
    octets: int
    """Posted against the supplier so far."""
    excess: int
    seen_by_terminal: int | None
    price: PriceView
    opened_at: str
    ended_at: str | None

    @classmethod
    def of(cls, trade: Trade) -> TradeView:
        return cls(
            trade=trade.id,
            order=trade.order,
            supplier=trade.supplier,
            demander=trade.demander,
            terminal=trade.terminal,
            base_station=trade.base_station,
            state=trade.state,
            cause=trade.cause,
            octets=trade.counted,
            excess=trade.excess,
            seen_by_terminal=trade.seen_by_terminal,
            price=PriceView.of(trade.price),
            opened_at=format_instant(trade.opened_at),
            ended_at=_when(trade.ended_at),
        )


class ObtainedView(BaseModel):
    trade: str
    supplier: str
    base_station: str
    octets: int
    unit: str
    amount: int
    opened_at: str
    booked_at: str

    @classmethod
    def of(cls, share: TradeShare) -> ObtainedView:
        return cls(
            trade=share.id,
            supplier=share.supplier,
            base_station=share.base_station,
            octets=share.octets,
            unit=share.unit,
            amount=share.amount,
            opened_at=format_instant(share.opened_at),
            booked_at=format_instant(share.booked_at),
        )


class TradesView(BaseModel):
    given: list[TradeView]
    obtained: list[ObtainedView]


class ObligationView(BaseModel):
    obligation: str
    debtor: str
    creditor: str
    unit: str
    amount: int
    left: int
    since: str


class OffsetView(BaseModel):
    """So much of ``obligation`` was paid with ``paid_with``, an obligation in the other direction or a payment."""

    obligation: str
    paid_with: str
    unit: str
    amount: int
    at: str


class StatementView(BaseModel):
    other: str
    net: dict[str, int]
    """Per unit; positive is what the other owes."""
    obligations: list[ObligationView]
    offsets: list[OffsetView]

    @classmethod
    def of(cls, statement: Statement) -> StatementView:
        return cls(
            other=statement.other,
            net=statement.net,
            obligations=[
                ObligationView(
                    obligation=one.id,
                    debtor=one.debtor,
                    creditor=one.creditor,
                    unit=one.unit,
                    amount=one.amount,
                    left=one.left,
                    since=format_instant(one.since),
                )
                for one in statement.obligations
            ],
            offsets=[
                OffsetView(
                    obligation=one.obligation,
                    paid_with=one.paid_with,
                    unit=one.unit,
                    amount=one.amount,
                    at=format_instant(one.at),
                )
                for one in statement.offsets
            ],
        )


class DisputeView(BaseModel):
    dispute: str
    trade: str
    about: str
    supplier: str
    demander: str
    base_station: str
    ledger: int
    by_base_station: int
    by_terminal: int | None
    opened_at: str
    settled_at: str | None
    note: str

    @classmethod
    def of(cls, dispute: Dispute) -> DisputeView:
        return cls(
            dispute=dispute.id,
            trade=dispute.trade,
            about=dispute.about,
            supplier=dispute.supplier,
            demander=dispute.demander,
            base_station=dispute.base_station,
            ledger=dispute.ledger,
            by_base_station=dispute.by_base_station,
            by_terminal=dispute.by_terminal,
            opened_at=format_instant(dispute.opened_at),
            settled_at=_when(dispute.settled_at),
            note=dispute.note,
        )


class PaymentView(BaseModel):
    payment: str
    to: str
    amount: int
    currency: str


class BaseStationView(BaseModel):
    base_station: str
    identity: str
    state: str
    subscriber: str
    operator: str
    place: str
    hardware: str
    serial: str
    version: str
    enrolled_at: str
    heard_at: str | None
    """To the minute; None before it was heard for the first time."""
    clock_ahead_ms: int
    """How far its own clock is ahead of the server's, as it says; it corrects itself."""

    @classmethod
    def of(cls, station: BaseStation, identity: str, heard: Heard | None = None) -> BaseStationView:
        return cls(
            base_station=station.id,
            identity=identity,
            state=station.state,
            subscriber=station.subscriber,
            operator=station.operator,
            place=station.place,
            hardware=station.hardware,
            serial=station.serial,
            version=station.version,
            enrolled_at=format_instant(station.enrolled_at),
            heard_at=_when(heard.at) if heard else None,
            clock_ahead_ms=heard.ahead_ms if heard else 0,
        )


class PositionView(BaseModel):
    """What an operator may claim and owes in one unit; ``net`` is what it gets, negative what it pays."""

    operator: str
    unit: str
    claims: int
    owes: int
    net: int
    by_transfers: int
    """What the transfers move for it: the same as ``net``."""


class TransferView(BaseModel):
    unit: str
    debtor: str
    creditor: str
    amount: int


class SettlementView(BaseModel):
    period: str
    closed_at: str | None
    trades: int
    digest: str
    unchanged: bool
    """A closed period still comes to what it came to when it was closed."""
    preserved: bool
    """Netting left every operator with exactly what it had to get or to pay."""
    positions: list[PositionView]
    transfers: list[TransferView]
    files: list[str]
    """Operators for whom there is a file."""

    @classmethod
    def of(cls, settled: Settled) -> SettlementView:
        clearing = settled.clearing
        return cls(
            period=settled.period,
            closed_at=_when(settled.closed.closed_at) if settled.closed else None,
            trades=clearing.records,
            digest=clearing.digest,
            unchanged=settled.unchanged,
            preserved=clearing.preserved,
            positions=[
                PositionView(
                    operator=one.operator,
                    unit=one.unit,
                    claims=one.claims,
                    owes=one.owes,
                    net=one.net,
                    by_transfers=clearing.moved(operator=one.operator, unit=one.unit),
                )
                for one in clearing.positions()
            ],
            transfers=[
                TransferView(unit=one.unit, debtor=one.debtor, creditor=one.creditor, amount=one.amount)
                for one in clearing.transfers()
            ],
            files=list(settled.files),
        )


class SupplyList(BaseModel):
    orders: list[SupplyView]


class OfferList(BaseModel):
    offers: list[OfferView]


class DemandList(BaseModel):
    orders: list[DemandView]


class CircleList(BaseModel):
    circles: list[CircleView]


class TradeList(Listed):
    trades: list[TradeView]


class StatementList(BaseModel):
    statements: list[StatementView]


class DisputeList(Listed):
    disputes: list[DisputeView]


class BaseStationList(Listed):
    base_stations: list[BaseStationView]
