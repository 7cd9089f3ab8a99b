"""Trades: a demander online on a supplier's octets at a base station, what was promised in it and what was counted.

A trade lives on its supplier's page, beside the order and the buckets it draws on, so that a grant and a count each stay
in one shard. Its quotas are those of a credit-control session of the same name (``charging``), which the server drives
within the bounds of ``bounds``; this module knows what was promised to the base station and has not been reported yet.
That is all it takes to judge the next promise, a report that is late, and a report that says too much.
Source: docs/conformance.md, B5; docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from qanat.exchange.orders import DemandOrder, SupplyOrder, count_given, count_late, fall_silent, over
from qanat.exchange.prices import Price
from qanat.ids import Owner, QuotaId
from qanat.ledger.transit import Parcel, parcels_of, send
from qanat.ledger.work import Record, Work
from qanat.refusals import Refused
from qanat.registry.names import base_station_owner, name_of, subscriber_owner
from qanat.units import DAY, Instant, Millis, Octets, later

KEPT: Final = Millis(30 * DAY)
"""An ended trade is known so long, for reports that come late."""
_PROMISES_KEPT: Final = 256
_COUNTS_AWAITED: Final = 8
"""A terminal tells its count of a trade when it has left; of so many it may be behind."""
_JOURNALS_KEPT: Final = 8
"""A base station has one for a trade, unless it lost what it remembered."""


class State(StrEnum):
    OPEN = "open"
    RECALLED = "recalled"
    """The supplier took consent back; the base station is to close the gate and report."""
    ENDED = "ended"


class Event(StrEnum):
    STOPPED = "stopped"
    """The supplier stopped the order."""
    FINAL = "final"
    """The base station reported the end."""
    EXPIRED = "expired"
    """Nothing was heard until the last deadline."""


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.OPEN, Event.STOPPED): State.RECALLED,
    (State.OPEN, Event.FINAL): State.ENDED,
    (State.OPEN, Event.EXPIRED): State.ENDED,
    (State.RECALLED, Event.FINAL): State.ENDED,
    (State.RECALLED, Event.EXPIRED): State.ENDED,
}
"""What is not here changes nothing: an ended trade stays ended, a recall is not repeated."""


class Trade(Record, frozen=True, kw_only=True):
    order: str
    demander: str
    terminal: str = ""
    """The demander's; empty for a person who came with a passcode."""
    demand: str = ""
    """The demand order whose passcode it was."""
    supplier_terminal: str = ""
    base_station: str
    supplier_operator: str
    demander_operator: str
    station_operator: str
    price: Price
    limit: Octets | None = None
    """The demander wants no more."""
    state: State = State.OPEN
    opened_at: Instant
    ended_at: Instant | None = None
    cause: str = ""
    promised: dict[QuotaId, int] = {}
    """Octets of each quota that were granted and have been neither reported nor returned."""
    counted: Octets = Octets(0)
    """Posted against the supplier."""
    excess: Octets = Octets(0)
    """Reported beyond what was granted: the base station's own debt."""
    up: Octets = Octets(0)
    """The part of both that the demander sent."""
    journals: tuple[str, ...] = ()
    """The base station's, in which it said so; the newest last."""
    booked: Octets = Octets(0)
    bookings: int = 0
    seen_by_terminal: Octets | None = None
    sent_by_terminal: Octets = Octets(0)
    """The part of it that went up, some of it maybe in vain."""

    @property
    def supplier(self) -> str:
        return name_of(self.owner)

    @property
    def visitor(self) -> str:
        """Who sits at the base station: a terminal, or whoever holds a passcode."""
        return self.terminal or self.demand

    @property
    def outstanding(self) -> int:
        return sum(self.promised.values())

    @property
    def running(self) -> bool:
        return self.state is not State.ENDED


class TradeLink(Record, frozen=True, kw_only=True):
    """On the base station's page: this trade is or was here, on this supplier's octets. Kept while the trade is."""

    supplier: str
    recalled: bool = False
    """The base station is to end it; so that asking what is recalled reads this page only."""


