from __future__ import annotations

from qanat.clock import ManualClock
from qanat.registry.leases import VALID, give_up, take
from qanat.store.desk import Desk


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
