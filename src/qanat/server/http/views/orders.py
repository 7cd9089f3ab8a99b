"""Identity codes, prices, and what is offered and asked for."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.exchange.offers import Offer
from qanat.exchange.orders import Circle, DemandOrder, SupplyOrder
from qanat.exchange.prices import OCTET_FOR_OCTET, Price
from qanat.server.http.views.common import when
from qanat.units import format_instant


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
    promised: int
    """Granted to base stations and neither reported nor returned: a month after its trade ended in silence it is free again."""
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
            promised=order.promised,
            per_day=order.per_day,
            audience=order.audience,
            to=order.to,
            price=PriceView.of(order.price),
            until=when(order.until),
            base_stations=list(order.base_stations),
            operators=list(order.operators),
            terminal=order.terminal,
            opened_at=format_instant(order.opened_at),
            stopped_at=when(order.stopped_at),
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
            until=when(order.until),
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
            until=when(order.until),
            opened_at=format_instant(order.opened_at),
            stopped_at=when(order.stopped_at),
        )


class CircleView(BaseModel):
    name: str
    members: list[str]

    @classmethod
    def of(cls, circle: Circle) -> CircleView:
        return cls(name=circle.id, members=list(circle.members))


class SupplyList(BaseModel):
    orders: list[SupplyView]


class OfferList(BaseModel):
    offers: list[OfferView]


class DemandList(BaseModel):
    orders: list[DemandView]


class CircleList(BaseModel):
    circles: list[CircleView]
