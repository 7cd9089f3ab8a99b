"""Trades: promised, reported, recalled, ended; and base stations that report what they must not."""

from __future__ import annotations

from functools import partial

import pytest
from tests.exchange.world import POLICY, PRICE, Gateway, World, online, refused

from qanat.charging.metering import JournalMark
from qanat.charging.session import Session
from qanat.exchange import disputes
from qanat.exchange.booking import pay, receive
from qanat.exchange.bounds import left_in
from qanat.exchange.clearing import ClearingRecord
from qanat.exchange.disputes import Dispute, Ways
from qanat.exchange.obligations import net_owed, statement
from qanat.exchange.orders import DemandOrder, SupplyOrder, find_supply, open_demand, passcode_page
from qanat.exchange.prices import GIGABYTE, Price
from qanat.exchange.recall import recalled_at
from qanat.exchange.trades import TRANSITIONS, Event, State, Trade, Visit, find_trade, step
from qanat.ledger.book import available
from qanat.ledger.transit import parcels_of
from qanat.ledger.work import Work
from qanat.refusals import Refusal
from qanat.registry.base_stations import find_base_station, revoke_base_station
from qanat.registry.names import base_station_owner, subscriber_owner, terminal_owner
from qanat.registry.terminals import Terminal, find_terminal, revoke
from qanat.registry.wallets import pay_into_wallet
from qanat.server.http import translate_trades as translate
from qanat.units import DAY, HOUR, MAX_PUBLIC_OCTETS, MINUTE, Instant, Millis, MinorUnits, Octets
from qanat.wire.agent import InterrogationAnswer, UsageReport
from qanat.wire.base_station import Admission, Admitted, TradeCount

CAROL = base_station_owner("bst-carol")


@pytest.fixture
def market(world: World) -> World:
    world.buy("alice", 5_000)
    world.offer("alice", 3_000)
    return world


def order_of(world: World, gateway: Gateway) -> SupplyOrder:
    found = world.desk.get(SupplyOrder, subscriber_owner("alice"), gateway.admitted.order)
    assert found is not None
    return found


