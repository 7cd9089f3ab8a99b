"""Credit control by its sentences: RFC 8506 §5, and the decisions where real systems differ."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from qanat.charging.credit_control import interrogate, report
from qanat.charging.interrogation import Ask, Interrogation, Use
from qanat.charging.quota import Policy
from qanat.charging.session import TRANSITIONS, WHY_NOT, Answer, Event, Session, State
from qanat.charging.sweep import sweep
from qanat.clock import ManualClock
from qanat.ids import Owner, QuotaId, SessionId
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.refusals import Refusal, Refused
from qanat.store.desk import Desk
from qanat.units import DAY, HOUR, MINUTE, Instant, Millis, Octets

ALICE = Owner("subscriber/alice")
POLICY = Policy(quota_octets=Octets(1000))


class Holder:
    """A holder of quotas that speaks to credit control directly."""

    def __init__(self, desk: Desk, session: str = "s", policy: Policy = POLICY, *, names_quotas: bool = True) -> None:
        self.desk = desk
        self.names_quotas = names_quotas
        self.policy = policy
        self.session = SessionId(session)
        self.number = -1

    def say(
        self,
        event: Event,
        *,
        used: int = 0,
        ends: bool = True,
        asks: tuple[Ask, ...] = (Ask(),),
        number: int | None = None,
        barred: Refused | None = None,
    ) -> Answer:
        self.number = self.number + 1 if number is None else number
        request = Interrogation(
            session=self.session,
            owner=ALICE,
            event=event,
            number=self.number,
            digest=used,
            front="test",
            holder="trm",
            uses=(Use(octets=Octets(used), ends=ends),) if event is not Event.FIRST else (),
            asks=() if event is Event.FINAL else asks,
            barred=barred,
            names_quotas=self.names_quotas,
        )
        return self.desk.decide(lambda work: interrogate(work, self.policy, request))

    def account(self, id: str) -> Account:
        return self.desk.get(Account, ALICE, id) or Account(owner=ALICE, id=id, role="used")

    def record(self) -> Session:
        session = self.desk.get(Session, ALICE, self.session)
        assert session is not None
        return session


def fund(desk: Desk, octets: int, *, days: int | None = None, all_or_nothing: bool = False, id: str = "b") -> None:
    ends = None if days is None else Instant(desk.clock.now() + days * DAY)
    bucket = Account(
        owner=ALICE,
        id=id,
        role="bucket",
        operator="home",
        size=octets,
        expires_at=ends,
        due=ends,
        all_or_nothing=all_or_nothing,
    )
    desk.decide(lambda work: book.open_bucket(work, bucket))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def desk(clock: ManualClock) -> Iterator[Desk]:
    """Whatever a test does, the books must add up at its end."""
    desk = Desk(clock)
    yield desk
    assert not desk.audit().problems


def test_first_interrogation_reserves_the_plans_quota(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    (grant,) = holder.say(Event.FIRST).grants
    assert (grant.octets, grant.final, grant.threshold) == (1000, False, 200)
    assert holder.account("b").reserved == 1000


def test_intermediate_posts_what_was_used_releases_the_rest_and_grants_anew(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    holder.say(Event.INTERMEDIATE, used=700)
    bucket = holder.account("b")
    assert (bucket.balance, bucket.reserved, holder.account("used").balance) == (4300, 1000, 700)


def test_final_interrogation_sends_the_unused_octets_home(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    holder.say(Event.FINAL, used=250)
    bucket = holder.account("b")
    assert (bucket.balance, bucket.reserved) == (4750, 0)
    assert holder.record().state is State.CLOSED


def test_same_request_number_twice_gets_the_same_answer_and_one_entry(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    first = holder.say(Event.INTERMEDIATE, used=700)
    entries = len(desk.entries)
    assert holder.say(Event.INTERMEDIATE, used=700, number=1) == first
    assert len(desk.entries) == entries
    assert holder.account("used").balance == 700


def test_same_request_number_with_other_contents_is_refused_and_counts_nothing(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    holder.say(Event.INTERMEDIATE, used=700)
    assert holder.say(Event.INTERMEDIATE, used=701, number=1).refusal is Refusal.REQUEST_REUSED
    assert holder.account("used").balance == 700


def test_a_repeat_whose_answer_is_no_longer_kept_is_refused_and_counts_nothing(desk: Desk) -> None:
    fund(desk, 50_000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    for _ in range(60):
        holder.say(Event.INTERMEDIATE, used=10)
    for number in (0, 1, 5, 55):
        assert holder.say(Event.INTERMEDIATE, used=10, number=number).refusal is Refusal.REQUEST_REUSED
    assert holder.account("used").balance == 600


def test_numbers_need_not_arrive_in_order(desk: Desk) -> None:
    """A gateway may send one request for each rating group, each with its own number, in parallel."""
    fund(desk, 50_000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    for number in (9, 4, 7, 1, 8):
        assert holder.say(Event.INTERMEDIATE, used=10, number=number).refusal is None
    assert holder.account("used").balance == 50


def test_a_number_far_ahead_takes_no_memory_and_those_before_it_count_as_repeats(desk: Desk) -> None:
    """The window of numbers was moved by as many bits: a jump to 2**32 − 1 took a gigabyte and some seconds."""
    holder = Holder(desk)
    holder.say(Event.FIRST)
    tracemalloc.start()
    holder.say(Event.INTERMEDIATE, used=10, number=2**32 - 1)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert holder.say(Event.INTERMEDIATE, used=10, number=1).refusal is Refusal.REQUEST_REUSED
    assert holder.account("used").balance == 10


def test_an_expired_empty_bucket_is_forgotten_after_ninety_days(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 5000, days=1)
    for days in (1, 90):
        clock.advance(days * DAY)
        desk.decide(lambda work: sweep(work, ALICE))
    assert desk.get(Account, ALICE, "b") is None
    assert desk.audit().balanced


def test_the_last_quota_is_partial_and_final_and_the_balance_is_spent_to_the_last_octet(desk: Desk) -> None:
    fund(desk, 1300)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    (last,) = holder.say(Event.INTERMEDIATE, used=1000).grants
    assert (last.octets, last.final) == (300, True)
    (none,) = holder.say(Event.INTERMEDIATE, used=300).grants
    assert none.refusal is Refusal.CREDIT_LIMIT_REACHED
    assert holder.account("b").balance == 0


def test_a_session_that_was_refused_units_goes_on_after_a_purchase(desk: Desk) -> None:
    holder = Holder(desk)
    assert holder.say(Event.FIRST).grants[0].refusal is Refusal.CREDIT_LIMIT_REACHED
    fund(desk, 5000)
    assert holder.say(Event.INTERMEDIATE).grants[0].octets == 1000


def test_all_or_nothing_refuses_what_the_balance_does_not_cover(desk: Desk) -> None:
    fund(desk, 400, all_or_nothing=True)
    (grant,) = Holder(desk).say(Event.FIRST, asks=(Ask(wanted=Octets(500)),)).grants
    assert grant.refusal is Refusal.ALL_OR_NOTHING
    assert grant.facts == {"wanted": 500, "available": 400}


def test_a_grant_never_outlives_its_bucket(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 5000, days=1)
    clock.advance(DAY - 1000)
    (grant,) = Holder(desk).say(Event.FIRST).grants
    assert grant.valid_until == clock.now() + 1000


def test_no_quota_is_larger_than_the_operator_allows_whatever_is_asked_for_and_however_fast_it_goes(
    desk: Desk, clock: ManualClock
) -> None:
    fund(desk, 100_000)
    holder = Holder(desk, policy=Policy(quota_octets=Octets(1000), quota_octets_max=Octets(1500)))
    sizes = [holder.say(Event.FIRST, asks=(Ask(wanted=Octets(9000)),)).grants[0].octets]
    clock.advance(100)
    sizes.append(holder.say(Event.INTERMEDIATE, used=1500).grants[0].octets)
    assert sizes == [1500, 1500]


def test_a_fast_session_gets_larger_quotas_fourfold_at_most_and_never_more_than_half_of_what_is_left(
    desk: Desk, clock: ManualClock
) -> None:
    fund(desk, 100_000)
    holder = Holder(desk)
    sizes = [holder.say(Event.FIRST).grants[0].octets]
    for _ in range(4):
        clock.advance(100)
        sizes.append(holder.say(Event.INTERMEDIATE, used=sizes[-1]).grants[0].octets)
    assert sizes == [1000, 4000, 16000, 39500, 19750]


def test_a_slow_session_stays_at_the_plans_quota(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 100_000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    for _ in range(3):
        clock.advance(HOUR // 2)
        assert holder.say(Event.INTERMEDIATE, used=1000).grants[0].octets == 1000


def test_a_session_that_moves_to_a_server_whose_clock_is_behind_keeps_its_rate(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 100_000_000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    desk.clock = ahead = ManualClock(clock.now() + 5 * MINUTE)
    ahead.advance(1000)
    holder.say(Event.INTERMEDIATE, used=1000)
    desk.clock = clock
    for _ in range(10 * 60):
        clock.advance(1000)
        holder.say(Event.INTERMEDIATE, used=1000)
        session = desk.get(Session, ALICE, "s")
        assert session is not None
        assert session.rate <= 2000


def test_several_rating_groups_are_answered_in_one_entry(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    before = len(desk.entries)
    grants = holder.say(Event.FIRST, asks=(Ask(rating_group=1), Ask(rating_group=2, wanted=Octets(50)))).grants
    assert [(g.rating_group, g.octets) for g in grants] == [(1, 1000), (2, 50)]
    assert len(desk.entries) == before + 1


def test_a_final_interrogation_that_names_one_quota_ends_the_others_too(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST, asks=(Ask(), Ask(rating_group=2)))
    holder.say(Event.FINAL, used=400)
    assert holder.record().quotas == ()
    assert holder.account("b").available == 4600


def test_a_barred_subscriber_is_granted_nothing_and_what_it_used_is_counted(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    barred = Refused(Refusal.SUBSCRIBER_SUSPENDED, {"subscriber": "alice"})
    (grant,) = holder.say(Event.INTERMEDIATE, used=600, barred=barred).grants
    assert grant.refusal is Refusal.SUBSCRIBER_SUSPENDED
    assert holder.account("used").balance == 600


def test_usage_of_an_unknown_session_is_counted_once_and_the_holder_told(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    assert holder.say(Event.INTERMEDIATE, used=70, number=5).refusal is Refusal.UNKNOWN_SESSION
    assert holder.say(Event.INTERMEDIATE, used=70, number=5).refusal is Refusal.UNKNOWN_SESSION
    assert holder.account("used").balance == 70
    assert desk.audit().balanced


def test_somebody_elses_session_is_unknown(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    request = Interrogation(
        session=holder.session, owner=ALICE, event=Event.FINAL, number=1, digest=0, front="test", holder="trm-2"
    )
    answer = desk.decide(lambda work: interrogate(work, POLICY, request))
    assert answer.refusal is Refusal.UNKNOWN_SESSION
    assert holder.record().state is State.OPEN


def test_a_holder_that_names_no_quota_is_told_no_name_and_charged_the_same(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk, names_quotas=False)
    (granted,) = holder.say(Event.FIRST).grants
    assert (granted.quota, granted.octets) == ("", 1000)
    assert [quota.id for quota in holder.record().quotas] == ["s.0"]
    (renewed,) = holder.say(Event.INTERMEDIATE, used=700).grants
    assert (renewed.quota, renewed.octets) == ("", 1000)
    assert (holder.account("used").balance, [quota.id for quota in holder.record().quotas]) == (700, ["s.1"])


def test_reservations_nobody_returns_go_home_at_their_deadline(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    clock.advance(POLICY.validity_ms + POLICY.grace_ms - 1)
    assert desk.due_owners() == []
    clock.advance(1)
    assert desk.due_owners() == [ALICE]
    desk.decide(lambda work: sweep(work, ALICE))
    assert holder.account("b").reserved == 0
    assert holder.record().state is State.CLOSED
    assert desk.audit().balanced


def test_a_deadline_that_has_passed_takes_no_other_quotas_grace_away(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST, asks=(Ask(rating_group=1),))
    clock.advance(HOUR // 2)
    holder.say(Event.INTERMEDIATE, asks=(Ask(rating_group=2),))
    clock.advance(HOUR + HOUR // 2)
    desk.decide(lambda work: sweep(work, ALICE))
    assert [quota.rating_group for quota in holder.record().quotas] == [2], "it may be reported on for half an hour yet"
    assert holder.record().state is State.OPEN


def test_a_report_that_comes_after_the_deadline_is_posted_never_lost_never_doubled(
    desk: Desk, clock: ManualClock
) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    clock.advance(2 * HOUR)
    desk.decide(lambda work: sweep(work, ALICE))
    for _ in range(2):
        answer = holder.say(Event.INTERMEDIATE, used=800, number=1)
        assert answer.refusal is Refusal.SESSION_CLOSED
    assert holder.account("used").balance == 800
    assert holder.account("b").balance == 4200


def test_an_expired_bucket_is_emptied_and_the_octets_a_session_still_holds_follow_later(
    desk: Desk, clock: ManualClock
) -> None:
    fund(desk, 5000, days=1)
    clock.advance(DAY - 10)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    clock.advance(10)
    desk.decide(lambda work: sweep(work, ALICE))
    assert (holder.account("b").balance, holder.account("b").reserved) == (1000, 1000)
    clock.advance(2 * HOUR)
    desk.decide(lambda work: sweep(work, ALICE))
    assert (holder.account("b").balance, holder.account("b").reserved) == (0, 0)
    tally = desk.get(Account, book.tally_owner("home", ALICE), "expired")
    assert tally is not None
    assert tally.balance == 5000


def test_a_closed_session_is_forgotten_after_a_day_and_an_hour_at_most(desk: Desk, clock: ManualClock) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    holder.say(Event.FINAL)
    clock.advance(Millis(DAY - 1))
    desk.decide(lambda work: sweep(work, ALICE))
    assert desk.get(Session, ALICE, "s") is not None
    clock.advance(Millis(HOUR + 1))
    desk.decide(lambda work: sweep(work, ALICE))
    assert desk.get(Session, ALICE, "s") is None


def test_a_report_counts_against_its_quota_and_keeps_it(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk)
    (grant,) = holder.say(Event.FIRST).grants
    use = Use(octets=Octets(300), quota=QuotaId(grant.quota))
    desk.decide(lambda work: report(work, ALICE, holder.session, (use,)))
    (quota,) = holder.record().quotas
    assert (quota.used, quota.parts, holder.account("b").reserved) == (300, (("b", 700),), 700)


def test_a_report_about_a_session_that_is_long_forgotten_is_posted_all_the_same(desk: Desk) -> None:
    fund(desk, 5000)
    holder = Holder(desk, "forgotten")
    uses = tuple(Use(octets=Octets(300), quota=QuotaId(f"forgotten.{number}")) for number in (0, 1))
    desk.decide(lambda work: report(work, ALICE, holder.session, uses))
    assert (holder.account("b").balance, holder.account("used").balance) == (4400, 600)


def test_usage_beyond_the_quota_comes_from_the_bucket_and_then_is_owed(desk: Desk) -> None:
    fund(desk, 1200)
    holder = Holder(desk)
    holder.say(Event.FIRST)
    holder.say(Event.FINAL, used=1500)
    assert (holder.account("b").balance, holder.account("debt").balance) == (0, -300)
    assert desk.audit().balanced


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", [Event.FIRST, Event.INTERMEDIATE, Event.FINAL])
def test_every_interrogation_in_every_state_has_a_way_on_or_a_reason(state: State, event: Event) -> None:
    assert ((state, event) in TRANSITIONS) != ((state, event) in WHY_NOT)