class Visit(Record, frozen=True, kw_only=True):
    """On the demander's page, named after the visitor: where it was admitted last, and with which proof."""

    base_station: str
    supplier: str
    trade: str
    proof: str
    """SHA-256 of it."""
    at: Instant
    before: tuple[tuple[str, str], ...] = ()
    """(supplier, trade) of earlier ones of which something was still to come when this one began (``_awaited``)."""

    @property
    def trades(self) -> list[tuple[str, str]]:
        """(supplier, trade) of all that are known, the newest last."""
        return [*self.before, (self.supplier, self.trade)]


def open_trade(work: Work, trade: Trade, *, proof: str, at: Instant) -> Trade:
    """Begin a trade that was authorised."""
    work.put(trade)
    station = base_station_owner(trade.base_station)
    work.put(TradeLink(owner=station, id=trade.id, supplier=trade.supplier, due=later(work.now, KEPT)))
    before = _awaited(work, trade)
    work.put(
        Visit(
            owner=subscriber_owner(trade.demander),
            id=trade.visitor,
            base_station=trade.base_station,
            supplier=trade.supplier,
            trade=trade.id,
            proof=proof,
            at=at,
            before=tuple((each.supplier, each.id) for each in before),
        )
    )
    work.act = "trade opened"
    return trade


def find_trade(work: Work, supplier: str, id: str) -> Trade | None:
    return work.get(Trade, subscriber_owner(supplier), id)


def trade_at(work: Work, base_station: str, id: str) -> Trade | None:
    """Return a trade of this base station; what runs elsewhere is unknown to it."""
    link = work.get(TradeLink, base_station_owner(base_station), id)
    return find_trade(work, link.supplier, id) if link else None


def forget_visit(work: Work, demand: DemandOrder) -> None:
    """Forget where a demand order was served, with the order."""
    visit = work.get(Visit, demand.owner, demand.id)
    if visit is not None:
        work.drop(visit)


def trade_of(work: Work, visit: Visit) -> Trade | None:
    return find_trade(work, visit.supplier, visit.trade)


def left_of_demand(work: Work, demand: DemandOrder) -> int:
    """Return what a demand order leaves for a new trade, whatever may still be said of those before it."""
    return (
        demand.total - demand.obtained - sum(_unsettled(work, each) for each in _visited(work, demand.owner, demand.id))
    )


def is_supplying(work: Work, order: SupplyOrder) -> bool:
    """Tell whether a trade that is known rests on this order: reports may still come."""
    return any(trade.order == order.id for trade in work.all(Trade, order.owner))


def is_served(work: Work, demand: DemandOrder) -> bool:
    return any(trade.running for trade in _visited(work, demand.owner, demand.id))


def order_of(work: Work, trade: Trade) -> SupplyOrder:
    order = work.get(SupplyOrder, trade.owner, trade.order)
    assert order is not None, f"order {trade.order} of trade {trade.id} is missing"
    return order


def order_over(work: Work, trade: Trade) -> Refused | None:
    """Tell which of the orders that a trade rests on is over, if one is: another trade would be refused for it."""
    demand = work.get(DemandOrder, subscriber_owner(trade.demander), trade.demand)
    demands_no_more = demand and over(work, demand, holder=trade.demander)
    return demands_no_more or over(work, order_of(work, trade), holder=trade.supplier)


def promise(work: Work, trade: Trade, granted: Mapping[QuotaId, int]) -> Trade:
    """Remember what was granted to the base station. The oldest promises beyond a few hundred are forgotten."""
    promised = {**trade.promised, **granted}
    for quota in list(promised)[:-_PROMISES_KEPT]:
        del promised[quota]
    return _with_promises(work, trade, promised)


def take_back(work: Work, trade: Trade, quotas: tuple[QuotaId, ...]) -> Trade:
    """The base station is done with these quotas: nothing more may be reported under them."""
    kept = {quota: octets for quota, octets in trade.promised.items() if quota not in quotas}
    return _with_promises(work, trade, kept)


