"""Orders and circles: how many somebody may have, and when those that ended are forgotten."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace
from tests.exchange.world import Gateway, World, online, refused

from qanat.exchange.orders import (
    CIRCLES_MOST,
    KEPT,
    ORDERS_MOST,
    DemandOrder,
    SupplyOrder,
    demand_of_passcode,
    find_supply,
    make_circle,
    open_demand,
    open_supply,
    passcode_page,
    stop_demand,
)
from qanat.exchange.trades import Visit
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import subscriber_owner
from qanat.units import DAY, HOUR, Millis, Octets, later
from qanat.wire.base_station import Admission, Admitted, Wish


def wanted(world: World, number: int, *, hours: int | None = None) -> DemandOrder:
    return DemandOrder(
        owner=subscriber_owner("bob"),
        id=f"dem-{number}",
        total=Octets(500),
        passcode_page=passcode_page(f"PASS-{number}"),
        until=None if hours is None else later(world.clock.now(), Millis(HOUR * hours)),
        opened_at=world.clock.now(),
    )


def test_a_subscriber_has_so_many_supply_orders_and_one_more_when_one_that_ended_is_forgotten(world: World) -> None:
    first, *_ = [world.offer("alice") for _ in range(ORDERS_MOST)]
    barred = world.decide(partial(open_supply, order=first))
    assert refused(barred) is Refusal.TOO_MANY_ORDERS
    assert isinstance(barred, Refused)
    assert barred.facts == {"subscriber": "alice", "orders": ORDERS_MOST}
    assert isinstance(world.offer("anna"), SupplyOrder), "others are not concerned"
    world.stop(first)
    assert refused(world.decide(partial(open_supply, order=first))) is Refusal.TOO_MANY_ORDERS
    world.clock.advance(KEPT)
    world.sweep()
    assert refused(world.decide(partial(find_supply, supplier="alice", id=first.id))) is Refusal.UNKNOWN_ORDER
    assert isinstance(world.offer("alice"), SupplyOrder)


def test_a_supply_order_that_ran_out_is_forgotten_a_month_later_and_not_while_a_trade_rests_on_it(world: World) -> None:
    world.buy("alice", 5_000, days=90)
    order = world.offer("alice", until=later(world.clock.now(), DAY))
    gateway = online(world, "bob", to="alice")
    gateway.pass_(10)
    world.clock.advance(DAY - HOUR)
    gateway.finish()
    kept = {}
    for day in (1, 30, 31, 32, 62):
        world.clock.advance(order.opened_at + DAY * day - world.clock.now())
        world.sweep()
        kept[day] = world.desk.get(SupplyOrder, order.owner, order.id) is not None
    assert kept == {1: True, 30: True, 31: True, 32: True, 62: False}


def test_a_demand_order_is_forgotten_with_its_passcode_a_month_after_its_end(world: World) -> None:
    stopped = world.done(partial(open_demand, order=wanted(world, 1)))
    world.done(partial(open_demand, order=wanted(world, 2, hours=1)))
    world.decide(partial(stop_demand, order=stopped))
    world.clock.advance(HOUR)
    world.sweep()
    for number, reason in ((1, Refusal.ORDER_STOPPED), (2, Refusal.ORDER_EXPIRED)):
        assert refused(world.decide(partial(demand_of_passcode, passcode=f"PASS-{number}"))) is reason
    world.clock.advance(KEPT)
    world.sweep()
    for number in (1, 2):
        barred = world.decide(partial(demand_of_passcode, passcode=f"PASS-{number}"))
        assert refused(barred) is Refusal.UNKNOWN_PASSCODE
    assert world.desk.all(DemandOrder, subscriber_owner("bob")) == []


def test_a_subscriber_has_so_many_demand_orders(world: World) -> None:
    for number in range(ORDERS_MOST):
        world.done(partial(open_demand, order=wanted(world, number)))
    barred = world.decide(partial(open_demand, order=wanted(world, ORDERS_MOST)))
    assert refused(barred) is Refusal.TOO_MANY_ORDERS


def test_a_subscriber_has_so_many_circles_and_gives_those_other_members(world: World) -> None:
    alice = world.subscriber("alice")
    for number in range(CIRCLES_MOST):
        world.done(partial(make_circle, subscriber=alice, name=f"c{number}", members=("bob",)))
    barred = world.decide(partial(make_circle, subscriber=alice, name="one-more", members=("bob",)))
    assert refused(barred) is Refusal.TOO_MANY_CIRCLES
    changed = world.done(partial(make_circle, subscriber=alice, name="c0", members=("bella",)))
    assert changed.members == ("bella",)


def test_a_demand_order_that_was_served_leaves_no_visit_behind(world: World) -> None:
    world.buy("alice", 5_000, days=90)
    world.offer("alice")
    order = world.done(partial(open_demand, order=wanted(world, 1)))
    admitted = world.ask(Admission(passcode="PASS-1", wish=Wish(supplier=world.code("alice"))))
    assert isinstance(admitted, Admitted)
    gateway = Gateway(world, admitted)
    gateway.pass_(10)
    gateway.finish()
    world.decide(partial(stop_demand, order=order))
    assert world.desk.get(Visit, order.owner, order.id) is not None
    world.clock.advance(KEPT)
    world.sweep()
    assert world.desk.all(Visit, order.owner) == []


def test_orders_that_an_earlier_version_stopped_are_forgotten_too(world: World) -> None:
    """It gave them no due; something else of the owner's is."""
    supply, demand = world.offer("alice"), world.done(partial(open_demand, order=wanted(world, 1)))
    for order in (supply, demand):
        world.decide(partial(_stopped_before, order=order))
    world.buy("alice", 5, days=1)
    world.buy("bob", 5, days=1)
    for _ in range(2):
        world.clock.advance(KEPT)
        world.sweep()
    assert world.desk.all(SupplyOrder, supply.owner) == []
    assert world.desk.all(DemandOrder, demand.owner) == []


def _stopped_before(work: Work, order: SupplyOrder | DemandOrder) -> None:
    work.put(replace(order, stopped_at=work.now, due=None))
    work.act = "order stopped"
