"""The holder against the small honest operator, step by step."""

from __future__ import annotations

from copy import deepcopy

import pytest
from tests.agents.operator import Counting
from tests.agents.world import World

from qanat.agents.actions import Note, Shut
from qanat.agents.holder import Holder
from qanat.agents.holding import Manner, Snapshot, whole_quotas
from qanat.agents.states import TRANSITIONS, Event, State
from qanat.clock import ManualClock
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport

MB = 1_000_000


def online(*, bought: int = 10 * MB, quota_octets: int = MB) -> World:
    world = World(bought=bought, quota_octets=quota_octets)
    world.start()
    world.settle()
    return world


def asked(world: World) -> list[tuple[str, int]]:
    return [(message.kind, message.number) for message in world.operator.asked]


def test_every_state_is_reached_and_left_by_the_table() -> None:
    sources = {state for state, _ in TRANSITIONS}
    assert sources == set(State)
    assert {event for _, event in TRANSITIONS} == set(Event)
    assert set(TRANSITIONS.values()) == set(State)


def test_terminal_goes_online_within_a_quota() -> None:
    world = online()
    assert asked(world) == [("first", 0)]
    assert world.live() == ["q1"]
    world.pass_octets(up=1000, down=2000)
    assert world.truth == 3000


def test_nothing_passes_before_the_first_quota_and_the_journal_speaks_first() -> None:
    world = World()
    world.start()
    world.pass_octets(up=1, down=1)
    assert world.truth == 0
    world.settle()
    assert world.disk.quotas["q1"].reserved == world.ceiling


def test_next_quota_is_waiting_before_the_first_runs_dry() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    world.settle()
    assert world.live() == ["q1", "q2"]
    world.pass_octets(up=0, down=300_000)
    assert world.truth == 1_100_000
    assert world.live() == ["q2"]


def test_octets_are_attributed_first_in_first_out() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    world.settle()
    world.pass_octets(up=150_000, down=150_000)
    world.stop()
    world.settle()
    assert world.operator.quotas["q1"].used == MB
    assert world.operator.quotas["q2"].used == 100_000


def test_stop_returns_the_remainder_and_clears_only_after_confirmation() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    world.stop()
    assert "q1" in world.disk.quotas
    assert world.disk.rows
    world.settle()
    assert world.disk.quotas == {}
    assert world.disk.rows == {}
    assert world.operator.available == 10 * MB - 5000


def test_an_answer_to_an_earlier_question_clears_nothing_that_is_on_its_way_back() -> None:
    world = World()
    world.start()
    first = deepcopy(world.road[0])
    world.settle()
    world.pass_octets(up=0, down=5000)
    world.stop()
    assert isinstance(first, Interrogation)
    again = world.operator.interrogate(first, world.clock.now())
    assert isinstance(again, InterrogationAnswer)
    assert world.holder is not None
    world.do(world.holder.answered(world.clock.now(), again))
    assert "q1" in world.disk.quotas


def test_only_the_rows_that_are_confirmed_are_deleted() -> None:
    world = online()
    world.pass_octets(up=0, down=1000)
    world.wait(10_000)
    (early,) = world.road
    assert isinstance(early, UsageReport)
    world.pass_octets(up=0, down=2000)
    world.stop()
    assert list(world.disk.rows) == [1, 2]
    assert world.holder is not None
    world.do(world.holder.confirmed(world.clock.now(), early, world.operator.report(early)))
    assert list(world.disk.rows) == [2]


def test_with_nothing_left_nothing_is_returned_and_nothing_asked() -> None:
    world = online(bought=MB)
    world.pass_octets(up=0, down=MB)
    world.settle()
    before = len(world.operator.asked)
    world.wait(1000)
    world.stop()
    assert world.road == []
    assert len(world.operator.asked) == before


def test_remainder_of_an_earlier_session_is_found_and_returned_before_a_new_application() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    world.reboot()
    world.start()
    world.settle()
    kinds = [message.kind for message in world.operator.asked]
    assert kinds == ["first", "final", "first"]
    assert world.operator.asked[1].returns == ["q1"]


def test_kill_and_restart_in_the_same_boot_loses_no_octet() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    world.crash()
    world.pass_octets(up=700, down=300)
    world.start()
    world.stop()
    world.settle()
    assert asked(world) == [("first", 0), ("final", 1)]
    assert world.operator.used == world.truth == 6000


