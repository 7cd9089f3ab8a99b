"""Parcels: value on its way between two pages, and the audit that knows how much."""

from __future__ import annotations

from functools import partial

import pytest

from qanat.clock import ManualClock
from qanat.exchange.obligations import owe, pair_owner
from qanat.ids import Owner, shard_of
from qanat.ledger.audit import Auditor
from qanat.ledger.book import Account
from qanat.ledger.transit import Parcel, Receipt, arrives, delivered, parcels_of, send, unpack
from qanat.ledger.work import Entry, Work
from qanat.server.http import translate_trades as translate
from qanat.store.desk import Desk
from qanat.units import DAY, Instant

ALICE, BOB = Owner("subscriber/alice"), Owner("subscriber/bob")
PARCEL = Parcel(owner=ALICE, id="p", target=BOB, act="gift", unit="beans", amount=7)


def account(owner: Owner, work: Work) -> Account:
    return work.get(Account, owner, "jar") or Account(owner=owner, id="jar", role="given", unit="beans")


def post(work: Work) -> None:
    send(work, PARCEL, source=account(ALICE, work))


def take(work: Work) -> bool:
    if not arrives(work, PARCEL):
        return False
    unpack(work, PARCEL, account(BOB, work))
    return True


@pytest.fixture
def desk() -> Desk:
    assert shard_of(ALICE) != shard_of(BOB)
    made = Desk(ManualClock())
    made.decide(post)
    return made


def test_value_stands_in_transit_until_it_is_taken_and_is_taken_once(desk: Desk) -> None:
    assert desk.audit().totals["beans transit"] == 7
    assert desk.decide(take)
    assert not desk.decide(take)
    assert desk.audit().totals["beans transit"] == 0
    assert desk.decide(partial(account, BOB)).balance == 7
    assert desk.audit().problems == []


def test_a_parcel_is_due_until_it_is_delivered_and_the_sweeper_leaves_it_alone(desk: Desk) -> None:
    desk.decide(partial(translate.sweep, owner=ALICE))
    assert desk.due_owners() == [ALICE]
    desk.decide(take)
    for parcel in desk.decide(partial(parcels_of, owner=ALICE)):
        desk.decide(partial(delivered, parcel=parcel))
    assert desk.due_owners() == []


def test_a_receipt_is_kept_for_as_long_as_its_parcel_may_come_again(desk: Desk) -> None:
    desk.decide(take)
    for _ in range(2):
        desk.clock.advance(31 * DAY)  # type: ignore[attr-defined]
        desk.decide(partial(translate.sweep, owner=BOB))
        assert desk.all(Receipt, BOB)
        assert not desk.decide(take)
    desk.decide(partial(delivered, parcel=desk.all(Parcel, ALICE)[0]))
    desk.clock.advance(31 * DAY)  # type: ignore[attr-defined]
    desk.decide(partial(translate.sweep, owner=BOB))
    assert desk.all(Receipt, BOB) == []


def damaged(desk: Desk, damage: Entry) -> str:
    auditor = Auditor()
    for shard, seq, entry in desk.entries:
        auditor.feed(shard, seq, entry)
    auditor.feed(shard, seq + 1, damage)
    return "; ".join(auditor.verdict().problems)


def test_the_audit_finds_value_in_transit_that_no_parcel_carries(desk: Desk) -> None:
    assert "7 beans stand in transit beyond what parcels carry" in damaged(desk, Entry(drop=[("parcel", ALICE, "p")]))


def test_the_audit_finds_a_position_that_its_obligations_do_not_make() -> None:
    desk = Desk(ManualClock())
    story = partial(owe, id="o", debtor="bob", creditor="alice", unit="octets", amount=5, since=Instant(1))
    desk.decide(story)
    assert desk.audit().problems == []
    found = damaged(desk, Entry(drop=[("obligation", pair_owner("alice", "bob"), "o")]))
    assert "octets/alice holds 5, its obligations 0" in found
    assert "octets/bob holds -5, its obligations 0" in found
