"""Orders: what somebody is willing to supply, and what somebody wants.

No order, no drain. A supply order is its supplier's consent: how much a day and in all, to whom, at which price, until
when, where; and it can be taken back at any time. A demand order lets a person go online without a terminal of its own
that could sign: whoever knows its passcode is the demander, within the order's bound.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from qanat.exchange.prices import Price, accepts
from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import BaseStation, usable_base_station
from qanat.registry.names import claim, disclaim, holder_of, name_of, secret_owner, subscriber_owner
from qanat.registry.operators import require_operator
from qanat.registry.spelling import plain
from qanat.registry.subscribers import Subscriber
from qanat.registry.terminals import find_terminal
from qanat.units import DAY, Instant, Millis, Octets, format_instant, later

ORDERS_MOST: Final = 1000
"""Of each kind that a subscriber may have, those that ended among them: decisions about one go through all of them."""
CIRCLES_MOST: Final = 100
KEPT: Final = Millis(30 * DAY)
"""An order that ended is known so long, as the trades on it are."""
_NEVER: Final = Instant(2**62)


class Circle(Record, frozen=True, kw_only=True):
    """People whom a supplier named together: family, a village, a shop's guests."""

    members: tuple[str, ...]


class SupplyOrder(Record, frozen=True, kw_only=True):
    """A supplier's consent. On the supplier's page, beside the buckets it is about."""

    operator: str
    terminal: str = ""
    """The supplier's terminal that stands for it; it must not be revoked."""
    total: Octets
    per_day: Octets | None = None
    audience: Literal["anyone", "circle", "person"] = "anyone"
    to: str = ""
    """The circle's or the person's name."""
    price: Price = Price()
    until: Instant | None = None
    base_stations: tuple[str, ...] = ()
    """Empty is all of them."""
    operators: tuple[str, ...] = ()
    """Of base stations; empty is all of them."""
    given: Octets = Octets(0)
    promised: int = 0
    """Granted to base stations and neither reported nor returned: the sum over its trades."""
    silent: int = 0
    """The part of it in trades that ended in silence: a report may still come, the day of the end has had it."""
    today: int = 0
    """The UTC day that ``given_today`` is about, counted from 1970-01-01."""
    given_today: Octets = Octets(0)
    """With what may have been taken in trades that ended in silence."""
    opened_at: Instant
    stopped_at: Instant | None = None

    @property
    def label(self) -> str:
        """Open orders stand first in a list, the cheapest and then the oldest at its head."""
        state = "stopped" if self.stopped_at is not None else "used up" if self.given >= self.total else "open"
        return f"{state}/{self.price.money:016d}/{self.opened_at:016d}/{self.id}"

    @property
    def supplier(self) -> str:
        return name_of(self.owner)

    def left_today(self, now: Instant) -> int | None:
        """Return what the day's bound leaves, whatever is promised in trades that run."""
        return None if self.per_day is None else self.per_day - self.given_on(self.day_at(now))

    def given_on(self, day: int) -> Octets:
        return self.given_today if self.today == day else Octets(0)

    def day_at(self, now: Instant) -> int:
        """Return the UTC day: the next one if that has begun already, and the clock was set back over midnight since."""
        day = now // DAY
        return self.today if self.today == day + 1 else day


class DemandOrder(Record, frozen=True, kw_only=True):
    """What a demander wants, for a person who comes with the passcode. On the demander's page."""

    total: Octets
    most: Price | None = None
    """The highest price in money; None accepts only octet for octet."""
    until: Instant | None = None
    obtained: Octets = Octets(0)
    passcode_page: Owner
    opened_at: Instant
    stopped_at: Instant | None = None

    @property
    def demander(self) -> str:
        return name_of(self.owner)


def open_supply(work: Work, order: SupplyOrder) -> SupplyOrder | Refused:
    """Open a supply order whose circle, person, terminal, base stations and operators exist and are in use."""
    barred = (
        _too_many(work, order)
        or _unknown_audience(work, order)
        or _not_own_terminal(work, order)
        or _nowhere(work, order)
    )
    if barred:
        return barred
    order = replace(order, due=order.until)
    work.put(order)
    work.act = "supply order opened"
    return order


def sweep_order(work: Work, order: SupplyOrder | DemandOrder, *, is_needed: bool) -> bool:
    """Take an order whose time is over off the list; later forget it, unless a trade needs it still. Tells if it did."""
    ended_at = order.stopped_at or order.until
    assert ended_at is not None, f"order {order.id} is due and has no end"
    if is_needed or work.now < later(ended_at, KEPT):
        work.put(replace(order, stopped_at=ended_at, due=later(work.now, KEPT)))
        return False
    _forget(work, order)
    return True


