"""When a holder asks again for a quota."""

from __future__ import annotations

from qanat.agents.patience import Patience
from qanat.units import HOUR, SECOND, Instant, later

NOW = Instant(1_700_000_000_000)


def waits_s(patience: Patience, now: Instant) -> int:
    return (patience.ask_at - now) // SECOND


def test_whoever_is_refused_asks_again_ever_later_but_within_a_minute() -> None:
    patience, waits = Patience(), []
    for _ in range(8):
        patience.refused(NOW)
        waits.append(waits_s(patience, NOW))
    assert waits == [2, 4, 8, 15, 30, 60, 60, 60]


def test_behind_a_last_quota_it_asks_at_once_and_later_with_every_answer_that_promises_nothing() -> None:
    patience = Patience()
    patience.nothing_follows(NOW)
    assert patience.allows(NOW)
    patience.refused(NOW)
    assert waits_s(patience, NOW) == 2
    patience.nothing_follows(NOW)
    assert waits_s(patience, NOW) == 4


def test_what_is_promised_ends_the_wait_and_the_next_begins_short() -> None:
    patience = Patience()
    for _ in range(5):
        patience.refused(NOW)
    assert not patience.allows(NOW)
    patience.renewed(NOW)
    assert patience.allows(NOW)
    patience.refused(NOW)
    assert waits_s(patience, NOW) == 2


def test_a_clock_that_is_set_back_makes_no_wait_longer_than_a_minute() -> None:
    patience = Patience()
    patience.refused(later(NOW, HOUR))
    patience.bound(NOW)
    assert waits_s(patience, NOW) == 60
