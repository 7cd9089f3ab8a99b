"""Authorisation: may this demander go online at this base station on that supplier's octets?

Every identity is checked, each with its own refusal, before anything is opened: the base station and whom it belongs to,
the demander's terminal and its subscriber and the proof that they are here, the supplier and its terminal, and that they
are allowed with each other; then that the order and the supplier's octets cover what is asked for.
Source: docs/conformance.md, B2 to B4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from qanat.exchange.bounds import PACKET, shortage, worth_serving
from qanat.exchange.identity import look_up
from qanat.exchange.matching import ranked
from qanat.exchange.obligations import partners
from qanat.exchange.orders import DemandOrder, SupplyOrder, demand_of_passcode, still_consents, still_demands
from qanat.exchange.prices import Price
from qanat.exchange.trades import State, Trade, Visit, left_of_demand, trade_of
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import BaseStation, usable_base_station
from qanat.registry.names import digest, name_of, subscriber_owner
from qanat.registry.subscribers import Subscriber, active_or_refused
from qanat.registry.terminals import Terminal, terminal_or_refused
from qanat.units import MINUTE, Instant, Octets, format_instant
from qanat.wire.base_station import Admission, SignedPresentation, Wish, is_signed_by, read_presentation

_WINDOW: Final = 5 * MINUTE
"""A presentation may be so old, and a device's clock so wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demander:
    """Who wants to go online, proved."""

    subscriber: Subscriber
    terminal: str
    demand: str
    wish: Wish
    limit: Octets | None
    most: Price | None
    proof: str
    at: Instant

    @property
    def visitor(self) -> str:
        return self.terminal or self.demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    subscriber: Subscriber
    terminal: str
    """The one whose code was presented; empty if it was the subscriber's own code."""


def identify(work: Work, base_station: str, asked: Admission) -> tuple[BaseStation, Demander] | Refused:
    """Return who is where, once both are proved. Raises BadInput for a presentation that breaks its form."""
    station = in_service(work, base_station)
    if isinstance(station, Refused):
        return station
    demander = _demander(work, asked, station)
    return demander if isinstance(demander, Refused) else (station, demander)


def authorise(
    work: Work, station: BaseStation, demander: Demander, *, id: str, offered_by: Iterable[str]
) -> Trade | Refused:
    """Return the trade that may be opened, named ``id``, or the one that a repeat of this admission has opened before.

    ``offered_by`` names suppliers to consider when the demander leaves the choice to us.
    """
    running = _running(work, demander, station)
    if running is not None:
        return running
    spent = _spent(work, demander)
    if spent is not None:
        return spent
    order = _chosen(work, demander, station, offered_by)
    if isinstance(order, Refused):
        return order
    return Trade(
        owner=order.owner,
        id=id,
        order=order.id,
        demander=demander.subscriber.id,
        terminal=demander.terminal,
        demand=demander.demand,
        supplier_terminal=order.terminal,
        base_station=station.id,
        supplier_operator=order.operator,
        demander_operator=demander.subscriber.operator,
        station_operator=station.operator,
        price=order.price,
        limit=demander.limit,
        opened_at=work.now,
    )


def in_service(work: Work, base_station: str) -> BaseStation | Refused:
    """Return the base station if it may serve: not revoked, and whom it belongs to is active."""
    station = usable_base_station(work, base_station)
    if isinstance(station, Refused):
        return station
    owner = active_or_refused(work, station.subscriber)
    return owner if isinstance(owner, Refused) else station


def still_authorised(work: Work, trade: Trade, order: SupplyOrder) -> Refused | None:
    """Judge a running trade anew: identities and consent. How much is left is another question."""
    station = in_service(work, trade.base_station)
    if isinstance(station, Refused):
        return station
    for name in (trade.demander, trade.supplier):
        subscriber = active_or_refused(work, name)
        if isinstance(subscriber, Refused):
            return subscriber
    for terminal in filter(None, (trade.terminal, trade.supplier_terminal)):
        found = _usable_terminal(work, terminal)
        if isinstance(found, Refused):
            return found
    over = still_demands(work, trade.demander, trade.demand) if trade.demand else None
    return over or still_consents(work, order, demander=trade.demander, base_station=station, most=trade.price)


# -- the demander


def _demander(work: Work, asked: Admission, station: BaseStation) -> Demander | Refused:
    if asked.presentation is not None:
        return _by_presentation(work, asked.presentation, station)
    if asked.passcode is not None:
        return _by_passcode(work, asked.passcode, asked.wish)
    return Refused(Refusal.PROOF_MISSING)


