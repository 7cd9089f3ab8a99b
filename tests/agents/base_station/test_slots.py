"""Slots on a disk, and what whoever opens it does to their numbers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from qanat.agents.base_station.slots import Slot, Slots, Visit
from qanat.agents.holding import Session, Snapshot
from qanat.units import Instant, Octets
from qanat.wire.agent import UsageRow
from qanat.wire.base_station import Admitted

ADMITTED = Admitted(
    trade="trd-1",
    demander="alice",
    terminal="",
    supplier="bob",
    supplier_terminal="",
    identities={},
    order="ord-1",
    price_per_gb=0,
    currency="",
    octets=1,
    report_interval_s=1,
    server_time=Instant(0),
)
VISIT = Visit(admitted=ADMITTED, link_address="", addresses=[], merging=[], since=Instant(0))
ROW = UsageRow(seq=5, quota="q", epoch=1, up=Octets(1), down=Octets(2), reserved=Octets(3), at=Instant(0))


def test_whoever_opens_slots_numbers_their_rows_further_on_those_of_new_slots_too(tmp_path: Path) -> None:
    with closing(Slots(tmp_path / "slots.db", new_leap=lambda: 0)) as slots:
        for visit in (VISIT, None):
            slot = slots.take()
            slot.visit, slot.snapshot.floor, slot.snapshot.next_seq, slot.snapshot.rows = visit, 4, 6, {5: ROW}
            slots.put(slot)
    with closing(Slots(tmp_path / "slots.db", new_leap=lambda: 1000)) as again:
        (used,) = again.load()
        assert [used.snapshot.floor, *used.snapshot.rows, used.snapshot.next_seq] == [1004, 1005, 1006]
        assert [row.seq for row in used.snapshot.rows.values()] == [1005]
        assert _numbers(again.take().snapshot) == (1004, 1006)
        assert _numbers(again.take().snapshot) == (1000, 1001)


@pytest.mark.parametrize(
    ("sessions", "session", "is_over"),
    [(3, None, False), (4, Session(name="trd-1", next_number=1), False), (4, None, True)],
    ids=["not opened yet", "open", "opened and closed"],
)
def test_a_trade_that_was_closed_before_a_crash_is_not_begun_again(
    sessions: int, session: Session | None, is_over: bool
) -> None:
    """Else the same trade would go on, on grants that were given back."""
    snapshot = Snapshot(journal="j", sessions=sessions, session=session)
    assert Slot(number=1, snapshot=snapshot, visit=replace(VISIT, sessions_before=3)).is_over is is_over


def _numbers(snapshot: Snapshot) -> tuple[int, int]:
    return snapshot.floor, snapshot.next_seq
