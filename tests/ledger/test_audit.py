"""An audit that cannot fail is worth nothing: each kind of damage is made and found."""

from __future__ import annotations

from msgspec.structs import replace

from qanat.clock import ManualClock
from qanat.ids import Owner, Shard
from qanat.ledger import book
from qanat.ledger.audit import Auditor
from qanat.ledger.book import Account
from qanat.ledger.work import Entry
from qanat.store.desk import Desk
from qanat.units import Octets

ALICE = Owner("subscriber/alice")


def a_busy_day() -> list[tuple[Shard, int, Entry]]:
    desk = Desk(ManualClock())
    account = Account(owner=ALICE, id="b", role="bucket", operator="home", size=100)
    desk.decide(lambda work: book.open_bucket(work, account))
    desk.decide(lambda work: book.post(work, ALICE, (), Octets(40)))
    return desk.entries


def problems(entries: list[tuple[Shard, int, Entry]]) -> str:
    auditor = Auditor()
    for shard, seq, entry in entries:
        auditor.feed(shard, seq, entry)
    return "; ".join(auditor.verdict().problems)


def with_last(entries: list[tuple[Shard, int, Entry]], entry: Entry) -> list[tuple[Shard, int, Entry]]:
    shard, seq, _ = entries[-1]
    return [*entries[:-1], (shard, seq, entry)]


def test_an_undamaged_book_has_no_problems() -> None:
    assert problems(a_busy_day()) == ""


def test_a_balance_that_its_postings_do_not_make_is_found() -> None:
    entries = a_busy_day()
    last = entries[-1][2]
    put = [replace(r, balance=r.balance + 1) if isinstance(r, Account) and r.id == "b" else r for r in last.put]
    found = problems(with_last(entries, replace(last, put=put)))
    assert "account subscriber/alice:b holds 61, its postings 60" in found
    assert "sum to 1, not to zero" in found


def test_a_missing_entry_is_found() -> None:
    entries = a_busy_day()
    shard, seq, entry = entries[-1]
    assert f"entry {seq} is missing" in problems([*entries[:-1], (shard, seq + 1, entry)])


def test_a_reservation_that_nobody_holds_is_found() -> None:
    entries = a_busy_day()
    last = entries[-1][2]
    put = [replace(r, reserved=5) if isinstance(r, Account) and r.id == "b" else r for r in last.put]
    assert "has 5 reserved, sessions hold 0" in problems(with_last(entries, replace(last, put=put)))


def test_an_overdrawn_bucket_is_found() -> None:
    entries = a_busy_day()
    last = entries[-1][2]
    put = [replace(r, reserved=61) if isinstance(r, Account) and r.id == "b" else r for r in last.put]
    assert "is overdrawn by 1" in problems(with_last(entries, replace(last, put=put)))


def test_an_account_dropped_with_a_balance_is_found() -> None:
    entries = a_busy_day()
    shard, seq, _ = entries[-1]
    gone = Entry(drop=[("account", ALICE, "b")])
    assert "was dropped with 60 on it" in problems([*entries, (shard, seq + 1, gone)])