def date_stopped(work: Work, owner: Owner) -> None:
    """Have orders forgotten, too, that a version stopped which forgot none."""
    orders: list[SupplyOrder | DemandOrder] = [*work.all(SupplyOrder, owner), *work.all(DemandOrder, owner)]
    for order in orders:
        if order.stopped_at is not None and order.due is None:
            work.put(replace(order, due=later(order.stopped_at, KEPT)))


def stop_supply(work: Work, order: SupplyOrder) -> SupplyOrder:
    """Take consent back, from now on. What is running on it is for ``recall``. Repeating is safe."""
    if order.stopped_at is None:
        order = replace(order, stopped_at=work.now, due=later(work.now, KEPT))
        work.put(order)
        work.act = "supply order stopped"
    return order


def open_demand(work: Work, order: DemandOrder) -> DemandOrder | Refused:
    barred = _too_many(work, order)
    if barred:
        return barred
    order = replace(order, due=order.until)
    work.put(order)
    claim(work, order.passcode_page, holder=order.owner)
    work.put(PasscodeLink(owner=order.passcode_page, id="demand", order=order.id))
    work.act = "demand order opened"
    return order


def stop_demand(work: Work, order: DemandOrder) -> DemandOrder:
    if order.stopped_at is None:
        order = replace(order, stopped_at=work.now, due=later(work.now, KEPT))
        work.put(order)
        work.act = "demand order stopped"
    return order


class PasscodeLink(Record, frozen=True, kw_only=True):
    """On the passcode's page: the demand order it opens."""

    order: str


def passcode_page(passcode: str) -> Owner:
    return secret_owner("passcode", plain(passcode))


def demand_of_passcode(work: Work, passcode: str) -> DemandOrder | Refused:
    """Return the demand order whose passcode this is, if it still stands."""
    page = passcode_page(passcode)
    holder, link = holder_of(work, page), work.get(PasscodeLink, page, "demand")
    if holder is None or link is None:
        return Refused(Refusal.UNKNOWN_PASSCODE)
    order = work.get(DemandOrder, holder, link.order)
    assert order is not None, f"demand order {link.order} has a passcode and is missing"
    return over(work, order, holder=order.demander) or order


def make_circle(work: Work, subscriber: Subscriber, *, name: str, members: tuple[str, ...]) -> Circle | Refused:
    """Make a circle, or give one other members; orders follow at once."""
    circles = work.records(Circle, subscriber.owner)
    if name not in circles and len(circles) >= CIRCLES_MOST:
        return Refused(Refusal.TOO_MANY_CIRCLES, {"subscriber": subscriber.id, "circles": len(circles)})
    circle = Circle(owner=subscriber.owner, id=name, members=members)
    work.put(circle)
    work.act = "circle made"
    return circle


def find_supply(work: Work, supplier: str, id: str) -> SupplyOrder | Refused:
    found = work.get(SupplyOrder, subscriber_owner(supplier), id)
    return found or Refused(Refusal.UNKNOWN_ORDER, {"order": id})


def find_demand(work: Work, demander: str, id: str) -> DemandOrder | Refused:
    found = work.get(DemandOrder, subscriber_owner(demander), id)
    return found or Refused(Refusal.UNKNOWN_ORDER, {"order": id})


def over(work: Work, order: SupplyOrder | DemandOrder, *, holder: str) -> Refused | None:
    """Tell whether an order was stopped or ran out."""
    if order.stopped_at is not None and order.stopped_at < (order.until or _NEVER):
        return Refused(Refusal.ORDER_STOPPED, {**_facts(order, holder=holder), "at": format_instant(order.stopped_at)})
    if (order.until or _NEVER) <= work.now:
        at = format_instant(order.until or work.now)
        return Refused(Refusal.ORDER_EXPIRED, {**_facts(order, holder=holder), "at": at})
    return None


def still_consents(
    work: Work, order: SupplyOrder, *, demander: str, base_station: BaseStation, most: Price | None
) -> Refused | None:
    """Tell whether the order lets this demander draw at this base station now; how much is another question."""
    return (
        over(work, order, holder=order.supplier)
        or _not_for(work, order, demander)
        or _not_here(order, base_station)
        or _too_dear(order, most)
    )