def _by_presentation(work: Work, signed: SignedPresentation, station: BaseStation) -> Demander | Refused:
    said = read_presentation(signed)
    elsewhere = _meant_for_another(work, said.base_station, station)
    if elsewhere:
        return elsewhere
    terminal = _presented_terminal(work, said.terminal, said.subscriber)
    if isinstance(terminal, Refused):
        return terminal
    if not is_signed_by(signed, terminal.public_key):
        return Refused(Refusal.WRONG_SIGNATURE, {"key_id": terminal.id})
    subscriber = active_or_refused(work, terminal.subscriber)
    if isinstance(subscriber, Refused):
        return subscriber
    proof = digest(signed.text)
    stale = _stale(work, terminal, proof=proof, at=said.at)
    if stale:
        return stale
    return Demander(
        subscriber=subscriber,
        terminal=terminal.id,
        demand="",
        wish=said.wish,
        limit=None if said.wish.octets is None else Octets(said.wish.octets),
        most=_most(said.wish),
        proof=proof,
        at=said.at,
    )


def _meant_for_another(work: Work, code: str, station: BaseStation) -> Refused | None:
    here = look_up(work, code, kinds=("base station",))
    if isinstance(here, Refused):
        return here
    return None if here == station.owner else _swapped(f"The code {code}", name_of(here), station.id)


def _presented_terminal(work: Work, code: str, subscriber_code: str) -> Terminal | Refused:
    """Return the terminal that was presented, if it is in use and belongs to the subscriber that was presented."""
    named = look_up(work, code, kinds=("terminal",))
    if isinstance(named, Refused):
        return named
    terminal = _usable_terminal(work, name_of(named))
    if isinstance(terminal, Refused):
        return terminal
    presented = look_up(work, subscriber_code, kinds=("subscriber",))
    if isinstance(presented, Refused):
        return presented
    if presented != subscriber_owner(terminal.subscriber):
        return _swapped(f"Terminal {terminal.id}", terminal.subscriber, name_of(presented))
    return terminal


def _usable_terminal(work: Work, id: str) -> Terminal | Refused:
    terminal = terminal_or_refused(work, id)
    if isinstance(terminal, Refused):
        return terminal
    if terminal.state == "revoked":
        return Refused(Refusal.TERMINAL_REVOKED, {"terminal": id})
    if not terminal.subscriber:
        return Refused(Refusal.TERMINAL_UNBOUND, {"terminal": id})
    return terminal


