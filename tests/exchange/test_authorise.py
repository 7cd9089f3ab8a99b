"""Who may go online where, on whose octets: every check has its own refusal, and a refusal opens nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from tests.exchange.world import PRICE, Gateway, World, key_of, online, refused

from qanat.errors import BadInput
from qanat.exchange import identity
from qanat.exchange.orders import (
    DemandOrder,
    SupplyOrder,
    make_circle,
    open_demand,
    open_supply,
    passcode_page,
    stop_demand,
)
from qanat.exchange.prices import Price
from qanat.exchange.trades import Trade
from qanat.ids import Owner
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import find_base_station, revoke_base_station
from qanat.registry.names import subscriber_owner, terminal_owner
from qanat.registry.subscribers import set_status
from qanat.registry.terminals import find_terminal, revoke
from qanat.units import DAY, HOUR, MINUTE, Instant, Octets
from qanat.wire.base_station import (
    Admission,
    Admitted,
    Presentation,
    SignedPresentation,
    Wish,
    sign_presentation,
)


@pytest.fixture
def market(world: World) -> World:
    """Alice has 5,000 octets and offers 3,000 to anyone."""
    world.buy("alice", 5_000)
    world.offer("alice", 3_000)
    return world


def nothing_opened(world: World) -> bool:
    return not any(world.desk.all(Trade, subscriber_owner(name)) for name in ("alice", "anna", "bob"))


def test_a_demander_is_admitted_and_told_everybodys_identity_code(market: World) -> None:
    admitted = market.admit("bob", to="alice")
    assert isinstance(admitted, Admitted)
    assert (admitted.supplier, admitted.demander, admitted.octets) == ("alice", "bob", 3_000)
    assert admitted.identities == {
        "demander": market.code("bob"),
        "supplier": market.code("alice"),
        "base_station": market.code("bst-carol"),
        "terminal": market.code("trm-bob"),
    }


def test_repeating_an_admission_gives_the_same_trade(market: World) -> None:
    admission = Admission(presentation=market.present("bob", to="alice"))
    first, second = market.ask(admission), market.ask(admission)
    assert isinstance(first, Admitted)
    assert first == second
    assert len(market.desk.all(Trade, subscriber_owner("alice"))) == 1


# -- the base station


def test_an_unknown_or_revoked_base_station_admits_nobody(market: World) -> None:
    admission = Admission(presentation=market.present("bob", to="alice"))
    assert refused(market.ask(admission, at="bst-nobody")) is Refusal.UNKNOWN_BASE_STATION
    station = market.decide(partial(find_base_station, id="bst-carol"))
    assert station is not None
    market.decide(partial(revoke_base_station, base_station=station))
    assert refused(market.ask(admission)) is Refusal.BASE_STATION_REVOKED
    assert nothing_opened(market)


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_a_suspended_subscriber_takes_no_part_in_any_role(market: World, name: str) -> None:
    market.decide(partial(set_status, subscriber=market.subscriber(name), status="suspended"))
    assert refused(market.admit("bob", to="alice")) is Refusal.SUBSCRIBER_SUSPENDED
    assert nothing_opened(market)


def test_a_presentation_for_one_base_station_is_no_good_at_another(market: World) -> None:
    admission = Admission(presentation=market.present("bob", to="alice", at="bst-carol"))
    assert refused(market.ask(admission, at="bst-carl")) is Refusal.IDENTITY_SWAPPED


# -- the demander


def forged(world: World, *, signer: str = "bob", **changes: Any) -> Admission:
    said = {
        "terminal": world.code("trm-bob"),
        "subscriber": world.code("bob"),
        "base_station": world.code("bst-carol"),
        "wish": Wish(supplier=world.code("alice")),
        "at": world.clock.now(),
    }
    return Admission(presentation=sign_presentation(key_of(signer), Presentation(**{**said, **changes})))


def test_a_terminal_signed_for_by_another_key_is_refused(market: World) -> None:
    assert refused(market.ask(forged(market, signer="bella"))) is Refusal.WRONG_SIGNATURE


def test_a_terminal_presented_with_another_subscriber_is_refused(market: World) -> None:
    assert refused(market.ask(forged(market, subscriber=market.code("bella")))) is Refusal.IDENTITY_SWAPPED


def test_identity_codes_of_the_wrong_kind_unknown_or_misspelt_are_refused(market: World) -> None:
    unknown = identity.make_code(terminal_owner("trm-nobody"), 0)
    swapped = {"terminal": market.code("bob"), "subscriber": market.code("trm-bob")}
    assert refused(market.ask(forged(market, **swapped))) is Refusal.WRONG_KIND_OF_IDENTITY
    assert refused(market.ask(forged(market, terminal=unknown))) is Refusal.UNKNOWN_IDENTITY
    assert refused(market.ask(forged(market, terminal="T-00000-00000"))) is Refusal.MISSPELT_IDENTITY
    assert refused(market.ask(forged(market, subscriber=market.code("bst-carol")))) is Refusal.WRONG_KIND_OF_IDENTITY


def test_a_revoked_identity_code_is_refused(market: World) -> None:
    old = market.code("trm-bob")
    market.decide(partial(identity.revoke, subject=terminal_owner("trm-bob")))
    assert refused(market.ask(forged(market, terminal=old))) is Refusal.IDENTITY_REVOKED


def test_a_revoked_terminal_is_refused(market: World) -> None:
    terminal = market.decide(partial(find_terminal, id="trm-bob"))
    assert terminal is not None
    market.decide(partial(revoke, terminal=terminal))
    assert refused(market.admit("bob", to="alice")) is Refusal.TERMINAL_REVOKED


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_presentation_and_one_from_the_future_are_refused(market: World, minutes: int) -> None:
    at = Instant(market.clock.now() + minutes * MINUTE)
    assert refused(market.ask(forged(market, at=at))) is Refusal.CLOCK_SKEW


def test_a_presentation_is_good_once(market: World) -> None:
    admission = Admission(presentation=market.present("bob", to="alice"))
    admitted = market.ask(admission)
    assert isinstance(admitted, Admitted)
    Gateway(market, admitted).finish()
    assert refused(market.ask(admission)) is Refusal.REPLAYED


def test_after_the_clock_was_set_back_a_demander_is_admitted_and_the_presentation_of_before_is_not(
    market: World,
) -> None:
    market.clock.jump(DAY)
    before = Admission(presentation=market.present("bob", to="alice"))
    admitted = market.ask(before)
    assert isinstance(admitted, Admitted)
    Gateway(market, admitted).finish()
    market.clock.jump(-DAY)
    again = Admission(presentation=market.present("bob", to="alice"))
    admitted = market.ask(again)
    assert isinstance(admitted, Admitted)
    Gateway(market, admitted).finish()
    assert refused(market.ask(before)) is Refusal.CLOCK_SKEW
    assert refused(market.ask(again)) is Refusal.REPLAYED


def test_without_any_proof_nobody_is_admitted(market: World) -> None:
    assert refused(market.ask(Admission())) is Refusal.PROOF_MISSING


def test_a_presentation_that_is_no_presentation_breaks_the_form(market: World) -> None:
    with pytest.raises(BadInput, match="presentation"):
        market.ask(Admission(presentation=SignedPresentation(text="{}", signature="A" * 88)))


def test_a_terminal_is_online_at_one_base_station_at_a_time(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    assert refused(market.admit("bob", to="alice", at="bst-carl")) is Refusal.TERMINAL_ELSEWHERE
    gateway.finish()
    assert isinstance(market.admit("bob", to="alice", at="bst-carl"), Admitted)


# -- the supplier and the order


def test_nobody_supplies_itself(market: World) -> None:
    assert refused(market.admit("alice", to="alice")) is Refusal.OWN_TRAFFIC
    assert refused(market.admit("alice", to="trm-alice")) is Refusal.OWN_TRAFFIC


def test_without_an_order_nothing_is_taken(world: World) -> None:
    world.buy("alice", 5_000)
    assert refused(world.admit("bob", to="alice")) is Refusal.NO_SUPPLY_ORDER
    assert refused(world.admit("bob")) is Refusal.NO_SUPPLY


def test_a_stopped_and_an_expired_order_are_over(world: World) -> None:
    world.buy("alice", 5_000)
    world.offer("alice", until=Instant(world.clock.now() + HOUR))
    world.buy("anna", 5_000)
    world.stop(world.offer("anna", until=Instant(world.clock.now() + HOUR)))
    world.clock.advance(HOUR)
    for _ in range(2):
        assert refused(world.admit("bob", to="alice")) is Refusal.ORDER_EXPIRED
        assert refused(world.admit("bob", to="anna")) is Refusal.ORDER_STOPPED
        world.sweep()
    labels = [
        order.label for name in ("alice", "anna") for order in world.desk.all(SupplyOrder, subscriber_owner(name))
    ]
    assert not [label for label in labels if label.startswith("open/")], "neither is on offer any more"


def test_an_order_covers_what_is_asked_for_or_says_what_is_left(market: World) -> None:
    outcome = market.admit("bob", to="alice", octets=3_001)
    assert refused(outcome) is Refusal.ORDER_EXHAUSTED
    assert isinstance(outcome, Refused)
    assert (outcome.facts["left"], outcome.facts["wanted"]) == (3_000, 3_001)
    assert isinstance(market.admit("bob", to="alice", octets=3_000), Admitted)


def offer_of_which_1400_are_left(world: World) -> None:
    """Alice has more to give, but this order has less than a packet left."""
    world.buy("alice", 50_000)
    world.offer("alice", total=2_000)
    gateway = online(world, "bob", to="alice")
    gateway.pass_(600)
    gateway.finish()
    world.deliver()


def test_of_several_orders_the_one_that_is_not_used_up_says_why_it_does_not_serve(world: World) -> None:
    offer_of_which_1400_are_left(world)
    world.offer("alice", total=9_000)
    outcome = world.admit("bob", to="alice", octets=20_000)
    assert refused(outcome) is Refusal.ORDER_EXHAUSTED
    assert isinstance(outcome, Refused)
    assert outcome.facts["left"] == 9_000, "who asks for less is served by this one"


def test_an_order_that_has_less_than_a_packet_left_gives_way_to_a_younger_one(world: World) -> None:
    offer_of_which_1400_are_left(world)
    outcome = world.admit("bob", to="alice")
    assert refused(outcome) is Refusal.ORDER_EXHAUSTED
    assert isinstance(outcome, Refused)
    assert outcome.facts["left"] == 1_400, "too few for a packet"
    younger = world.offer("alice", total=20_000)
    admitted = world.admit("bob", to="alice")
    assert isinstance(admitted, Admitted)
    assert admitted.octets == younger.total


def test_an_order_has_a_bound_for_the_day_that_is_whole_again_after_midnight(world: World) -> None:
    world.buy("alice", 50_000)
    world.offer("alice", per_day=Octets(1_000))
    gateway = online(world, "bob", to="alice")
    assert gateway.room() == 1_000
    for octets in (300, 700):
        gateway.pass_(octets)
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.ORDER_USED_UP_TODAY
    gateway.finish()
    assert refused(world.admit("bob", to="alice")) is Refusal.ORDER_USED_UP_TODAY
    world.clock.advance(DAY)
    assert online(world, "bob", to="alice").room() == 1_000


def test_a_supplier_with_too_little_is_told_apart_from_one_whose_bucket_ran_out(world: World) -> None:
    world.offer("alice")
    world.buy("alice", 100, days=1)
    outcome = world.admit("bob", to="alice", octets=101)
    assert refused(outcome) is Refusal.SUPPLIER_SHORT
    world.clock.advance(DAY)
    assert refused(world.admit("bob", to="alice")) is Refusal.SUPPLIER_EXPIRED


def test_an_order_for_one_person_or_a_circle_serves_nobody_else(world: World) -> None:
    world.buy("alice", 5_000)
    world.offer("alice", audience="person", to="bob")
    assert refused(world.admit("bella", to="alice")) is Refusal.ORDER_NOT_FOR_YOU
    assert isinstance(world.admit("bob", to="alice"), Admitted)
    world.buy("anna", 5_000)
    world.decide(partial(make_circle, subscriber=world.subscriber("anna"), name="family", members=("bella",)))
    world.offer("anna", audience="circle", to="family")
    assert refused(world.admit("bob", to="anna", at="bst-carl")) is Refusal.TERMINAL_ELSEWHERE
    assert isinstance(world.admit("bella", to="anna"), Admitted)


def test_an_order_for_an_unknown_circle_person_or_terminal_is_not_opened(world: World) -> None:
    order = world.offer("alice")
    for terms, reason in (
        ({"audience": "circle", "to": "nobody"}, Refusal.UNKNOWN_CIRCLE),
        ({"audience": "person", "to": "nobody"}, Refusal.UNKNOWN_SUBSCRIBER),
        ({"terminal": "trm-bob"}, Refusal.UNKNOWN_TERMINAL),
        ({"base_stations": ("bst-carl", "bst-nobody")}, Refusal.UNKNOWN_BASE_STATION),
        ({"operators": ("north", "nobody")}, Refusal.UNKNOWN_OPERATOR),
    ):
        changed = type(order)(**{name: getattr(order, name) for name in order.__struct_fields__} | terms)
        assert refused(world.decide(partial(open_supply, order=changed))) is reason


def test_an_order_for_a_base_station_that_was_revoked_is_not_opened_and_says_which(world: World) -> None:
    order = world.offer("alice", base_stations=("bst-carl", "bst-carol"))
    station = world.decide(partial(find_base_station, id="bst-carol"))
    assert station is not None
    world.decide(partial(revoke_base_station, base_station=station))
    outcome = world.decide(partial(open_supply, order=order))
    assert refused(outcome) is Refusal.BASE_STATION_REVOKED
    assert isinstance(outcome, Refused)
    assert outcome.facts == {"base_station": "bst-carol"}


@pytest.mark.parametrize("terms", [{"base_stations": ("bst-carl",)}, {"operators": ("north",)}])
def test_an_order_says_at_which_base_stations_and_operators_it_is_valid(world: World, terms: dict[str, Any]) -> None:
    world.buy("alice", 5_000)
    world.offer("alice", **terms)
    assert refused(world.admit("bob", to="alice", at="bst-carol")) is Refusal.ORDER_NOT_HERE
    assert isinstance(world.admit("bob", to="alice", at="bst-carl"), Admitted)


def test_money_is_asked_of_those_only_who_accept_the_price(world: World) -> None:
    world.buy("alice", 5_000)
    world.offer("alice", price=PRICE)
    assert refused(world.admit("bob", to="alice")) is Refusal.PRICE_TOO_HIGH
    assert refused(world.admit("bob", to="alice", most_per_gb=PRICE.per_gb - 1)) is Refusal.PRICE_TOO_HIGH
    assert refused(world.admit("bob", to="alice", most_per_gb=PRICE.per_gb, currency="USD")) is Refusal.PRICE_TOO_HIGH
    assert isinstance(world.admit("bob", to="alice", most_per_gb=PRICE.per_gb), Admitted)


def test_the_suppliers_terminal_leads_to_its_subscriber_unless_it_was_revoked(market: World) -> None:
    market.offer("alice", terminal="trm-alice")
    gateway = online(market, "bob", to="trm-alice")
    gateway.finish()
    terminal = market.decide(partial(find_terminal, id="trm-alice"))
    assert terminal is not None
    market.decide(partial(revoke, terminal=terminal))
    assert refused(market.admit("bob", to="trm-alice")) is Refusal.TERMINAL_REVOKED


# -- best offer here


def test_best_offer_is_what_is_due_by_offset_then_the_price_then_the_age(world: World) -> None:
    for name in ("alice", "anna", "bella"):
        world.buy(name, 9_000)
    dear = world.offer("alice", price=PRICE)
    world.clock.advance(1)
    cheap = world.offer("anna", price=Price(unit="EUR", per_gb=PRICE.per_gb // 2))
    offered_by = ("alice", "anna", "bella")
    accepts = {"most_per_gb": PRICE.per_gb, "offered_by": offered_by}
    gateway = online(world, "bob", **accepts)
    assert gateway.admitted.order == cheap.id, "the lower price"
    gateway.finish()
    world.clock.advance(1)
    owed = world.offer("bella")
    gateway = online(world, "bob", **accepts)
    assert gateway.admitted.order == owed.id, "octet for octet costs no money"
    gateway.finish()
    world.buy("bob", 9_000)
    world.offer("bob", price=PRICE)
    gateway = online(world, "alice", to="bob", most_per_gb=PRICE.per_gb)
    gateway.pass_(10)
    gateway.finish()
    world.deliver()
    gateway = online(world, "bob", **accepts)
    assert gateway.admitted.order == dear.id, "alice owes bob money, so her dear order is what he has coming"


def test_the_older_of_two_equal_orders_is_used_first(world: World) -> None:
    world.buy("alice", 9_000)
    old = world.offer("alice")
    world.clock.advance(1)
    world.offer("alice")
    assert online(world, "bob", offered_by=("alice",)).admitted.order == old.id


# -- a person with a passcode


def demand(world: World, name: str = "bob", total: int = 500) -> DemandOrder:
    order = DemandOrder(
        owner=Owner(f"subscriber/{name}"),
        id=f"dem-{name}",
        total=Octets(total),
        passcode_page=passcode_page("PASS-CODE"),
        opened_at=world.clock.now(),
    )
    return world.done(partial(open_demand, order=order))


def test_whoever_knows_the_passcode_goes_online_within_the_demand_order(market: World) -> None:
    demand(market, total=500)
    admission = Admission(passcode="pass code", wish=Wish(supplier=market.code("alice")))
    admitted = market.ask(admission)
    assert isinstance(admitted, Admitted)
    assert (admitted.demander, admitted.octets) == ("bob", 500)
    gateway = Gateway(market, admitted)
    gateway.pass_(500)
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.DEMAND_OBTAINED
    gateway.finish()
    market.deliver()
    again = market.ask(admission)
    assert refused(again) is Refusal.DEMAND_OBTAINED
    assert isinstance(again, Refused)
    assert again.sentence == "dem-bob asks for no more than 500 octets here, and bob has been granted them."
    assert "ask bob" not in again.cure, "it is bob who reads it"


def served(world: World, admission: Admission, *, at: str = "bst-carol") -> Gateway:
    admitted = world.ask(admission, at=at)
    assert isinstance(admitted, Admitted)
    return Gateway(world, admitted, station=at)


def fall_silent(world: World) -> None:
    for _ in range(2):
        world.clock.advance(30 * MINUTE)
        world.sweep()


def test_late_reports_never_take_a_demand_order_beyond_its_total(world: World) -> None:
    """Two base stations fall silent one after the other, and only when the demander was served at a third do they report."""
    world.buy("alice", 9_000)
    world.offer("alice", 9_000)
    demand(world, total=2_500)
    admission = Admission(passcode="PASS-CODE", wish=Wish(supplier=world.code("alice")))
    first = served(world, admission)
    fall_silent(world)
    second = served(world, admission, at="bst-carl")
    second.pass_(200)
    fall_silent(world)
    third = served(world, admission)
    third.say("intermediate")
    assert third.room() == 500, "each of the two may still have used 1,000"
    third.pass_(500)
    third.finish()
    fall_silent(world)
    assert refused(world.ask(admission)) is Refusal.DEMAND_OBTAINED
    first.pass_(1_000)
    second.pass_(700)
    world.deliver()
    assert world.obtained("bob") == 2_400
    assert refused(world.ask(admission)) is Refusal.DEMAND_OBTAINED, "100 are with the second one still"
    world.clock.advance(31 * DAY)
    world.sweep()
    world.buy("alice", 5_000)
    assert served(world, admission).room() == 100, "and free again once no report of it can come"


def test_a_demand_order_counts_what_is_on_its_way_to_it(market: World) -> None:
    demand(market, total=500)
    admission = Admission(passcode="PASS-CODE", wish=Wish(supplier=market.code("alice")))
    gateway = served(market, admission)
    gateway.pass_(400)
    gateway.finish()
    again = market.ask(admission)
    assert isinstance(again, Admitted)
    assert again.octets == 100
    market.deliver()
    assert market.ask(admission) == again, "a repeat is told the same"


def test_who_came_with_a_passcode_is_granted_no_more_once_its_order_was_stopped(market: World) -> None:
    order = demand(market)
    admitted = market.ask(Admission(passcode="PASS-CODE", wish=Wish(supplier=market.code("alice"))))
    assert isinstance(admitted, Admitted)
    gateway = Gateway(market, admitted)
    gateway.pass_(100)
    market.decide(partial(stop_demand, order=order))
    gateway.say("intermediate", returns=(gateway.held[0].quota,))
    assert (gateway.refusal, gateway.room()) == (Refusal.ORDER_STOPPED, 0)
    gateway.finish()
    market.deliver()
    assert market.obtained("bob") == 100


def test_a_wrong_passcode_and_one_of_a_stopped_order_are_refused(market: World) -> None:
    order = demand(market)
    unknown = market.ask(Admission(passcode="PASS-WORD"))
    assert refused(unknown) is Refusal.UNKNOWN_PASSCODE
    assert isinstance(unknown, Refused)
    assert "`qanat demand open`" in unknown.cure
    market.decide(partial(stop_demand, order=order))
    assert refused(market.ask(Admission(passcode="PASS-CODE"))) is Refusal.ORDER_STOPPED
