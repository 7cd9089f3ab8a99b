"""When traffic was used, hour by hour and day by day."""

from __future__ import annotations

import random
from functools import partial

from qanat.clock import ManualClock
from qanat.ids import Owner
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.history import DAYS_KEPT, HOURS_KEPT, UsageHistory, usage_by
from qanat.ledger.work import Work
from qanat.store.desk import Desk
from qanat.units import DAY, HOUR, MINUTE, Instant, Millis, Octets

ALICE = Owner("subscriber/alice")
_MIDNIGHT = 1_700_006_400_000


def _use(work: Work, octets: int) -> None:
    book.post(work, ALICE, (), Octets(octets))


def _by(desk: Desk, span: Millis, count: int) -> list[tuple[Instant, Octets]]:
    used = desk.get(Account, ALICE, "used")
    return desk.decide(lambda work: usage_by(work, ALICE, span=span, count=count, used=used.balance if used else 0))


def test_usage_is_told_by_the_hour_and_by_the_day_in_which_it_was_booked() -> None:
    clock = ManualClock(_MIDNIGHT)
    desk = Desk(clock)
    for octets, minutes in ((100, 10), (50, 60), (7, 60), (1000, 23 * 60)):
        desk.decide(lambda work, octets=octets: _use(work, octets))  # type: ignore[misc]
        clock.advance(minutes * MINUTE)
    assert [octets for _, octets in _by(desk, HOUR, 26)] == [150, 7, 1000, *[0] * 23][-26:]
    assert [octets for _, octets in _by(desk, DAY, 3)] == [0, 1157, 0]
    assert _by(desk, DAY, 1)[0][0] == _MIDNIGHT + DAY


def test_hours_that_only_a_wrong_clock_saw_go_to_the_last_that_was_and_later_usage_to_its_own() -> None:
    clock = ManualClock(_MIDNIGHT)
    desk = Desk(clock)
    for octets, then in ((100, DAY), (50, 2 * HOUR), (7, -DAY - HOUR), (1000, HOUR), (20, 0)):
        desk.decide(partial(_use, octets=octets))
        clock.jump(then)
    assert [octets for _, octets in _by(desk, HOUR, 4)] == [0, 157, 1000, 20]
    assert _by(desk, DAY, 1) == [(Instant(_MIDNIGHT), 1177)]


def test_nothing_used_is_nothing_in_every_hour() -> None:
    assert {octets for _, octets in _by(Desk(ManualClock()), HOUR, HOURS_KEPT)} == {0}


def test_an_hour_of_much_use_makes_one_mark() -> None:
    desk = Desk(ManualClock(_MIDNIGHT))
    for _ in range(50):
        desk.decide(lambda work: _use(work, 1))
    history = desk.get(UsageHistory, ALICE, "usage")
    assert history is not None
    assert len(history.marks) == 12


def test_over_many_days_hours_and_days_are_exact_and_the_marks_stay_few() -> None:
    chance = random.Random(7)
    clock = ManualClock(_MIDNIGHT)
    desk = Desk(clock)
    by_hour: dict[int, int] = {}
    for _ in range(2000):
        octets = chance.randrange(1, 10**9)
        desk.decide(lambda work, octets=octets: _use(work, octets))  # type: ignore[misc]
        hour = clock.now() // HOUR
        by_hour[hour] = by_hour.get(hour, 0) + octets
        clock.advance(chance.randrange(90 * MINUTE))
    for span, count in ((HOUR, HOURS_KEPT), (DAY, DAYS_KEPT)):
        for at, octets in _by(desk, span, count):
            hours = range(at // HOUR, (at + span) // HOUR)
            assert octets == sum(by_hour.get(hour, 0) for hour in hours)
    history = desk.get(UsageHistory, ALICE, "usage")
    assert history is not None
    assert len(history.marks) // 12 <= HOURS_KEPT + DAYS_KEPT
