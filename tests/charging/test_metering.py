"""Journal rows: right total, exactly once, whatever the network does to them."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from qanat.charging.metering import Ingested, JournalMark, ingest
from qanat.charging.session import Quota, Session
from qanat.clock import ManualClock
from qanat.ids import Owner, QuotaId
from qanat.refusals import Refusal, Refused
from qanat.store.desk import Desk
from qanat.units import MAX_OCTETS, Instant
from qanat.wire.agent import UsageReport, UsageRow

ALICE = Owner("subscriber/alice")


def row(seq: int, octets: int, *, quota: str = "q", epoch: int = 1) -> UsageRow:
    return UsageRow(seq=seq, quota=quota, epoch=epoch, up=0, down=octets, reserved=octets, at=Instant(0))


def holding(quota: str) -> Quota:
    end = Instant(1)
    return Quota(id=QuotaId(quota), octets=30, rating_group=None, parts=(), valid_until=end, deadline=end)


class Server:
    def __init__(self) -> None:
        self.desk = Desk(ManualClock())
        self.posted = 0

    def take(self, *rows: UsageRow, floor: int = 0, journal: str = "j") -> int:
        report = UsageReport(journal=journal, floor=floor, rows=list(rows))
        counted = self.take_or_refuse(report, journal=journal)
        assert not isinstance(counted, Refused)
        assert all(octets >= 0 for octets in counted.octets.values()), "what was counted stays counted"
        self.posted += sum(counted.octets.values())
        return counted.acked

    def take_or_refuse(self, report: UsageReport, *, journal: str = "j", most: int = MAX_OCTETS) -> Ingested | Refused:
        return self.desk.decide(lambda work: ingest(work, ALICE, journal=journal, report=report, most=most))


def test_more_than_can_be_is_refused_and_leaves_no_trace() -> None:
    server = Server()
    report = UsageReport(journal="j", floor=0, rows=[row(1, 100), row(2, 7, quota="other")])
    refused = server.take_or_refuse(report, most=106)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.facts) == (Refusal.IMPLAUSIBLE_USAGE, {"octets": 107})
    assert server.take_or_refuse(report, most=107) == ({"q": 100, "other": 7}, {"q": 0, "other": 0}, 2)


def test_rows_are_cumulative_only_the_difference_is_posted() -> None:
    server = Server()
    assert server.take(row(1, 100), row(2, 250)) == 2
    assert server.take(row(3, 300)) == 3
    assert server.posted == 300


def test_a_repeated_report_posts_nothing_and_is_confirmed_the_same() -> None:
    server = Server()
    assert [server.take(row(1, 100)) for _ in range(3)] == [1, 1, 1]
    assert server.posted == 100


def test_the_part_that_went_up_is_told_of_all_rows_of_a_quota_together() -> None:
    rows = [
        UsageRow(seq=seq, quota="q", epoch=1, up=up, down=9, reserved=0, at=Instant(0)) for seq, up in ((1, 5), (2, 12))
    ]
    counted = Server().take_or_refuse(UsageReport(journal="j", floor=0, rows=rows))
    assert counted == ({"q": 21}, {"q": 12}, 2)


def test_rows_behind_a_gap_are_counted_and_not_confirmed() -> None:
    server = Server()
    assert server.take(row(3, 300)) == 0
    assert server.take(row(1, 100)) == 1
    assert server.posted == 300
    assert server.take(row(1, 100), row(2, 200), row(3, 300)) == 3
    assert server.posted == 300


def test_rows_behind_a_gap_are_not_forgotten_however_many_quotas_they_are_of() -> None:
    server, rows = Server(), [row(seq, 10, quota=f"q{seq}") for seq in range(1, 101)]
    assert server.take(*rows[1:]) == 0
    assert server.take(*rows) == 100
    assert server.posted == 1000


def test_an_epoch_starts_from_nothing_and_adds_to_those_before() -> None:
    server = Server()
    server.take(row(1, 500, epoch=1), row(2, 70, epoch=2), row(3, 90, epoch=2))
    assert server.posted == 590


def test_a_wiped_journal_counts_beside_the_old_one() -> None:
    server = Server()
    server.take(row(1, 500), journal="old")
    assert server.take(row(1, 20, quota="q2"), journal="new") == 1
    assert server.posted == 520


def test_rows_that_the_holder_deleted_after_confirmation_are_not_waited_for() -> None:
    server = Server()
    assert server.take(row(8, 100), floor=7) == 8


def test_many_quotas_later_an_old_row_still_counts_nothing() -> None:
    server = Server()
    for seq in range(1, 101):
        server.take(row(seq, 10, quota=f"q{seq}"))
    server.take(row(1, 10, quota="q1"))
    assert server.posted == 1000
    mark = server.desk.get(JournalMark, ALICE, "j")
    assert mark is not None
    assert len(mark.totals) <= 33


def test_a_copy_older_than_what_is_remembered_is_charged_what_it_held_once() -> None:
    server = Server()
    copied = row(1, 100, quota="in use")
    for seq in range(1, 35):
        server.take(row(seq, 100, quota=f"q{seq}" if seq > 1 else copied.quota))
    assert server.posted == 3400
    for seq in (1000, 1001):
        server.take(row(seq, 100, quota=copied.quota), floor=seq - 1)
        assert server.posted == 3500


def test_a_quota_that_is_still_held_counts_on_however_many_others_there_are() -> None:
    """One journal of a base station with fifty demanders on one supplier's octets."""
    server, held = Server(), [holding(f"q{number}") for number in range(50)]
    server.desk.decide(lambda work: work.put(Session(owner=ALICE, id="trd-1", quotas=tuple(held))))
    for turn in (1, 2, 3):
        first = 50 * (turn - 1)
        server.take(*(row(first + n, 10 * turn, quota=quota.id) for n, quota in enumerate(held, 1)), floor=first)
    assert server.posted == 50 * 30


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_in_any_order_with_any_repeats_the_total_is_the_truth(data: st.DataObject) -> None:
    """A holder writes rows over several quotas and epochs; the network delivers any slices of the journal, in any order."""
    truth: dict[tuple[str, int], int] = {}
    rows: list[UsageRow] = []
    for seq in range(1, data.draw(st.integers(1, 12)) + 1):
        quota, epoch = data.draw(st.sampled_from(["q1", "q2"])), data.draw(st.integers(1, 2))
        truth[quota, epoch] = truth.get((quota, epoch), 0) + data.draw(st.integers(0, 100))
        rows.append(row(seq, truth[quota, epoch], quota=quota, epoch=epoch))
    server = Server()
    for slice_ in data.draw(st.lists(st.lists(st.sampled_from(rows), max_size=5), max_size=8)):
        assert server.posted <= sum(truth.values())
        server.take(*slice_)
    assert server.take(*rows) == len(rows)
    assert server.posted == sum(truth.values())