def test_reboot_closes_each_quota_at_its_reservation() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    reserved = world.disk.quotas["q1"].reserved
    world.reboot()
    world.start()
    world.settle()
    assert world.operator.quotas["q1"].used == reserved >= world.truth
    assert world.disk.epoch is not None
    assert (world.disk.epoch.number, world.disk.epoch.source) == (2, "boot-1"), "what is counted now is counted apart"


def test_question_without_answer_is_repeated_with_its_number_and_contents() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    (question,) = world.road
    world.lose()
    world.pass_octets(up=0, down=1000)
    world.wait(2000)
    assert world.road == [question]
    world.crash()
    world.start()
    assert world.road == [question]


def test_a_way_that_opens_is_tried_at_once_and_if_it_leads_nowhere_again_soon() -> None:
    world = World()
    world.operator.report_interval_s = 3600
    world.start()
    world.settle()
    world.pass_octets(up=0, down=800_000)
    (question,) = world.road
    for _ in range(8):
        world.lose()
        world.wait(100_000 if not world.road else 0)
    assert world.holder is not None
    world.lose()
    world.do(world.holder.way_opened(world.clock.now()))
    assert world.road == [question]
    world.lose()
    world.wait(1_300)
    assert world.road == [question]


def test_a_server_that_asked_for_patience_is_left_alone_whatever_way_opens() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    question = world.road.pop()
    assert world.holder is not None
    world.do(world.holder.unreachable(world.clock.now(), question, retry_after_s=60))
    world.do(world.holder.way_opened(world.clock.now()))
    assert world.road == []
    world.wait(75_000)
    assert world.road == [question]


@pytest.mark.parametrize("interval_s", [2, 10, 3600])
def test_question_is_never_left_longer_than_a_report_would_be_however_long_the_silence_was(interval_s: int) -> None:
    """A quarter more or less, so that not everybody comes back at once; and no longer than 75 s."""
    world = World()
    world.operator.report_interval_s = interval_s
    world.start()
    world.settle()
    world.pass_octets(up=0, down=800_000)
    for _ in range(30):
        world.lose()
        lost_at = world.clock.now()
        while not world.road:
            world.wait(250)
        assert world.clock.now() - lost_at <= min(interval_s, 60) * 1250 + 250
    world.settle()
    assert world.live() == ["q1", "q2"]


def test_answer_that_comes_twice_grants_once() -> None:
    world = World()
    world.start()
    world.deliver(times=2)
    assert world.live() == ["q1"]


def test_usage_is_reported_at_the_interval_and_deleted_after_confirmation() -> None:
    world = online()
    world.pass_octets(up=100, down=200)
    world.wait(10_000)
    (report,) = world.road
    assert isinstance(report, UsageReport)
    assert [(row.up, row.down) for row in report.rows] == [(100, 200)]
    world.settle()
    assert world.disk.rows == {}
    assert world.disk.floor == 1
    world.wait(10_000)
    assert world.road == []


def test_what_is_confirmed_of_another_journal_says_nothing_of_this_one() -> None:
    world = online()
    world.pass_octets(up=100, down=200)
    world.wait(10_000)
    (report,) = world.road
    assert isinstance(report, UsageReport)
    assert world.holder is not None
    world.do(world.holder.confirmed(world.clock.now(), report, UsageConfirmation(journal="jnl-0", acked=1)))
    assert list(world.disk.rows) == [1]
    assert world.holder.outstanding is report


def test_no_row_is_written_while_a_report_is_unanswered() -> None:
    world = online()
    for _ in range(20):
        world.pass_octets(up=10, down=0)
        world.wait(60_000)
        while world.road:
            world.lose()
    assert len(world.disk.rows) == 1


def test_last_quota_asks_no_more_until_it_is_used_up_and_then_at_growing_intervals() -> None:
    world = online(bought=MB)
    world.pass_octets(up=0, down=900_000)
    assert world.road == []
    world.pass_octets(up=0, down=100_000)
    world.settle()
    assert world.holder is not None
    assert world.holder.refusal is not None
    assert world.holder.state is State.WAITING
    before = len(world.operator.asked)
    for _ in range(60):
        world.wait(10_000)
        world.settle()
    assert 10 <= len(world.operator.asked) - before <= 15


