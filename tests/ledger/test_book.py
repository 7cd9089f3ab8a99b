"""The book, walked through by hand and then in any order by Hypothesis."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qanat.clock import ManualClock
from qanat.ids import Owner
from qanat.ledger import book
from qanat.ledger.book import Account, Part
from qanat.ledger.work import Work
from qanat.store.desk import Desk
from qanat.units import Instant, Octets

ALICE = Owner("subscriber/alice")
DAY_MS = 86_400_000


def bucket(work: Work, id: str, size: int, *, priority: int = 0, days: int | None = None) -> None:
    expires = None if days is None else Instant(work.now + days * DAY_MS)
    account = Account(
        owner=ALICE,
        id=id,
        role="bucket",
        operator="home",
        size=size,
        priority=priority,
        opened_at=work.now,
        expires_at=expires,
        due=expires,
    )
    book.open_bucket(work, account)


def desk_with(*sizes: int) -> Desk:
    desk = Desk(ManualClock())
    for place, size in enumerate(sizes):
        desk.decide(lambda work, place=place, size=size: bucket(work, f"b{place}", size))  # type: ignore[misc]
    return desk


def balance(desk: Desk, id: str) -> int:
    account = desk.get(Account, ALICE, id)
    return account.balance if account else 0


def test_reserved_octets_are_no_longer_available_and_come_home_when_released() -> None:
    desk = desk_with(100)
    parts = desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE), Octets(30)))
    assert desk.decide(lambda work: book.available(work, ALICE)) == 70
    desk.decide(lambda work: book.release(work, ALICE, parts))
    assert desk.decide(lambda work: book.available(work, ALICE)) == 100
    assert balance(desk, "used") == 0


def test_one_quota_may_span_several_buckets_in_order_of_priority_then_expiry_then_age() -> None:
    desk = Desk(ManualClock())
    desk.decide(lambda work: bucket(work, "late", 10, days=9))
    desk.decide(lambda work: bucket(work, "forever", 10))
    desk.decide(lambda work: bucket(work, "soon", 10, days=1))
    desk.decide(lambda work: bucket(work, "first", 10, priority=-1))
    parts = desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE), Octets(35)))
    assert parts == (("first", 10), ("soon", 10), ("late", 10), ("forever", 5))


def test_of_buckets_that_end_alike_the_older_is_used_first() -> None:
    clock = ManualClock()
    desk = Desk(clock)
    for id in ("zoe", "adam"):
        desk.decide(lambda work, id=id: bucket(work, id, 10))  # type: ignore[misc]
        clock.advance(1)
    assert desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE), Octets(15))) == (
        ("zoe", 10),
        ("adam", 5),
    )


def test_what_is_given_back_pays_what_is_owed_and_then_fills_the_bucket_that_is_used_next() -> None:
    desk = desk_with(10)
    desk.decide(lambda work: book.post(work, ALICE, (), Octets(17)))
    desk.decide(lambda work: book.refund(work, ALICE, Octets(9)))
    desk.decide(lambda work: bucket(work, "next", 50, priority=-1))
    desk.decide(lambda work: book.refund(work, ALICE, Octets(3)))
    held = {id: balance(desk, id) for id in ("debt", "refunds", "b0", "next", "used")}
    assert held == {"debt": 0, "refunds": 2, "b0": 0, "next": 53, "used": 5}
    assert desk.audit().problems == []


def test_what_is_reserved_is_not_moved_elsewhere() -> None:
    desk = desk_with(10, 10)
    desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE)[:1], Octets(8)))

    def move(work: Work) -> None:
        first, second = book.usable_buckets(work, ALICE)
        book.transfer(work, first, second, 3)

    with pytest.raises(AssertionError, match="subscriber/alice:b0 does not cover 3"):
        desk.decide(move)


def test_usage_past_a_reservation_is_posted_from_what_else_there_is_and_then_as_debt() -> None:
    desk = desk_with(10, 10)
    parts = desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE), Octets(5)))
    left = desk.decide(lambda work: book.post(work, ALICE, parts, Octets(27)))
    assert left == ()
    assert (balance(desk, "b0"), balance(desk, "b1"), balance(desk, "debt"), balance(desk, "used")) == (0, 0, -7, 27)


def test_what_is_used_in_all_stays_below_2_to_the_63() -> None:
    desk = desk_with(100)
    assert desk.decide(lambda work: book.countable(work, ALICE)) == 2**53 - 1
    desk.decide(lambda work: book.post(work, ALICE, (), Octets(2**63 - 1 - 7)))
    assert desk.decide(lambda work: book.countable(work, ALICE)) == 7


def test_debt_is_the_first_thing_a_new_bucket_pays() -> None:
    desk = desk_with(10)
    desk.decide(lambda work: book.post(work, ALICE, (), Octets(17)))
    desk.decide(lambda work: bucket(work, "next", 20))
    assert (balance(desk, "debt"), balance(desk, "next")) == (0, 13)


def test_a_bucket_smaller_than_the_debt_is_spent_at_once_and_the_rest_stays_owed() -> None:
    desk = desk_with()
    desk.decide(lambda work: book.post(work, ALICE, (), Octets(17)))
    desk.decide(lambda work: bucket(work, "small", 5))
    assert (balance(desk, "debt"), balance(desk, "small")) == (-12, 0)


def test_an_expired_bucket_gives_nothing_new_but_honours_what_was_reserved() -> None:
    clock = ManualClock()
    desk = Desk(clock)
    desk.decide(lambda work: bucket(work, "b", 10, days=1))
    parts = desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE), Octets(4)))
    clock.advance(DAY_MS)
    assert desk.decide(lambda work: book.available(work, ALICE)) == 0
    desk.decide(lambda work: book.expire(work, _the(work, "b")))
    desk.decide(lambda work: book.post(work, ALICE, parts, Octets(3)))
    assert (balance(desk, "b"), balance(desk, "used"), balance(desk, "debt")) == (1, 3, 0)
    desk.decide(lambda work: book.release(work, ALICE, (("b", 1),)))
    assert desk.audit().balanced


def test_a_decision_that_is_given_up_leaves_no_trace() -> None:
    desk = desk_with(10)
    before = len(desk.entries)

    def give_up(work: Work) -> None:
        book.reserve(work, book.usable_buckets(work, ALICE), Octets(5))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        desk.decide(give_up)
    assert len(desk.entries) == before
    assert desk.decide(lambda work: book.available(work, ALICE)) == 10


def _the(work: Work, id: str) -> Account:
    account = work.get(Account, ALICE, id)
    assert account is not None
    return account


class Book(RuleBasedStateMachine):
    """Reserve, post, release, expire and buy in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.desk = Desk(self.clock)
        self.held: list[tuple[Part, ...]] = []
        self.bought = 0
        self.posted = 0
        self.serial = 0

    @rule(size=st.integers(1, 1000), priority=st.integers(0, 2), days=st.none() | st.integers(1, 5))
    def buy(self, size: int, priority: int, days: int | None) -> None:
        self.serial += 1
        self.desk.decide(lambda work: bucket(work, f"b{self.serial}", size, priority=priority, days=days))
        self.bought += size

    @rule(share=st.integers(1, 100))
    def reserve(self, share: int) -> None:
        wanted = self.desk.decide(lambda work: book.available(work, ALICE)) * share // 100
        self.held.append(
            self.desk.decide(lambda work: book.reserve(work, book.usable_buckets(work, ALICE), Octets(wanted)))
        )

    @rule(octets=st.integers(0, 1500), data=st.data())
    def post(self, octets: int, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.held)))
        parts = self.held.pop(place) if place < len(self.held) else ()
        self.held.append(self.desk.decide(lambda work: book.post(work, ALICE, parts, Octets(octets))))
        self.posted += octets

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if self.held:
            parts = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
            self.desk.decide(lambda work: book.release(work, ALICE, parts))

    @rule(days=st.integers(0, 3))
    def let_time_pass_and_expire(self, days: int) -> None:
        self.clock.advance(days * DAY_MS)
        for account in self.desk.all(Account, ALICE):
            if account.role == "bucket" and account.expired(self.clock.now()):
                self.desk.decide(lambda work, id=account.id: book.expire(work, _the(work, id)))  # type: ignore[misc]

    @invariant()
    def the_book_adds_up(self) -> None:
        accounts = self.desk.all(Account, ALICE)
        assert sum(account.balance for account in accounts if account.role == "used") == self.posted
        issued = sum(a.balance for a in accounts) + self._expired()
        assert issued == self.bought
        problems = [problem for problem in self.desk.audit().problems if "reserved, sessions hold" not in problem]
        assert problems == []

    @invariant()
    def nobody_is_overdrawn(self) -> None:
        for account in self.desk.all(Account, ALICE):
            assert account.role != "bucket" or account.available >= 0
        held = sum(octets for parts in self.held for _, octets in parts)
        assert held == sum(account.reserved for account in self.desk.all(Account, ALICE))

    def _expired(self) -> int:
        tally = self.desk.get(Account, book.tally_owner("home", ALICE), "expired")
        return tally.balance if tally else 0


TestBookInAnyOrder = Book.TestCase
TestBookInAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
