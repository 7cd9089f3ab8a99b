"""Parcels: value on its way between two pages, and the audit that knows how much."""

from __future__ import annotations

from functools import partial

import pytest

from qanat.clock import ManualClock
from qanat.exchange.obligations import Obligation, owe, pair_owner
from qanat.ids import Owner, shard_of
from qanat.ledger.audit import Auditor
from qanat.ledger.book import Account
from qanat.ledger.transit import Parcel, Receipt, arrives, delivered, parcels_of, send, unpack
from qanat.ledger.work import Entry, Work
from qanat.server import sweeping
from qanat.store.desk import Desk
from qanat.units import DAY, Instant

ALICE, BOB = Owner("subscriber/alice"), Owner("subscriber/bob")
GIFT = Parcel(sender=ALICE, target=BOB, act="gift", unit="beans", amount=7)


def account(owner: Owner, work: Work) -> Account:
    return work.get(Account, owner, "jar") or Account(owner=owner, id="jar", role="given", unit="beans")


def post(work: Work) -> None:
    send(work, GIFT, source=account(ALICE, work))


def take(work: Work, parcel: Parcel) -> bool:
    if not arrives(work, parcel):
        return False
    unpack(work, parcel, account(BOB, work))
    return True


def posted(desk: Desk) -> tuple[Parcel, ...]:
    return desk.decide(partial(parcels_of, owner=ALICE))


@pytest.fixture
def desk() -> Desk:
    assert shard_of(ALICE) != shard_of(BOB)
    made = Desk(ManualClock())
    made.decide(post)
    return made


def test_value_stands_in_transit_until_it_is_taken_and_is_taken_once(desk: Desk) -> None:
    (parcel,) = posted(desk)
    assert desk.audit().totals["beans transit"] == 7
    assert desk.decide(partial(take, parcel=parcel))
    assert not desk.decide(partial(take, parcel=parcel))
    assert desk.audit().totals["beans transit"] == 0
    assert desk.decide(partial(account, BOB)).balance == 7
    assert desk.audit().problems == []


def test_whoever_comes_late_with_an_old_list_of_parcels_delivers_nothing_twice(desk: Desk) -> None:
    old = posted(desk)
    desk.decide(post)
    for parcel in posted(desk):
        assert desk.decide(partial(take, parcel=parcel))
    assert not desk.decide(partial(take, parcel=old[0]))
    desk.decide(partial(delivered, owner=ALICE, up_to=old[-1].seq))
    assert [parcel.seq for parcel in posted(desk)] == [2]
    assert desk.audit().problems == []
    assert desk.decide(partial(account, BOB)).balance == 14


def test_an_outbox_is_due_until_it_is_delivered_and_the_sweeper_leaves_it_alone(desk: Desk) -> None:
    desk.decide(partial(sweeping.sweep, owner=ALICE))
    assert desk.due_owners() == [ALICE]
    for parcel in posted(desk):
        desk.decide(partial(take, parcel=parcel))
        desk.decide(partial(delivered, owner=ALICE, up_to=parcel.seq))
    assert desk.due_owners() == []


def test_a_receipt_is_kept_for_as_long_as_a_parcel_may_come_again(desk: Desk) -> None:
    (parcel,) = posted(desk)
    desk.decide(partial(take, parcel=parcel))
    for _ in range(2):
        desk.clock.advance(31 * DAY)  # type: ignore[attr-defined]
        desk.decide(partial(sweeping.sweep, owner=BOB))
        assert desk.all(Receipt, BOB)
        assert not desk.decide(partial(take, parcel=parcel))
    desk.decide(partial(delivered, owner=ALICE, up_to=parcel.seq))
    desk.clock.advance(31 * DAY)  # type: ignore[attr-defined]
    desk.decide(partial(sweeping.sweep, owner=BOB))
    assert desk.all(Receipt, BOB) == []
    desk.decide(post)
    assert [desk.decide(partial(take, parcel=parcel)) for parcel in posted(desk)] == [True]


def damaged(desk: Desk, damage: Entry) -> str:
    auditor = Auditor()
    for shard, seq, entry in desk.entries:
        auditor.feed(shard, seq, entry)
    auditor.feed(shard, seq + 1, damage)
    return "; ".join(auditor.verdict().problems)


def test_the_audit_finds_value_in_transit_that_no_parcel_carries(desk: Desk) -> None:
    assert "7 beans stand in transit beyond what parcels carry" in damaged(
        desk, Entry(drop=[("outbox", ALICE, "outbox")])
    )


def test_the_audit_finds_a_position_that_its_obligations_do_not_make() -> None:
    desk = Desk(ManualClock())
    pair = pair_owner("alice", "bob")
    new = Obligation(
        owner=pair, id="o", debtor="bob", creditor="alice", unit="octets", amount=5, left=5, since=Instant(1)
    )
    desk.decide(partial(owe, new=new))
    assert desk.audit().problems == []
    found = damaged(desk, Entry(drop=[("obligation", pair, "o")]))
    assert "octets/alice holds 5, its obligations 0" in found
    assert "octets/bob holds -5, its obligations 0" in found