def _stale(work: Work, terminal: Terminal, *, proof: str, at: Instant) -> Refused | None:
    """A presentation is good for minutes and once: a base station can't bring back a demander who has gone."""
    if abs(at - work.now) > _WINDOW:
        facts: dict[str, int | str] = {"created_s": at // 1000, "now_s": work.now // 1000, "window_s": _WINDOW // 1000}
        return Refused(Refusal.CLOCK_SKEW, facts)
    visit = work.get(Visit, subscriber_owner(terminal.subscriber), terminal.id)
    if visit is None or visit.at < at:
        return None
    if visit.at - work.now > _WINDOW and visit.proof != proof:
        return None  # the clock was set back since: no presentation from so far ahead would have been taken
    trade = trade_of(work, visit)
    if visit.proof == proof and trade is not None and trade.running:
        return None
    return Refused(Refusal.REPLAYED, {"nonce": format_instant(at)})


def _by_passcode(work: Work, passcode: str, wish: Wish) -> Demander | Refused:
    demand = demand_of_passcode(work, passcode)
    if isinstance(demand, Refused):
        return demand
    subscriber = active_or_refused(work, demand.demander)
    if isinstance(subscriber, Refused):
        return subscriber
    return Demander(
        subscriber=subscriber,
        terminal="",
        demand=demand.id,
        wish=wish,
        limit=_limit_of(work, demand, wish),
        most=demand.most,
        proof=digest(demand.id),
        at=work.now,
    )


def _limit_of(work: Work, demand: DemandOrder, wish: Wish) -> Octets:
    left = max(0, left_of_demand(work, demand))
    return Octets(left if wish.octets is None else min(left, wish.octets))


def _most(wish: Wish) -> Price | None:
    return None if wish.most_per_gb is None else Price(unit=wish.currency, per_gb=wish.most_per_gb)


def _running(work: Work, demander: Demander, station: BaseStation) -> Trade | Refused | None:
    """Return what the demander has open already: the same again here is a repeat, elsewhere it is one place too many."""
    visit = work.get(Visit, demander.subscriber.owner, demander.visitor)
    trade = trade_of(work, visit) if visit else None
    if trade is None or not trade.running:
        return None
    if trade.base_station == station.id and trade.state is State.OPEN:
        return trade
    facts: dict[str, int | str] = {"terminal": demander.visitor, "base_station": trade.base_station}
    return Refused(Refusal.TERMINAL_ELSEWHERE, facts)


def _spent(work: Work, demander: Demander) -> Refused | None:
    """Tell whether the demand order leaves nothing for one more trade."""
    order = work.get(DemandOrder, demander.subscriber.owner, demander.demand)
    if order is None or left_of_demand(work, order) > 0:
        return None
    facts: dict[str, int | str] = {"demand": order.id, "demander": order.demander, "total": order.total}
    return Refused(Refusal.DEMAND_OBTAINED, facts)


# -- the supplier


def _chosen(work: Work, demander: Demander, station: BaseStation, offered_by: Iterable[str]) -> SupplyOrder | Refused:
    if demander.wish.supplier is None:
        return _best_offer(work, demander, station, offered_by)
    supplier = _supplier(work, demander.wish.supplier)
    if isinstance(supplier, Refused):
        return supplier
    if supplier.subscriber.id == demander.subscriber.id:
        return Refused(Refusal.OWN_TRAFFIC, {"subscriber": supplier.subscriber.id})
    orders = _orders(work, supplier)
    if not orders:
        return Refused(Refusal.NO_SUPPLY_ORDER, {"supplier": supplier.subscriber.id})
    reasons: list[Refused] = []
    for order in ranked(work, demander.subscriber.id, orders):
        barred = _barred(work, order, demander, station)
        if barred is None:
            return order
        reasons.append(barred)
    return _nearest(reasons)


def _best_offer(
    work: Work, demander: Demander, station: BaseStation, offered_by: Iterable[str]
) -> SupplyOrder | Refused:
    """Return the first order that serves, of those named to us and of those with whom the demander has dealt before."""
    name = demander.subscriber.id
    suppliers = {*offered_by, *partners(work, name)} - {name}
    orders = [order for one in sorted(suppliers) for order in work.all(SupplyOrder, subscriber_owner(one))]
    for order in ranked(work, name, orders):
        found = active_or_refused(work, order.supplier)
        if not isinstance(found, Refused) and _barred(work, order, demander, station) is None:
            return order
    return Refused(Refusal.NO_SUPPLY, {"demander": name, "base_station": station.id})


def _supplier(work: Work, code: str) -> Supplier | Refused:
    named = look_up(work, code, kinds=("subscriber", "terminal"))
    if isinstance(named, Refused):
        return named
    terminal = ""
    if named.startswith("terminal/"):
        found = _usable_terminal(work, name_of(named))
        if isinstance(found, Refused):
            return found
        terminal, named = found.id, subscriber_owner(found.subscriber)
    subscriber = active_or_refused(work, name_of(named))
    return subscriber if isinstance(subscriber, Refused) else Supplier(subscriber=subscriber, terminal=terminal)


def _orders(work: Work, supplier: Supplier) -> list[SupplyOrder]:
    """Return the supplier's orders; behind a terminal's code, those of that terminal and those of no terminal."""
    orders = work.all(SupplyOrder, supplier.subscriber.owner)
    return [order for order in orders if not supplier.terminal or order.terminal in ("", supplier.terminal)]


def _barred(work: Work, order: SupplyOrder, demander: Demander, station: BaseStation) -> Refused | None:
    if order.terminal:
        terminal = _usable_terminal(work, order.terminal)
        if isinstance(terminal, Refused):
            return terminal
        if terminal.subscriber != order.supplier:
            return _swapped(f"Terminal {terminal.id}", terminal.subscriber, order.supplier)
    consents = still_consents(work, order, demander=demander.subscriber.id, base_station=station, most=demander.most)
    return consents or shortage(work, order, wanted=demander.wish.octets or worth_serving(order))


def _nearest(reasons: list[Refused]) -> Refused:
    """Of several orders' reasons, tell the one that the demander can do most about: an order that is over is none."""
    return next((reason for reason in reasons if not _is_over(reason)), reasons[0])


def _is_over(refused: Refused) -> bool:
    """Tell whether the order serves nobody any more, however little is asked for."""
    used_up = refused.reason is Refusal.ORDER_EXHAUSTED and int(refused.facts["left"]) < PACKET
    return used_up or refused.reason in (Refusal.ORDER_STOPPED, Refusal.ORDER_EXPIRED)


def _swapped(thing: str, belongs_to: str, presented: str) -> Refused:
    facts: dict[str, int | str] = {"thing": thing, "belongs_to": belongs_to, "presented": presented}
    return Refused(Refusal.IDENTITY_SWAPPED, facts)