def test_what_passed_is_the_suppliers_and_at_the_end_the_demander_has_obtained_it(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.pass_(400)
    assert market.bucket_octets("alice") == 4_600, "posted as the base station reports, not at the end"
    assert (market.given("alice"), market.obtained("bob")) == (0, 0)
    gateway.finish()
    market.deliver()
    assert (market.given("alice"), market.obtained("bob")) == (400, 400)
    assert market.decide(partial(net_owed, debtor="bob", creditor="alice", unit="octets")) == 400
    assert order_of(market, gateway).given == 400


def ended(world: World) -> World:
    world.buy("alice", 5_000)
    world.offer("alice", 3_000)
    gateway = online(world, "bob", to="alice")
    gateway.pass_(400)
    gateway.finish()
    return world


def in_the_post(world: World) -> list[str]:
    return [parcel.act for parcel in world.decide(partial(parcels_of, owner=subscriber_owner("alice")))]


def test_where_one_commit_holds_both_pages_the_decision_that_ends_a_trade_books_it() -> None:
    world = ended(World(one_commit=True))
    assert in_the_post(world) == []
    assert (world.given("alice"), world.obtained("bob")) == (400, 400)
    assert world.desk.audit().problems == []


def test_on_several_machines_a_trade_is_booked_by_post_once() -> None:
    world = ended(World(one_commit=False))
    assert in_the_post(world) == ["given", "obtained from"]
    assert (world.given("alice"), world.obtained("bob")) == (0, 0)
    world.deliver()
    assert (world.given("alice"), world.obtained("bob")) == (400, 400)


def test_what_is_booked_while_something_is_in_the_post_goes_behind_it() -> None:
    """As after a copy from several machines to one."""
    world = ended(World(one_commit=False))
    world.desk.one_commit = True
    ended(world)
    assert in_the_post(world) == ["given", "obtained from", "given"]
    world.deliver()
    ended(world)
    assert in_the_post(world) == []
    assert (world.given("alice"), world.obtained("bob")) == (1_200, 1_200)


def test_a_session_is_granted_the_smaller_of_order_and_supplier_to_the_last_octet(world: World) -> None:
    world.buy("alice", 1_500)
    world.offer("alice", 9_000)
    gateway = online(world, "bob", to="alice")
    gateway.say("intermediate")
    assert gateway.room() == 1_500
    assert [quota.final for quota in gateway.held] == [False, True]
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.SUPPLIER_SHORT
    gateway.pass_(1_500)
    gateway.say("intermediate")
    gateway.finish()
    world.deliver()
    assert (world.bucket_octets("alice"), world.obtained("bob")) == (0, 1_500)


def test_a_grant_never_outlives_its_order(world: World) -> None:
    world.buy("alice", 5_000)
    until = Instant(world.clock.now() + MINUTE)
    world.offer("alice", until=until)
    assert [quota.valid_until for quota in online(world, "bob", to="alice").held] == [until]


def test_two_demanders_on_one_order_never_have_more_than_it_holds(world: World) -> None:
    world.buy("alice", 9_000)
    world.offer("alice", 1_700)
    bob, bella = online(world, "bob", to="alice"), online(world, "bella", to="alice", octets=700)
    assert (bob.room(), bella.room()) == (1_000, 700)
    bob.say("intermediate")
    assert bob.refusal == Refusal.ORDER_EXHAUSTED
    bob.pass_(1_000)
    bella.pass_(700)
    for gateway in (bob, bella):
        gateway.finish()
    world.deliver()
    assert world.given("alice") == 1_700


def test_two_demanders_of_one_day_never_have_more_than_that_day_holds(world: World) -> None:
    world.buy("alice", 9_000)
    world.offer("alice", 9_000, per_day=Octets(1_700))
    bob, bella = online(world, "bob", to="alice"), online(world, "bella", to="alice", octets=700)
    assert (bob.room(), bella.room()) == (1_000, 700)
    bob.say("intermediate")
    assert bob.refusal == Refusal.ORDER_USED_UP_TODAY


def test_a_base_station_that_died_binds_the_bound_of_the_day_on_which_it_did_and_of_no_other(world: World) -> None:
    """What it may still report stays promised of the order in all, and counts on no later day when it does."""

    def left() -> int:
        return world.decide(partial(left_in, order=world.done(partial(find_supply, supplier="alice", id=order.id))))

    world.buy("alice", 9_000)
    order = world.offer("alice", 9_000, per_day=Octets(1_200))
    lost = online(world, "bob", to="alice")
    lost.pass_(300)
    assert left() == 200
    world.clock.advance(20 * MINUTE)
    assert refused(world.admit("bob", to="alice", at="bst-carl")) is Refusal.TERMINAL_ELSEWHERE
    world.sweep()
    assert refused(world.admit("bob", to="alice", octets=300)) is Refusal.ORDER_USED_UP_TODAY
    assert left() == 200
    world.clock.advance(DAY)
    assert left() == 1_200, "come back after midnight UTC, it was told"
    trade_between(world, "alice", "bob", 1_000)
    assert left() == 200
    lost.send(lost.row(lost.held[0].quota, 400))
    world.deliver()
    assert (world.given("alice"), left()) == (1_700, 200)
    assert order_of(world, lost).silent == order_of(world, lost).promised == 300
    world.clock.advance(31 * DAY)
    world.sweep()
    assert (order_of(world, lost).silent, order_of(world, lost).promised, left()) == (0, 0, 1_200)


def test_a_day_that_has_begun_does_not_begin_anew_when_the_clock_is_set_back_over_midnight(world: World) -> None:
    def left() -> int | None:
        return world.done(partial(find_supply, supplier="alice", id=order.id)).left_today(world.clock.now())

    world.clock.jump(DAY - world.clock.now() % DAY)
    world.buy("alice", 9_000)
    order = world.offer("alice", 9_000, per_day=Octets(4_000))
    trade_between(world, "alice", "bob", 1_000)
    world.clock.jump(-HOUR)
    assert left() == 3_000
    trade_between(world, "alice", "bella", 1_000)
    world.clock.jump(HOUR)
    assert left() == 2_000
    world.clock.jump(DAY)
    assert left() == 4_000


def test_a_demander_gets_no_more_than_it_wished_for(market: World) -> None:
    gateway = online(market, "bob", to="alice", octets=1_200)
    gateway.say("intermediate")
    assert gateway.room() == 1_200
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.DEMAND_OBTAINED
    gateway.finish()


def test_repeating_a_question_gives_the_same_quota_and_promises_it_once(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    first = gateway.say("intermediate")
    promised = market.trade(gateway.admitted).promised
    gateway.pass_(1_300)
    again = gateway.say("intermediate", repeat=True)
    assert isinstance(first, InterrogationAnswer)
    assert isinstance(again, InterrogationAnswer)
    assert again.quotas == first.quotas
    assert sum(market.trade(gateway.admitted).promised.values()) == sum(promised.values()) - 1_300
    gateway.finish()


def test_a_supplier_who_stops_recalls_what_runs_and_gets_the_rest_back(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.pass_(250)
    market.stop(order_of(market, gateway))
    assert market.decide(partial(recalled_at, base_station="bst-carol")) == [gateway.admitted.trade]
    gateway.pass_(50)  # what was under way when the recall arrived
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.ORDER_STOPPED
    gateway.finish()
    market.deliver()
    assert market.decide(partial(recalled_at, base_station="bst-carol")) == []
    assert (market.bucket_octets("alice"), market.obtained("bob")) == (4_700, 300)
    assert market.decide(partial(available, owner=subscriber_owner("alice"))) == 4_700


def test_stopping_twice_changes_nothing(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    market.stop(order_of(market, gateway))
    once = len(market.desk.entries)
    stopped_at = order_of(market, gateway).stopped_at
    market.clock.advance(1)
    market.stop(order_of(market, gateway))
    assert order_of(market, gateway).stopped_at == stopped_at
    assert len(market.desk.entries) >= once
    gateway.finish()


def test_a_base_station_revoked_in_mid_trade_is_granted_nothing_more_and_still_reports(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    station = market.decide(partial(find_base_station, id="bst-carol"))
    assert station is not None
    market.decide(partial(revoke_base_station, base_station=station))
    gateway.pass_(100)
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.BASE_STATION_REVOKED
    gateway.finish()
    market.deliver()
    assert market.obtained("bob") == 100


@pytest.mark.parametrize("name", ["trm-bob", "trm-alice"])
def test_a_terminal_revoked_in_mid_trade_ends_what_is_granted(world: World, name: str) -> None:
    world.buy("alice", 5_000)
    world.offer("alice", 3_000, terminal="trm-alice")
    gateway = online(world, "bob", to="trm-alice")
    terminal = world.decide(partial(find_terminal, id=name))
    assert terminal is not None
    world.decide(partial(revoke, terminal=terminal))
    gateway.pass_(100)
    gateway.say("intermediate")
    assert gateway.refusal == Refusal.TERMINAL_REVOKED
    gateway.finish()
    world.deliver()
    assert world.obtained("bob") == 100


# -- reports


def test_a_report_repeated_reordered_or_shrunk_counts_once(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    quota = gateway.held[0].quota
    rows = [gateway.row(quota, 100), gateway.row(quota, 200), gateway.row(quota, 50)]
    for batch in (rows[2:], rows, rows[:1], rows, [gateway.raw_row(quota, 10, seq=4)], rows):
        gateway.send(*batch)
    assert market.trade(gateway.admitted).counted == 350
    assert market.bucket_octets("alice") == 4_650
    gateway.finish()


def test_journals_of_two_base_stations_are_two_journals_whatever_they_are_called(market: World) -> None:
    gateways = [online(market, "bob", to="alice"), online(market, "bella", to="alice", at="bst-carl")]
    for gateway in gateways:
        gateway.journal = "journal"
        gateway.pass_(100)
        gateway.finish()
    market.deliver()
    assert (market.obtained("bob"), market.obtained("bella")) == (100, 100)


def test_what_a_base_station_returns_in_mid_trade_is_promised_no_more(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.pass_(300)
    gateway.say("intermediate", returns=(gateway.held[0].quota,))
    assert market.trade(gateway.admitted).promised == {quota.quota: quota.octets for quota in gateway.held}
    assert order_of(market, gateway).promised == gateway.room()


def test_a_report_that_was_cut_off_between_two_suppliers_is_simply_sent_again(world: World) -> None:
    for name in ("alice", "anna"):
        world.buy(name, 5_000)
        world.offer(name)
    bob = online(world, "bob", to="alice")
    bella = online(world, "bella", to="anna")
    rows = [bob.row(bob.held[0].quota, 300)]
    bella.seq = bob.seq
    rows.append(bella.row(bella.held[0].quota, 200))
    report = UsageReport(journal="shared", floor=0, rows=rows)
    divided = world.decide(partial(translate.rows_by_supplier, base_station="bst-carol", message=report))
    assert sorted(divided) == ["alice", "anna"]
    count = partial(translate.count_rows, base_station="bst-carol")
    world.decide(partial(count, supplier="alice", message=divided["alice"]))
    for _ in range(2):  # the crash came here; now everything is sent again
        for supplier, part in divided.items():
            world.decide(partial(count, supplier=supplier, message=part))
        confirmed = world.decide(partial(translate.confirm, base_station="bst-carol", message=report))
    assert confirmed.acked == 2  # type: ignore[union-attr]
    assert (world.bucket_octets("alice"), world.bucket_octets("anna")) == (4_700, 4_800)


def test_what_is_reported_beyond_the_grants_is_the_base_stations_own_debt_and_a_dispute_all_three_see(
    market: World,
) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.send(gateway.row(gateway.held[0].quota, 1_300))
    gateway.finish()
    market.deliver()
    assert market.bucket_octets("alice") == 4_000, "the supplier pays what was granted"
    assert market.account(CAROL, "debt") == -300
    assert (market.given("alice"), market.obtained("bob")) == (1_000, 1_000)
    for owner in (subscriber_owner("alice"), subscriber_owner("bob"), CAROL):
        (dispute,) = market.desk.all(Dispute, owner)
        assert (dispute.about, dispute.ledger, dispute.by_base_station) == ("over-reported", 1_000, 1_300)


def test_what_a_base_station_owes_never_outgrows_its_account_however_fast_it_reports(market: World) -> None:
    """What is on its way to its own page counts as if it were there."""
    gateway = online(market, "bob", to="alice")
    report = UsageReport(journal="j", floor=0, rows=[gateway.row(gateway.held[0].quota, MAX_PUBLIC_OCTETS)])
    count = partial(translate.count_rows, base_station="bst-carol", supplier="alice")
    market.done(partial(count, message=report))
    again = UsageReport(journal="another", floor=0, rows=report.rows)
    assert refused(market.decide(partial(count, message=again))) is Refusal.IMPLAUSIBLE_USAGE
    market.deliver()
    market.done(partial(count, message=again))
    gateway.finish()


def test_reporting_for_a_trade_that_never_was_here_is_the_base_stations_own_debt(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    elsewhere = Gateway.__new__(Gateway)
    elsewhere.world, elsewhere.station, elsewhere.journal = market, "bst-carl", "j-carl"
    elsewhere.used, elsewhere.seq = {}, 0
    for quota in ("trd-unknown.0", gateway.held[0].quota):
        elsewhere.send(elsewhere.row(quota, 70))
        elsewhere.send(elsewhere.raw_row(quota, 70))
    market.deliver()
    assert market.account(base_station_owner("bst-carl"), "debt") == -140
    assert market.bucket_octets("alice") == 5_000
    gateway.finish()


def test_reporting_after_its_own_end_is_the_base_stations_own_debt(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    quota = gateway.held[0].quota
    gateway.pass_(100)
    gateway.finish()
    gateway.send(gateway.row(quota, 40))
    market.deliver()
    assert market.account(CAROL, "debt") == -40
    assert (market.bucket_octets("alice"), market.obtained("bob")) == (4_900, 100)


def test_a_report_that_was_late_because_the_server_was_away_is_booked_as_a_further_piece(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.pass_(100)
    rows = [gateway.row(gateway.held[0].quota, 600)]
    for _ in range(4):
        market.clock.advance(HOUR)
        market.sweep()
    trade = market.trade(gateway.admitted)
    assert (trade.state, trade.cause, market.obtained("bob")) == (State.ENDED, "expired", 100)
    session = market.desk.get(Session, subscriber_owner("alice"), gateway.admitted.trade)
    assert session is None or not session.reservations
    gateway.send(*rows)
    market.deliver()
    assert (market.bucket_octets("alice"), market.obtained("bob"), market.given("alice")) == (4_300, 700, 700)
    assert market.account(CAROL, "debt") == 0
    assert market.trade(gateway.admitted).bookings == 2


def test_a_trade_booked_in_pieces_costs_what_it_costs_in_one(world: World) -> None:
    """Each half alone comes to less than the smallest coin."""
    world.buy("alice", 5_000)
    price = Price(unit="EUR", per_gb=1_500_000)
    world.offer("alice", price=price)
    gateway = online(world, "bob", to="alice", currency="EUR", most_per_gb=price.per_gb)
    quota = gateway.held[0].quota
    for octets in (500, 1_000):
        world.clock.advance(2 * HOUR)
        world.sweep()
        gateway.send(gateway.row(quota, 500))
        world.deliver()
        assert world.trade(gateway.admitted).booked == octets
    owed = world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="EUR"))
    assert owed == 1


def test_many_small_trades_of_two_cost_what_one_large_trade_costs(world: World) -> None:
    """Each alone comes to three quarters of the smallest coin. What each of a pair supplies is a sum of its own."""
    price = Price(unit="EUR", per_gb=1_500_000)
    for name in ("alice", "bob"):
        world.buy(name, 5_000)
        world.offer(name, price=price)
    for trades in range(1, 9):
        trade_between(world, "alice", "bob", 500, currency="EUR", most_per_gb=price.per_gb)
        owed = world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="EUR"))
        assert owed == trades * 500 * price.per_gb // GIGABYTE
    trade_between(world, "bob", "alice", 500, currency="EUR", most_per_gb=price.per_gb)
    assert world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="EUR")) == 6
    cleared = [one for _, _, entry in world.desk.entries for one in entry.put if isinstance(one, ClearingRecord)]
    assert (sum(one.amount for one in cleared), len(cleared)) == (6, 9)


def test_what_a_base_station_neither_used_nor_returned_is_free_again_when_it_ends_the_trade(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.say("final")
    assert market.trade(gateway.admitted).promised == {}
    assert order_of(market, gateway).promised == 0


def test_a_late_report_counts_what_is_new_however_many_quotas_its_journal_has_seen_since(world: World) -> None:
    """One journal for all of a base station's trades, as another maker's may keep it."""
    world.buy("alice", 90_000)
    world.offer("alice", 90_000)
    silent = online(world, "bob", to="alice")
    silent.journal = "one"
    silent.pass_(100)
    for _ in range(4):
        world.clock.advance(HOUR)
        world.sweep()
    busy = online(world, "bella", to="alice")
    busy.journal, busy.seq = "one", silent.seq
    for _ in range(40):
        busy.pass_(1_000)
        busy.say("intermediate", returns=(busy.held[0].quota,))
    silent.seq = busy.seq
    silent.send(silent.row(next(iter(silent.used)), 500))
    world.deliver()
    assert (world.trade(silent.admitted).counted, world.account(CAROL, "debt")) == (600, 0)
    busy.finish()


def used_by(world: World, name: str) -> int:
    return world.account(subscriber_owner(name), "used")


def test_a_crash_between_counting_and_confirming_doubles_nothing_even_if_the_trade_is_forgotten_then(
    market: World,
) -> None:
    """The report is sent again a moment after the month in which its trade was known."""
    gateway = online(market, "bob", to="alice")
    for _ in range(3):
        market.clock.advance(HOUR)
        market.sweep()
    row = gateway.row(gateway.held[0].quota, 600)
    report = UsageReport(journal=gateway.journal, floor=0, rows=[row])
    market.done(partial(translate.count_rows, base_station="bst-carol", supplier="alice", message=report))
    for _ in range(2):  # the crash came here
        market.clock.advance(31 * DAY)
        market.sweep()
    gateway.send(row)
    market.deliver()
    assert (used_by(market, "alice"), market.account(CAROL, "debt")) == (600, 0)
    gateway.send(gateway.row(row.quota, 50))
    assert market.account(CAROL, "debt") == -50, "what is new comes too late to be anybody else's"


def test_a_trade_that_is_forgotten_while_a_report_of_it_is_taken_is_known_no_more(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    for _ in range(3):
        market.clock.advance(HOUR)
        market.sweep()
    report = UsageReport(journal="j", floor=0, rows=[gateway.row(gateway.held[0].quota, 600)])
    divided = market.decide(partial(translate.rows_by_supplier, base_station="bst-carol", message=report))
    market.clock.advance(31 * DAY)
    market.sweep()
    count = partial(translate.count_rows, base_station="bst-carol")
    for supplier, part in divided.items():
        market.done(partial(count, supplier=supplier, message=part))
    market.done(partial(translate.confirm, base_station="bst-carol", message=report))
    assert (used_by(market, "alice"), market.account(CAROL, "debt")) == (0, -600)


def test_what_was_promised_and_never_reported_is_free_again_when_the_trade_is_forgotten(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.pass_(100)
    assert gateway.room() == 900
    for _ in range(3):
        market.clock.advance(HOUR)
        market.sweep()
    assert order_of(market, gateway).promised == 900, "a late report may still come"
    market.clock.advance(31 * DAY)
    market.sweep()
    assert order_of(market, gateway).promised == 0
    assert market.desk.all(JournalMark, subscriber_owner("alice")) == [], "a journal is known as long as its trades"
    assert market.decide(partial(find_trade, supplier="alice", id=gateway.admitted.trade)) is None


def test_a_late_report_is_taken_for_as_long_as_the_trade_is_known(market: World) -> None:
    """It is known thirty days from its end, the base station's own note of it thirty from its beginning."""
    gateway = online(market, "bob", to="alice")
    row = gateway.row(gateway.held[0].quota, 600)
    for passing in (HOUR, HOUR, 30 * DAY - HOUR - MINUTE):
        market.clock.advance(passing)
        market.sweep()
    gateway.send(row)
    market.deliver()
    assert (market.obtained("bob"), market.account(CAROL, "debt")) == (600, 0)


def test_an_admission_that_never_became_a_session_ends_by_itself(market: World) -> None:
    admitted = market.admit("bob", to="alice")
    market.clock.advance(HOUR)
    market.sweep()
    assert not market.trade(admitted).running  # type: ignore[arg-type]
    assert online(market, "bob", to="alice", at="bst-carl").held


def test_an_ended_trade_is_not_opened_again_however_late(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.finish()
    for _ in range(2):
        market.clock.advance(26 * HOUR)
        market.sweep()
    assert market.desk.get(Session, subscriber_owner("alice"), gateway.admitted.trade) is None
    assert refused(gateway.say("first")) is Refusal.SESSION_CLOSED


@pytest.mark.parametrize("silent", [HOUR, 2 * DAY])
@pytest.mark.parametrize("whose", ["supplier", "demander"])
def test_a_base_station_that_was_silent_is_told_which_order_expired_meanwhile(
    world: World, whose: str, silent: Millis
) -> None:
    """A new session would be refused; the first of them forgets the session, not the trade."""
    until = Instant(world.clock.now() + MINUTE)
    world.buy("alice", 5_000)
    world.offer("alice", 3_000, until=until if whose == "supplier" else None)
    demand = DemandOrder(
        owner=subscriber_owner("bob"),
        id="dem-bob",
        total=Octets(500),
        passcode_page=passcode_page("PASS-CODE"),
        until=until if whose == "demander" else None,
        opened_at=world.clock.now(),
    )
    world.done(partial(open_demand, order=demand))
    admitted = world.ask(Admission(passcode="PASS-CODE"), offered_by=("alice",))
    assert isinstance(admitted, Admitted)
    gateway = Gateway(world, admitted)
    gateway.pass_(100)
    for _ in range(2):
        world.clock.advance(silent)
        world.sweep()
    assert world.trade(admitted).cause == "expired"
    for kind in ("intermediate", "final"):
        answer = gateway.say(kind)
        reason = gateway.refusal if isinstance(answer, InterrogationAnswer) else refused(answer)
        assert reason == Refusal.ORDER_EXPIRED
    world.deliver()
    assert world.obtained("bob") == 100


def test_a_base_station_can_say_nothing_about_anothers_trade(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.station = "bst-carl"
    assert refused(gateway.say("intermediate")) is Refusal.UNKNOWN_SESSION
    gateway.station = "bst-carol"
    gateway.number -= 1
    gateway.finish()


# -- three-way reconciliation


def terminal_says(world: World, gateway: Gateway, octets: int, *, in_vain: int = 0) -> bool | None:
    """As the gateway counts: half of them up; and so many more that were sent and not forwarded."""
    terminal = world.desk.get(Terminal, terminal_owner("trm-bob"), "trm-bob")
    assert terminal is not None
    message = TradeCount(trade=gateway.admitted.trade, up=octets // 2 + in_vain, down=octets - octets // 2)
    counted = world.done(partial(translate.terminal_count, terminal=terminal, message=message))
    return counted.agrees


def test_the_tolerance_between_terminal_and_base_station_is_what_a_network_loses() -> None:
    forwarded = Ways(Octets(1_000_000_000), Octets(1_000_000_000))

    def tolerated(*, up: int, down: int) -> bool:
        seen = Ways(Octets(forwarded.up + up), Octets(forwarded.down + down))
        return disputes.tolerated(forwarded=forwarded, seen=seen)

    lost = disputes.SLACK + 1_400_000
    assert tolerated(up=0, down=-lost)
    assert not tolerated(up=0, down=-lost - 1)
    assert not tolerated(up=-lost - 1, down=0), "nobody can forward what was not sent"
    assert not tolerated(up=-lost, down=-1)
    assert tolerated(up=0, down=disputes.SLACK)
    assert not tolerated(up=0, down=disputes.SLACK + 1), "nobody can receive what was not forwarded"
    assert tolerated(up=1_000_000_000, down=0), "what met a shut gate was sent in vain"
    assert not tolerated(up=1_000_000_000, down=-lost - 1), "and makes up for nothing on the way down"


def test_what_a_terminal_sends_at_a_gate_that_was_shut_is_no_dispute(world: World) -> None:
    world.buy("alice", 5_000)
    world.offer("alice", 3_000)
    gateway = online(world, "bob", to="alice")
    gateway.pass_(800)
    gateway.finish()
    world.deliver()
    assert terminal_says(world, gateway, 800, in_vain=2_000_000) is True
    assert world.desk.all(Dispute, subscriber_owner("alice")) == []


def test_a_terminal_that_saw_much_less_opens_a_dispute_that_can_be_settled(world: World) -> None:
    policy_step = POLICY.quota_octets
    world.buy("alice", 1_000_000)
    world.offer("alice", 1_000_000)
    gateway = online(world, "bob", to="alice")
    for _ in range(100):
        gateway.pass_(policy_step)
        done = gateway.held[0].quota
        gateway.say("intermediate", returns=(done,))
    assert terminal_says(world, gateway, 10) is None, "not judged while the trade runs"
    gateway.finish()
    world.deliver()
    assert terminal_says(world, gateway, 20) is False
    assert terminal_says(world, gateway, 20) is False
    world.deliver()
    for owner in (subscriber_owner("alice"), subscriber_owner("bob"), CAROL):
        (dispute,) = world.desk.all(Dispute, owner)
        assert (dispute.about, dispute.by_base_station, dispute.by_terminal) == ("counts differ", 100_000, 20)
    world.decide(partial(disputes.settle_dispute, dispute=dispute, note="a firewall dropped it"))
    world.deliver()
    assert all(
        world.desk.all(Dispute, owner)[0].note == "a firewall dropped it"
        for owner in (subscriber_owner("alice"), subscriber_owner("bob"), CAROL)
    )


def test_of_two_operators_who_settle_a_dispute_at_once_the_earlier_is_heard_by_everybody(market: World) -> None:
    gateway = online(market, "bob", to="alice")
    gateway.send(gateway.row(gateway.held[0].quota, 1_300))
    gateway.finish()
    market.deliver()
    for name in ("bob", "alice"):  # whose parcels cross
        (dispute,) = market.desk.all(Dispute, subscriber_owner(name))
        market.clock.advance(1)
        market.decide(partial(disputes.settle_dispute, dispute=dispute, note=f"said with {name}"))
    market.deliver()
    copies = [
        market.desk.all(Dispute, owner)[0] for owner in (subscriber_owner("alice"), subscriber_owner("bob"), CAROL)
    ]
    assert {copy.note for copy in copies} == {"said with bob"}


def test_a_late_report_that_makes_the_counts_fit_is_seen_on_the_dispute(world: World) -> None:
    """The base station was cut off while its demander used what it had, left and told its count."""
    world.buy("alice", 1_000_000)
    world.offer("alice", 1_000_000)
    gateway = online(world, "bob", to="alice")
    for _ in range(199):
        gateway.say("intermediate")
    rows = [gateway.row(quota.quota, quota.octets) for quota in gateway.held]
    for _ in range(2):
        world.clock.advance(HOUR)
        world.sweep()
    assert terminal_says(world, gateway, 200_000) is False
    world.deliver()
    gateway.send(*rows)
    world.deliver()
    for owner in (subscriber_owner("alice"), subscriber_owner("bob"), CAROL):
        (dispute,) = world.desk.all(Dispute, owner)
        assert (dispute.ledger, dispute.by_base_station, dispute.by_terminal) == (200_000, 200_000, 200_000)


def test_a_terminal_may_tell_its_count_after_it_has_gone_elsewhere(market: World) -> None:
    first = online(market, "bob", to="alice")
    first.pass_(500)
    first.finish()
    market.deliver()
    second = online(market, "bob", to="alice", at="bst-carl")
    assert terminal_says(market, first, 500) is True
    second.finish()


def test_a_terminal_may_tell_its_count_after_it_has_gone_elsewhere_though_nothing_was_reported_yet(
    market: World,
) -> None:
    """The base station fell silent, so that its trade ended with nothing booked, and comes back last."""
    market.buy("alice", 100_000)
    market.offer("alice", 100_000)
    silent = online(market, "bob", to="alice")
    rows = [silent.row(silent.held[0].quota, 700)]
    for _ in range(4):
        market.clock.advance(HOUR)
        market.sweep()
    for _ in range(3):
        online(market, "bob", to="alice", at="bst-carl").finish()
    terminal_says(market, silent, 700)
    silent.send(*rows)
    trade = market.trade(silent.admitted)
    assert trade.seen_by_terminal == trade.counted == 700


def test_of_a_terminal_that_never_tells_its_counts_a_few_trades_are_remembered(market: World) -> None:
    for _ in range(12):
        online(market, "bob", to="alice").finish()
    visit = market.desk.get(Visit, subscriber_owner("bob"), "trm-bob")
    assert visit is not None
    assert len(visit.before) == 8


def test_a_terminal_counts_only_trades_it_took_part_in(market: World) -> None:
    gateway = online(market, "bella", to="alice")
    terminal = market.desk.get(Terminal, terminal_owner("trm-bob"), "trm-bob")
    assert terminal is not None
    message = TradeCount(trade=gateway.admitted.trade, up=1, down=1)
    assert (
        refused(market.decide(partial(translate.terminal_count, terminal=terminal, message=message)))
        is Refusal.UNKNOWN_SESSION
    )
    gateway.finish()


# -- obligations


def trade_between(world: World, supplier: str, demander: str, octets: int, **wish: object) -> None:
    gateway = online(world, demander, to=supplier, **wish)
    gateway.pass_(octets)
    gateway.finish()
    world.deliver()
    world.clock.advance(1)


def test_what_was_supplied_pays_for_what_is_received_later_oldest_first(world: World) -> None:
    for name in ("alice", "bob"):
        world.buy(name, 9_000)
        world.offer(name)
    for octets in (300, 200, 100):
        trade_between(world, "alice", "bob", octets)
    trade_between(world, "bob", "alice", 400)
    (shown,) = world.decide(partial(statement, subscriber="alice"))
    assert shown.other == "bob"
    assert shown.net == {"octets": 200}
    assert [(one.amount, one.left) for one in shown.obligations if one.debtor == "bob"] == [
        (300, 0),
        (200, 100),
        (100, 100),
    ]
    assert [offset.amount for offset in shown.offsets] == [300, 100]
    (mirrored,) = world.decide(partial(statement, subscriber="bob"))
    assert mirrored.net == {"octets": -200}
    assert mirrored.offsets == shown.offsets


def test_an_offset_that_is_more_than_what_is_owed_turns_the_obligation_round(world: World) -> None:
    for name in ("alice", "bob"):
        world.buy(name, 9_000)
        world.offer(name)
    trade_between(world, "alice", "bob", 100)
    trade_between(world, "bob", "alice", 250)
    assert world.decide(partial(net_owed, debtor="alice", creditor="bob", unit="octets")) == 150


def test_money_is_owed_paid_from_the_wallet_and_never_paid_twice(world: World) -> None:
    world.buy("alice", 9_000)
    world.offer("alice", price=PRICE)
    trade_between(world, "alice", "bob", 100, most_per_gb=PRICE.per_gb)
    bob = world.subscriber("bob")
    pay_200 = partial(pay, subscriber=bob, creditor="alice", currency="EUR", amount=MinorUnits(200), id="p1")
    assert refused(world.decide(pay_200)) is Refusal.WALLET_TOO_SMALL
    world.decide(partial(pay_into_wallet, subscriber=bob, amount=MinorUnits(500), currency="EUR"))
    too_much = partial(pay, subscriber=bob, creditor="alice", currency="EUR", amount=MinorUnits(201), id="p0")
    assert refused(world.decide(too_much)) is Refusal.NOTHING_OWED
    world.done(partial(pay_200, amount=MinorUnits(150)))
    assert refused(world.decide(partial(pay_200, id="p2"))) is Refusal.NOTHING_OWED, "it is on its way"
    world.done(partial(pay_200, id="p3", amount=MinorUnits(50)))
    assert refused(world.decide(partial(pay_200, id="p4", amount=MinorUnits(1)))) is Refusal.NOTHING_OWED
    posted = world.decide(partial(parcels_of, owner=subscriber_owner("bob")))
    assert len(posted) == 4
    for parcel in posted:  # here, and not yet taken out of the post
        world.decide(partial(receive, parcels=[parcel]))
    assert world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="EUR")) == 0
    world.deliver()
    assert world.account(subscriber_owner("bob"), "wallet-EUR") == 300
    assert world.account(subscriber_owner("alice"), "wallet-EUR") == 200
    assert refused(world.decide(pay_200)) is Refusal.NOTHING_OWED


# -- the table


def test_the_transition_table_says_it_all(market: World) -> None:
    for state in State:
        for event in Event:
            gateway = online(market, "bob", to="alice", at="bst-carl")
            trade = market.trade(gateway.admitted)
            before = trade if state is State.OPEN else _in(market, trade, state)
            after = market.decide(partial(step, trade=before, event=event))
            assert after.state is TRANSITIONS.get((state, event), state)
            gateway.say("final", returns=tuple(quota.quota for quota in gateway.held))
            market.decide(lambda work, id=trade.id: _end(work, id))  # type: ignore[misc]


def _in(world: World, trade: Trade, state: State) -> Trade:
    return world.decide(partial(step, trade=trade, event=Event.STOPPED if state is State.RECALLED else Event.FINAL))


def _end(work: Work, id: str) -> None:
    trade = find_trade(work, "alice", id)
    assert trade is not None
    step(work, trade, Event.FINAL)