def test_crumb_smaller_than_a_packet_is_kept_and_continued_by_the_next_quota() -> None:
    """The gate is dry 740 octets short of the bound."""
    world = online(bought=MB)
    world.pass_octets(up=0, down=MB - 740)
    world.tick(depleted=True)
    world.settle()
    assert world.holder is not None
    assert world.holder.refusal is not None
    assert world.live() == ["q1"]
    world.operator.bought += MB
    world.wait(2000)
    world.settle()
    world.pass_octets(up=0, down=1500)
    world.stop()
    world.settle()
    assert [quota.used for quota in world.operator.quotas.values()] == [MB, 760]


def test_purchase_revives_the_session() -> None:
    world = online(bought=MB)
    world.pass_octets(up=0, down=MB)
    world.settle()
    world.operator.bought += MB
    world.wait(60_000)
    world.settle()
    assert world.live() == ["q2"]
    world.pass_octets(up=0, down=10)
    assert world.truth == MB + 10


def test_end_of_validity_closes_the_gate_returns_and_asks_again() -> None:
    world = online()
    world.operator.validity_ms = 7_200_000
    world.pass_octets(up=0, down=5000)
    world.wait(3_600_000)
    world.settle()
    assert world.operator.quotas["q1"].used == 5000
    assert not world.operator.quotas["q1"].is_reserved
    assert world.live() == ["q2"]


def test_leaving_the_link_saves_and_returns_and_coming_back_opens_a_new_session() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    world.set_link(up=False)
    world.pass_octets(up=0, down=5000)
    world.settle()
    assert world.operator.used == world.truth == 5000
    assert world.operator.quotas["q1"].is_reserved is False
    world.set_link(up=True)
    world.settle()
    assert world.live() == ["q2"]
    assert len(world.operator.sessions) == 1


def test_it_is_said_that_the_link_left_when_what_passed_is_counted() -> None:
    """Whoever hears of it may take the gate away."""
    world = online()
    assert world.holder is not None
    actions = world.holder.link(world.clock.now(), present=False)
    assert actions.index(Shut()) < actions.index(Note("link left", {}))


def test_stop_while_the_first_question_is_on_its_way_returns_what_it_brings() -> None:
    world = World()
    world.start()
    world.stop()
    world.settle()
    assert asked(world) == [("first", 0), ("final", 1)]
    assert world.operator.available == world.operator.bought
    assert world.holder is not None
    assert world.holder.is_done


def test_counters_that_go_backwards_bill_no_phantom() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    world.up = world.down = world.ceiling = 0
    world.tick()
    world.settle()
    assert world.operator.quotas["q1"].used <= MB
    world.stop()
    world.settle()
    assert world.operator.used <= MB


def test_session_the_server_does_not_know_is_given_up_and_its_usage_still_reported() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    world.operator.sessions.clear()
    world.operator.quotas["q1"].is_reserved = False
    world.settle()
    world.wait(2000)
    world.settle()
    world.stop()
    world.settle()
    assert world.operator.used == world.truth == 800_000


def test_rejected_request_is_shown_with_its_cure_and_tried_again_later() -> None:
    world = World()
    world.start()
    assert world.holder is not None
    (question,) = world.road
    assert isinstance(question, Interrogation)
    problem = Problem(status=403, reason="terminal_blocked", detail="Blocked.", cure="Ask your operator.")
    world.road.clear()
    world.do(world.holder.rejected(world.clock.now(), question, problem))
    assert world.holder.refusal is not None
    assert world.holder.refusal.cure == "Ask your operator."
    world.wait(10_000)
    assert world.road == []
    world.wait(30_000)
    assert world.road == [question]


def test_traffic_that_nothing_could_stop_is_charged_to_the_last_quota() -> None:
    """An open gate: the counters run past the bound."""
    world = online(bought=MB)
    world.leak(2 * MB)
    world.settle()
    assert world.operator.used == 2 * MB


def past_its_last_quota() -> World:
    world = online(bought=MB)
    world.pass_octets(up=0, down=MB)
    world.settle()
    assert world.holder is not None
    assert world.holder.state is State.WAITING
    return world


@pytest.mark.parametrize("killed", [False, True])
def test_what_passes_past_the_last_quota_is_reported_once_though_no_other_is_ever_granted(killed: bool) -> None:
    world = past_its_last_quota()
    world.leak(30_000)
    world.wait(60_000)
    world.settle()
    assert world.operator.used == MB + 30_000
    world.leak(5_000)
    if killed:
        world.crash()
        world.leak(700)
        world.start()
        world.settle()
    world.stop()
    world.settle()
    assert world.operator.used == world.truth
    assert (world.disk.rows, world.disk.quotas, world.disk.session) == ({}, {}, None)


