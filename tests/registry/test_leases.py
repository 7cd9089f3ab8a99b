from __future__ import annotations

from qanat.clock import ManualClock
from qanat.registry.leases import VALID, give_up, take
from qanat.store.desk import Desk
from qanat.units import DAY, MINUTE


def ours(desk: Desk, holder: str) -> bool:
    return desk.decide(lambda work: take(work, "sweeper", holder=holder))


def test_of_two_servers_one_sweeps_until_it_gives_up_or_falls_silent() -> None:
    clock = ManualClock()
    desk = Desk(clock)
    assert ours(desk, "one")
    assert not ours(desk, "two")
    clock.advance(VALID - 1)
    assert ours(desk, "one")
    clock.advance(VALID - 1)
    assert not ours(desk, "two")
    clock.advance(2)
    assert ours(desk, "two"), "the first fell silent"
    assert not ours(desk, "one")
    desk.decide(lambda work: give_up(work, "sweeper", holder="one"))
    assert not ours(desk, "one"), "who does not hold it can't give it up"
    desk.decide(lambda work: give_up(work, "sweeper", holder="two"))
    assert ours(desk, "one")


def test_a_lease_that_is_young_is_not_written_again() -> None:
    desk = Desk(ManualClock())
    for _ in range(5):
        assert ours(desk, "one")
    assert len(desk.entries) == 1


def test_a_lease_of_a_clock_that_went_wrong_keeps_nobody_from_the_task() -> None:
    wrong, right = ManualClock(), ManualClock()
    wrong.advance(365 * DAY)
    desk = Desk(wrong)
    assert ours(desk, "one")
    desk.clock = right
    assert ours(desk, "two")
    assert not ours(desk, "one")


def test_servers_whose_clocks_are_minutes_apart_do_not_take_a_task_from_each_other() -> None:
    slow, fast = ManualClock(), ManualClock()
    fast.advance(10 * MINUTE)
    desk = Desk(fast)
    assert ours(desk, "one")
    for _ in range(10):
        desk.clock = slow
        assert not ours(desk, "two")
        slow.advance(VALID // 2)
        desk.clock = fast
        fast.advance(VALID // 2)
        assert ours(desk, "one")