def count(
    work: Work, trade: Trade, reported: Mapping[str, Octets], *, up: Octets, journal: str
) -> tuple[Trade, dict[QuotaId, Octets], Octets]:
    """Divide what a base station reports into what was promised, to be posted on the supplier, and what is beyond.

    ``up`` is the part of all of it that the demander sent, ``journal`` the base station's where it stands.

    Returns the trade, the octets to post for each quota, and the excess.
    """
    promised = dict(trade.promised)
    posts: dict[QuotaId, Octets] = {}
    for name, octets in reported.items():
        quota = QuotaId(name)
        within = min(octets, promised.get(quota, 0))
        if within:
            posts[quota] = Octets(within)
            promised[quota] -= within
            if not promised[quota]:
                del promised[quota]
    total = sum(posts.values())
    excess = Octets(sum(reported.values()) - total)
    trade = _with_promises(work, trade, promised)
    trade = replace(
        trade,
        counted=Octets(trade.counted + total),
        excess=Octets(trade.excess + excess),
        up=Octets(trade.up + up),
        journals=(*(each for each in trade.journals if each != journal), journal)[-_JOURNALS_KEPT:],
    )
    work.put(trade)
    if total:
        counted = count_given if trade.running else count_late
        counted(work, order_of(work, trade), Octets(total))
    return trade, posts, excess


def end(work: Work, trade: Trade, event: Event) -> Trade:
    """End a trade. What the base station has ended itself it may not add to; after silence, late reports are taken."""
    if event is Event.FINAL and trade.promised:
        trade = take_back(work, trade, tuple(trade.promised))
    if event is Event.EXPIRED and trade.promised:
        fall_silent(work, order_of(work, trade), trade.outstanding)
    return step(work, trade, event)


def forget(work: Work, trade: Trade) -> None:
    """Forget a trade whose reports can't come any more; what was never reported is free for others again."""
    work.drop(take_back(work, trade, tuple(trade.promised)))


def forget_link(work: Work, link: TradeLink) -> None:
    """Forget that a trade was at a base station once its supplier's page has forgotten it; until then look again."""
    if find_trade(work, link.supplier, link.id) is None:
        work.drop(link)
    else:
        work.put(replace(link, due=later(work.now, KEPT)))


def step(work: Work, trade: Trade, event: Event) -> Trade:
    """Take the trade to its next state. Repeating is safe."""
    after = TRANSITIONS.get((trade.state, event))
    if after is None:
        return trade
    if trade.state is State.RECALLED:
        station = base_station_owner(trade.base_station)
        send(work, Parcel(sender=trade.owner, target=station, act="left", facts={"trade": trade.id}))
    if after is State.ENDED:
        trade = replace(trade, state=after, ended_at=work.now, cause=event.value, due=later(work.now, KEPT))
    else:
        trade = replace(trade, state=after)
    work.put(trade)
    return trade


def count_obtained(work: Work, demander: Owner, demand: str, octets: Octets) -> None:
    """Count what arrived for a demand order."""
    order = work.get(DemandOrder, demander, demand)
    if order is not None:
        work.put(replace(order, obtained=Octets(order.obtained + octets)))


def _visited(work: Work, demander: Owner, visitor: str) -> list[Trade]:
    """Return the trades of a visitor that are known and of which something may still come."""
    visit = work.get(Visit, demander, visitor)
    names = [] if visit is None else visit.trades
    return [trade for supplier, id in names if (trade := find_trade(work, supplier, id))]


def _awaited(work: Work, trade: Trade) -> list[Trade]:
    """Return the visitor's trades before this one of which its terminal's count, or octets for its demand order, may come."""
    earlier = _visited(work, subscriber_owner(trade.demander), trade.visitor)
    if trade.terminal:
        return [each for each in earlier if each.seen_by_terminal is None][-_COUNTS_AWAITED:]
    return [each for each in earlier if _unsettled(work, each)]


def _unsettled(work: Work, trade: Trade) -> int:
    """Return what its demand order may still obtain by a trade: promised, not booked yet, or on its way."""
    on_its_way = [one.facts for one in parcels_of(work, trade.owner) if one.facts.get("booked") == trade.id]
    return trade.outstanding + trade.counted - trade.booked + sum(int(facts["octets"]) for facts in on_its_way)


def _with_promises(work: Work, trade: Trade, promised: dict[QuotaId, int]) -> Trade:
    """Change what is promised, on the trade and in its order's sum."""
    if promised == trade.promised:
        return trade
    changed = replace(trade, promised=promised)
    more = changed.outstanding - trade.outstanding
    if more:
        order = order_of(work, trade)
        # Versions before promised more to trades that ended in silence than is known as such.
        silent = order.silent if trade.running else max(0, order.silent + more)
        work.put(replace(order, promised=order.promised + more, silent=silent))
    work.put(changed)
    return changed