def test_what_passes_while_its_quota_goes_home_is_charged_to_it() -> None:
    """The quota is over, and nothing follows."""
    world = online(bought=MB)
    world.pass_octets(up=0, down=5000)
    world.operator.bought = 5000
    world.wait(3_600_000)
    world.leak(300)
    world.deliver()
    world.leak(20)
    world.stop()
    world.settle()
    assert world.operator.used == world.truth == 5320
    assert world.disk.quotas == {}


def test_what_passes_past_the_last_quota_and_was_seen_after_the_final_question_waits_for_the_next_start() -> None:
    world = past_its_last_quota()
    world.leak(300)
    world.stop()
    world.leak(20)
    world.settle()
    world.crash()
    world.start()
    world.settle()
    world.wait(60_000)
    world.settle()
    assert world.operator.used == world.truth


def test_what_passes_past_the_last_quota_is_kept_through_a_power_cut_once_it_was_seen() -> None:
    world = past_its_last_quota()
    world.leak(300)
    world.reboot()
    world.start()
    world.settle()
    assert world.operator.used == world.truth


def test_what_passes_past_a_quota_is_charged_to_the_next_once_that_is_granted() -> None:
    world = past_its_last_quota()
    world.leak(300)
    world.operator.bought = 2 * MB
    world.wait(60_000)
    world.settle()
    world.pass_octets(up=0, down=4000)
    world.stop()
    world.settle()
    assert [quota.used for quota in world.operator.quotas.values()] == [MB + 300, 4000]
    assert world.disk.quotas == {}


def test_holder_begins_at_the_present_reading_so_old_totals_are_not_billed() -> None:
    world = World()
    world.up = world.ceiling = 5_000_000_000
    world.start()
    world.settle()
    world.stop()
    world.settle()
    assert world.operator.used == 0


def test_fresh_holder_is_idle() -> None:
    assert Holder(Snapshot(journal="j")).state is State.IDLE


def test_agent_that_starts_again_with_nothing_to_send_wakes_when_there_is_something_to_do() -> None:
    world = online()
    world.pass_octets(up=0, down=5000)
    world.crash()
    world.start()
    world.settle()
    assert world.wake_at > world.clock.now()


def test_clock_that_is_set_back_makes_no_wait_longer_than_it_was_meant_to_be() -> None:
    world = World()
    world.start()
    world.lose()
    world.clock = ManualClock(world.clock.now() - 86_400_000)
    world.tick()
    assert world.wake_at <= world.clock.now() + 375_000


def test_link_that_is_back_before_a_question_has_its_answer_gets_a_new_session() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    world.set_link(up=False)
    world.set_link(up=True)
    world.settle()
    assert world.live() == ["q3"]
    assert world.operator.quotas["q2"].is_reserved is False
    assert world.wake_at > world.clock.now()


def test_session_that_the_server_has_closed_is_given_up_and_its_usage_still_reported() -> None:
    world = online()
    world.pass_octets(up=0, down=800_000)
    world.operator.close_sessions()
    world.settle()
    world.wait(2000)
    world.settle()
    assert world.live() == ["q2"]
    world.stop()
    world.settle()
    assert world.operator.used == world.truth == 800_000


def test_an_idle_holder_of_a_small_last_quota_looks_once_a_second() -> None:
    world = online(bought=100_000)
    world.pass_octets(up=0, down=1000)
    for _ in range(20):
        world.wait(1000)
    assert world.wake_at - world.clock.now() > 900


def test_who_asks_ahead_asks_so_early_that_the_next_quota_is_held_when_the_serving_one_is_used_up() -> None:
    """A base station at 4 MB a second: 200 ms before the end of a quota of 2 MB the one after the next is asked for."""
    world = World(
        bought=20 * MB, quota_octets=2 * MB, manner=Manner(session="trd-1", chunk_for=whole_quotas, asks_ahead=True)
    )
    world.start()
    world.settle()
    held = []
    for _ in range(160):  # 4 s in steps of 25 ms
        world.wait(25)
        world.pass_octets(up=0, down=100_000)
        world.settle()
        held.append(len(world.live()))
    assert held[0] == 2, "while nothing is known of the rate, two are held"
    assert set(held[100:]) == {2, 3}
    third = held.index(3, held.index(2, 100))
    assert held[third : third + 10].count(3) in (7, 8), "held for the last 200 ms and no longer"
    assert world.truth == 16 * MB