def still_demands(work: Work, demander: str, demand: str) -> Refused | None:
    """Tell whether a demand order stands, so that who came with its passcode may go on."""
    order = work.get(DemandOrder, subscriber_owner(demander), demand)
    assert order is not None, f"demand order {demand} was served and is missing"
    return over(work, order, holder=demander)


def is_for(work: Work, order: SupplyOrder, demander: str) -> bool:
    """Tell whether the order stands and lets this demander draw on it, wherever that may be."""
    return (over(work, order, holder=order.supplier) or _not_for(work, order, demander)) is None


def count_given(work: Work, order: SupplyOrder, octets: Octets) -> None:
    """Count octets that were taken on this order in a trade that runs."""
    work.put(_with_today(replace(order, given=Octets(order.given + octets)), octets, work.now))


def count_late(work: Work, order: SupplyOrder, octets: Octets) -> None:
    """Count octets that were taken in a trade before it ended in silence: the day on which it did has had them."""
    work.put(replace(order, given=Octets(order.given + octets)))


def fall_silent(work: Work, order: SupplyOrder, octets: int) -> None:
    """Have today take what is still promised in a trade that ends in silence, or it would bind every day to come."""
    work.put(_with_today(replace(order, silent=order.silent + octets), octets, work.now))


def _with_today(order: SupplyOrder, octets: int, now: Instant) -> SupplyOrder:
    today = order.day_at(now)
    return replace(order, today=today, given_today=Octets(order.given_on(today) + octets))


def _too_many(work: Work, order: SupplyOrder | DemandOrder) -> Refused | None:
    orders = len(work.records(type(order), order.owner))
    facts: dict[str, int | str] = {"subscriber": name_of(order.owner), "orders": orders}
    return Refused(Refusal.TOO_MANY_ORDERS, facts) if orders >= ORDERS_MOST else None


def _forget(work: Work, order: SupplyOrder | DemandOrder) -> None:
    """Forget an order, and the passcode that led to it."""
    work.drop(order)
    if isinstance(order, DemandOrder):
        disclaim(work, order.passcode_page)
        link = work.get(PasscodeLink, order.passcode_page, "demand")
        if link is not None:
            work.drop(link)


def _not_for(work: Work, order: SupplyOrder, demander: str) -> Refused | None:
    if order.audience == "anyone" or (order.audience == "person" and order.to == demander):
        return None
    if order.audience == "circle":
        circle = work.get(Circle, order.owner, order.to)
        if circle is not None and demander in circle.members:
            return None
    facts = {**_facts(order, holder=order.supplier), "audience": f"{order.audience} {order.to}", "demander": demander}
    return Refused(Refusal.ORDER_NOT_FOR_YOU, facts)


def _not_here(order: SupplyOrder, base_station: BaseStation) -> Refused | None:
    by_place = not order.base_stations or base_station.id in order.base_stations
    by_operator = not order.operators or base_station.operator in order.operators
    if by_place and by_operator:
        return None
    facts: dict[str, int | str] = {
        "order": order.id,
        "base_station": base_station.id,
        "operator": base_station.operator,
    }
    return Refused(Refusal.ORDER_NOT_HERE, facts)


def _too_dear(order: SupplyOrder, most: Price | None) -> Refused | None:
    if accepts(most, order.price):
        return None
    accepted = str(most) if most else "octet for octet"
    return Refused(Refusal.PRICE_TOO_HIGH, {"order": order.id, "price": str(order.price), "accepted": accepted})


def _unknown_audience(work: Work, order: SupplyOrder) -> Refused | None:
    if order.audience == "circle" and work.get(Circle, order.owner, order.to) is None:
        return Refused(Refusal.UNKNOWN_CIRCLE, {"subscriber": order.supplier, "circle": order.to})
    if order.audience == "person" and work.get(Subscriber, subscriber_owner(order.to), order.to) is None:
        return Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": order.to})
    return None


def _not_own_terminal(work: Work, order: SupplyOrder) -> Refused | None:
    if not order.terminal:
        return None
    terminal = find_terminal(work, order.terminal)
    if terminal is None or terminal.subscriber != order.supplier:
        return Refused(Refusal.UNKNOWN_TERMINAL, {"terminal": order.terminal})
    return None


def _nowhere(work: Work, order: SupplyOrder) -> Refused | None:
    places = [usable_base_station(work, id) for id in order.base_stations]
    operators = [require_operator(work, name) for name in order.operators]
    return next((found for found in (*places, *operators) if isinstance(found, Refused)), None)


def _facts(order: SupplyOrder | DemandOrder, *, holder: str) -> dict[str, int | str]:
    return {"order": order.id, "holder": holder}
