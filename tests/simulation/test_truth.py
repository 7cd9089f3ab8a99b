"""The auditor finds what is wrong: mistakes planted in its sight."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from msgspec.structs import replace

from qanat.agents.holding import CHUNK_MAX
from qanat.charging.credit_control import CLOSED_KEPT
from qanat.clock import ManualClock
from qanat.ids import Owner
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.simulation.server import WatchedDesk
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Discrepancy, Truth
from qanat.units import Instant, Octets
from qanat.wire.agent import InterrogationAnswer, QuotaGrant, UsageReport, UsageRow

ALICE = Owner("subscriber/alice")


def answer(quota: str, octets: int, *, valid_until: int = 0) -> InterrogationAnswer:
    grant = QuotaGrant(quota=quota, octets=octets, valid_until=Instant(valid_until), threshold=0, final=False)
    return InterrogationAnswer(
        session="s", number=0, acked=0, quotas=[grant], report_interval_s=60, server_time=Instant(0)
    )


def report(octets: int, *, seq: int = 1, quota: str = "q") -> UsageReport:
    row = UsageRow(seq=seq, quota=quota, epoch=1, up=0, down=octets, reserved=octets, at=Instant(0))
    return UsageReport(journal="j", floor=0, rows=[row])


class Scene:
    def __init__(self, *, has_gate: bool = True) -> None:
        self.truth = Truth(Tally())
        self.desk = WatchedDesk(ManualClock(), self.truth)
        bought = Account(owner=ALICE, id="bought", role="bucket", operator="home", size=1400)
        self.desk.decide(lambda work: book.open_bucket(work, bought))
        self.truth.bound("t", ALICE, has_gate=has_gate)
        self.truth.keeps("t", "j")
        self.truth.granted("t", answer("q", 1000))

    def passes(self, octets: int) -> None:
        self.truth.passed("t", octets)
        self.truth.stated("t", 1, passed=self.truth.passed_by("t"))

    def books(self, octets: int) -> None:
        self.desk.decide(lambda work: book.post(work, ALICE, (), Octets(octets)))

    def check(self) -> None:
        self.truth.check(self.desk)


def test_octets_that_passed_were_reported_and_are_booked_add_up() -> None:
    scene = Scene()
    scene.passes(700)
    scene.truth.heard("t", report(700))
    scene.truth.heard("t", report(700))
    scene.books(700)
    scene.check()


def test_octets_without_a_grant_are_found_as_they_pass() -> None:
    with pytest.raises(Discrepancy, match="1 octets passed that nobody granted"):
        Scene().passes(1001)


def test_octets_that_were_never_reported_are_found() -> None:
    scene = Scene()
    scene.passes(700)
    scene.truth.heard("t", report(699))
    scene.books(699)
    with pytest.raises(Discrepancy, match="1 lost"):
        scene.check()


def test_octets_booked_twice_are_found() -> None:
    scene = Scene()
    scene.passes(700)
    scene.truth.heard("t", report(700))
    scene.books(1400)
    with pytest.raises(Discrepancy, match="700 octets were reported and 1400 are in the books"):
        scene.check()


def test_octets_over_recorded_without_a_cut_are_found() -> None:
    scene = Scene()
    scene.passes(700)
    scene.truth.heard("t", report(800))
    scene.books(800)
    with pytest.raises(Discrepancy, match="100 too many where 0 are allowed"):
        scene.check()


def test_a_cut_may_over_record_what_was_allowed_and_no_more() -> None:
    scene = Scene()
    scene.passes(700)
    scene.truth.cut("t", 100)
    scene.truth.heard("t", report(800))
    scene.books(800)
    scene.check()
    with pytest.raises(Discrepancy, match="more than one chunk"):
        scene.truth.cut("t", CHUNK_MAX + 1)


def test_without_a_gate_more_may_pass_than_was_granted_and_all_of_it_is_reported() -> None:
    scene = Scene(has_gate=False)
    scene.passes(1200)
    scene.truth.heard("t", report(1199))
    scene.books(1199)
    with pytest.raises(Discrepancy, match="1 lost"):
        scene.check()


@pytest.mark.parametrize("has_gate", [True, False])
def test_what_nobody_could_see_may_be_lost_only_without_a_gate(has_gate: bool) -> None:
    scene = Scene(has_gate=has_gate)
    scene.passes(700)
    scene.truth.unmetered("t", 100)
    scene.truth.heard("t", report(600))
    scene.books(600)
    with pytest.raises(Discrepancy, match="100 lost") if has_gate else nullcontext():
        scene.check()


def test_a_wiped_journal_loses_only_what_no_row_had_stated() -> None:
    scene = Scene()
    scene.passes(700)
    scene.truth.passed("t", 200)
    scene.truth.wiped("t")
    scene.truth.heard("t", report(700))
    scene.books(700)
    scene.check()


def test_a_quota_granted_twice_is_found() -> None:
    scene = Scene()
    with pytest.raises(Discrepancy, match="granted twice"):
        scene.truth.granted("t", answer("q", 1000, valid_until=1))


def test_a_question_that_was_forgotten_is_granted_anew_unless_its_quota_was_used() -> None:
    a_day_later = replace(answer("q", 1000, valid_until=1), server_time=Instant(CLOSED_KEPT))
    Scene().truth.granted("t", a_day_later)
    scene = Scene()
    scene.passes(1)
    scene.truth.heard("t", report(1))
    with pytest.raises(Discrepancy, match="granted twice"):
        scene.truth.granted("t", a_day_later)


def test_a_question_that_comes_again_and_is_granted_nothing_is_found() -> None:
    scene = Scene()
    scene.truth.granted("t", answer("q", 1000))
    with pytest.raises(Discrepancy, match=r"question 0 of s came again and was granted \[\]"):
        scene.truth.granted("t", replace(answer("q", 1000), quotas=[]))


def test_a_decision_that_moves_more_than_nothing_is_found() -> None:
    scene = Scene()
    bucket = Account(owner=ALICE, id="b", role="bucket", balance=10)
    with pytest.raises(Discrepancy, match="account subscriber/alice:b says 10, its postings 0"):
        scene.desk.decide(lambda work: work.put(bucket))


def test_a_debt_that_nobody_paid_is_found() -> None:
    scene = Scene()
    scene.books(1500)
    with pytest.raises(Discrepancy, match="subscriber/alice owes 100 octets"):
        scene.check()


def test_usage_that_is_taken_back_is_found() -> None:
    scene = Scene()
    scene.books(700)
    with pytest.raises(Discrepancy, match="100 octets that were used are taken off subscriber/alice:used"):
        scene.desk.decide(lambda work: book.refund(work, ALICE, Octets(100)))


def test_an_account_with_more_reserved_than_it_holds_is_found() -> None:
    scene = Scene()
    bucket = Account(owner=ALICE, id="b", role="bucket", reserved=10)
    with pytest.raises(Discrepancy, match="holds 0 with 10 reserved"):
        scene.desk.decide(lambda work: work.put(bucket))