def test_what_grants_leave_over_makes_nobody_late_who_asks_ahead() -> None:
    """A packet that does not fit any more goes under the next grant; after a hundred grants that is more than a packet."""
    manner = Manner(session="trd-1", chunk_for=whole_quotas, asks_ahead=True)
    world = World(bought=1000 * MB, quota_octets=2 * MB, manner=manner)
    world.start()
    world.settle()
    late = []
    for grant in range(300):
        if world.ceiling < world.spent + 3 * 2 * MB:
            late.append(grant)
        world.wait(25)
        world.pass_octets(up=0, down=MB)
        world.settle()
        world.wait(25)
        world.spent += 2 * MB
        world.pass_octets(up=0, down=MB - 1000)
        world.settle()
    assert late == [0], "only while nothing is known of the rate"


def test_who_asks_ahead_has_several_waiting_where_a_quota_is_shorter_than_an_answer_may_take() -> None:
    """At 40 MB a second a quota of 2 MB lasts 50 ms: one answer of 200 ms must not shut the gate."""
    manner = Manner(session="trd-1", chunk_for=whole_quotas, asks_ahead=True)
    world = World(bought=1000 * MB, quota_octets=2 * MB, manner=manner)
    world.start()
    world.settle()
    for _ in range(100):
        world.wait(25)
        world.pass_octets(up=0, down=MB)
        world.settle()
    assert len(world.live()) in (5, 6)
    for _ in range(8):  # 200 ms without an answer
        world.wait(25)
        world.pass_octets(up=0, down=MB)
    assert world.truth == 108 * MB
    world.settle()
    for _ in range(8):
        world.wait(25)
        world.pass_octets(up=0, down=10_000)
        world.settle()
    assert len(world.live()) in (5, 6), "what is held is used, not returned"
    for _ in range(8):
        world.wait(1000)
        world.pass_octets(up=0, down=2 * MB)
        world.settle()
    assert len(world.live()) == 2, "slower, and two are enough"


def test_who_asks_ahead_and_is_granted_nothing_more_does_not_look_without_end() -> None:
    """A seed of the exchange's world: a final quota was looked at every 5 ms."""
    world = World(
        bought=3 * MB, quota_octets=2 * MB, manner=Manner(session="trd-1", chunk_for=whole_quotas, asks_ahead=True)
    )
    world.start()
    world.settle()
    for _ in range(14):
        world.wait(25)
        world.pass_octets(up=0, down=100_000)
        world.settle()
    assert len(world.live()) == 2
    assert world.wake_at > world.clock.now() + 500


def test_what_passed_before_a_shut_gate_is_kept_though_an_earlier_question_has_no_answer_yet() -> None:
    """The server is silent, the machine is switched off: the next boot charges the count, not the reservation."""
    world = online()
    world.pass_octets(up=0, down=850_000)
    assert world.road, "the next quota is asked for"
    world.pass_octets(up=10_000, down=0)
    world.stop()
    world.reboot()
    world.start()
    world.settle()
    assert world.operator.used == world.truth == 860_000


def test_clock_that_is_set_back_makes_nobody_look_later_who_looks_by_himself() -> None:
    """As the first answer sets it back where the device's clock was ahead: a gate that is polled would overshoot."""
    world = World()
    world.start()
    world.clock = ManualClock(world.clock.now() - 3_600_000)
    world.settle()
    assert world.wake_at <= world.clock.now() + 1_000


def test_journal_that_is_put_back_from_a_copy_numbers_its_rows_behind_those_the_server_has_counted() -> None:
    world = World()
    world.operator = Counting(bought=10_000_000, quota_octets=1_000_000)
    world.start()
    world.settle()
    copy = deepcopy(world.disk)
    for _ in range(5):
        world.pass_octets(up=0, down=700_000)
        world.wait(10_000)
        world.settle()
    world.stop()
    world.settle()
    world.reboot()
    world.disk = copy
    world.start()
    for _ in range(4):
        world.wait(60_000)
        world.settle()
        world.pass_octets(up=0, down=300_000)
    world.stop()
    world.settle()
    assert "journal was put back from a copy" in [note.event for note in world.notes]
    assert world.operator.used == world.truth > 3_500_000
    assert (world.disk.rows, world.disk.quotas) == ({}, {})
