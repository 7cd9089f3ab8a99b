"""Settlement: positions between operators, netted; files that prove themselves; periods that close."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exchange.cleared import OPERATORS, PERIOD, record
from tests.exchange.world import World, online, refused
from tests.small_files import biggest_file

from qanat.clock import ManualClock
from qanat.errors import Unwritten
from qanat.exchange.clearing import CARRIED, ClearingRecord, after, close_period, open_period
from qanat.exchange.settlement import FIELDS, Clearing, Position, line, moved, net, preserves
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.server.settling import Settled, settle
from qanat.store.store import MemoryStore, Store
from qanat.units import DAY, Instant

T = TypeVar("T")
_operators = st.sampled_from(OPERATORS)
_records = st.lists(
    st.builds(
        partial(record, 0),
        supplier=_operators,
        demander=_operators,
        station=_operators,
        octets=st.integers(0, 2**53),
        unit=st.sampled_from(["octets", "EUR"]),
    ),
    max_size=40,
)


@given(records=_records)
def test_netting_preserves_every_operators_total(records: list[ClearingRecord]) -> None:
    """Held against sums made here, record by record."""
    clearing, totals = Clearing(), Counter[tuple[str, str]]()
    for one in records:
        clearing.add(one, line(one))
        totals[one.supplier_operator, one.unit] += one.amount
        totals[one.demander_operator, one.unit] -= one.amount
        totals[one.station_operator, CARRIED] += one.octets
        totals[one.demander_operator, CARRIED] -= one.octets
    transfers = clearing.transfers()
    brought = moved(transfers)
    for operator in OPERATORS:
        for unit in ("octets", "EUR", CARRIED):
            assert brought[operator, unit] == totals[operator, unit]
    assert all(transfer.amount > 0 and transfer.debtor != transfer.creditor for transfer in transfers)
    assert len(transfers) <= 3 * (len(OPERATORS) - 1)
    assert preserves(clearing.positions(), transfers)


def test_a_circle_of_debts_nets_to_nothing() -> None:
    ring = zip(OPERATORS, (*OPERATORS[1:], OPERATORS[0]), strict=True)
    clearing = Clearing()
    for number, (one, other) in enumerate(ring):
        made = record(number, supplier=one, demander=other, station=other, octets=7)
        clearing.add(made, line(made))
    assert clearing.transfers() == []
    positions = clearing.positions()
    assert {position.operator for position in positions} == set(OPERATORS)
    assert all(position.claims == position.owes == 7 for position in positions)


def test_netting_that_changed_a_total_would_be_seen() -> None:
    positions = [
        Position(operator="north", unit="EUR", claims=5, owes=0),
        Position(operator="south", unit="EUR", claims=0, owes=5),
    ]
    assert preserves(positions, net(positions))
    assert not preserves(positions, [])


def run(test: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    async def opened() -> T:
        store = await MemoryStore(ManualClock()).open()
        try:
            return await test(store)
        finally:
            await store.close()

    return asyncio.run(opened())


async def fill(store: Store, records: list[ClearingRecord]) -> None:
    def put(work: Work) -> None:
        for one in records:
            work.put(one)

    await store.decide(put)


def many(count: int) -> list[ClearingRecord]:
    return [
        record(
            number,
            supplier=OPERATORS[number % 4],
            demander=OPERATORS[number * 3 // 4 % 4],
            station=OPERATORS[number // 5 % 4],
            octets=1000 + number,
        )
        for number in range(count)
    ]


def test_a_disk_that_is_full_leaves_no_half_file_and_the_repeat_goes_on(tmp_path: Path) -> None:
    """Under a bound that the system sets for one file, as a disk sets one for all."""

    async def test(store: Store) -> Settled | Refused:
        await fill(store, many(100))
        with biggest_file(octets=4096), pytest.raises(Unwritten, match=f"{tmp_path} can't be written: File too large"):
            await settle(store, PERIOD, close=True, directory=tmp_path)
        assert os.listdir(tmp_path) == []
        return await settle(store, PERIOD, close=True, directory=tmp_path)

    settled = run(test)
    assert isinstance(settled, Settled)
    assert {one.name for one in tmp_path.iterdir()} == {f"{operator}-{PERIOD}.csv" for operator in OPERATORS}


def test_operators_files_have_no_gap_and_prove_themselves(tmp_path: Path) -> None:
    records = many(2_500)

    async def test(store: Store) -> Settled | Refused:
        await fill(store, records)
        return await settle(store, PERIOD, close=True, directory=tmp_path)

    settled = run(test)
    assert isinstance(settled, Settled)
    assert settled.files == tuple(sorted(OPERATORS))
    for operator in OPERATORS:
        text = (tmp_path / f"{operator}-{PERIOD}.csv").read_text()
        *body, last = text.splitlines(keepends=True)
        digest = hashlib.sha256("".join(body).encode()).hexdigest()
        head, *rows = list(csv.reader(body))
        assert tuple(head) == FIELDS
        assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
        assert last == f"trailer,{len(rows)},sha-256:{digest}\n"
        theirs = sum(one.octets for one in records if operator in one.operators())
        assert sum(int(row[FIELDS.index("dataTotalVolume")]) for row in rows) == theirs


def test_a_period_that_has_not_begun_is_not_closed() -> None:
    """A year that was typed wrong would be closed for ever."""

    async def test(store: Store) -> None:
        assert refused(await settle(store, "2023-12", close=True)) is Refusal.PERIOD_NOT_BEGUN
        preview = await settle(store, "2023-12")
        assert isinstance(preview, Settled)
        assert preview.closed is None

    run(test)


def test_a_closed_period_never_changes_and_is_closed_once() -> None:
    async def test(store: Store) -> None:
        await fill(store, many(10))
        preview = await settle(store, PERIOD)
        closed = await settle(store, PERIOD, close=True)
        again = await settle(store, PERIOD, close=True)
        later = await settle(store, PERIOD)
        assert isinstance(preview, Settled)
        assert isinstance(closed, Settled)
        assert isinstance(later, Settled)
        assert (preview.closed, closed.unchanged, later.unchanged) == (None, True, True)
        assert refused(again) is Refusal.PERIOD_CLOSED
        assert later.clearing.digest == closed.clearing.digest
        await fill(store, [record(99, supplier="north", demander="south", station="west", octets=1)])
        tampered = await settle(store, PERIOD)
        assert isinstance(tampered, Settled)
        assert not tampered.unchanged, "what was slipped in behind our back is seen"

    run(test)


def test_a_closing_that_was_interrupted_goes_on() -> None:
    async def test(store: Store) -> None:
        await fill(store, many(10))
        await store.decide(partial(close_period, period=PERIOD))
        settled = await settle(store, PERIOD, close=True)
        assert isinstance(settled, Settled)
        assert settled.closed is not None
        assert settled.closed.records == 10

    run(test)


def test_a_preview_changes_nothing_even_where_a_closing_was_interrupted(tmp_path: Path) -> None:
    """It may have begun to read before the period was closed; and the files are still to be written."""

    async def test(store: Store) -> None:
        await fill(store, many(10))
        await store.decide(partial(close_period, period=PERIOD))
        preview = await settle(store, PERIOD)
        assert isinstance(preview, Settled)
        assert preview.unchanged
        settled = await settle(store, PERIOD, close=True, directory=tmp_path)
        assert isinstance(settled, Settled)
        assert settled.closed is not None
        assert (settled.closed.records, settled.files) == (10, tuple(sorted(OPERATORS)))

    run(test)


def test_what_is_booked_after_the_closing_is_in_the_next_open_period(world: World) -> None:
    world.buy("alice", 9_000)
    world.offer("alice")
    world.decide(partial(close_period, period=PERIOD))
    gateway = online(world, "bob", to="alice")
    gateway.pass_(100)
    gateway.finish()
    world.deliver()
    (cleared,) = [entry for _, _, one in world.desk.entries for entry in one.put if isinstance(entry, ClearingRecord)]
    assert (cleared.period, cleared.supplier_operator, cleared.demander_operator) == ("2023-12", "north", "south")
    assert cleared.claims() == [("octets", "south", "north", 100), (CARRIED, "south", "west", 100)]


def test_a_trade_within_one_operator_clears_nothing(world: World) -> None:
    world.buy("alice", 9_000)
    world.offer("alice")
    gateway = online(world, "anna", to="alice", at="bst-carl")
    gateway.pass_(100)
    gateway.finish()
    world.deliver()
    assert world.obtained("anna") == 100
    assert not [entry for _, _, one in world.desk.entries for entry in one.put if isinstance(entry, ClearingRecord)]


def test_the_month_after_december_is_january() -> None:
    assert [after("2026-11"), after("2026-12")] == ["2026-12", "2027-01"]


def test_several_closed_periods_are_skipped(world: World) -> None:
    for period in ("2023-09", "2023-10", PERIOD):
        world.decide(partial(close_period, period=period))
    assert world.decide(lambda work: open_period(work, Instant(work.now - 60 * DAY))) == "2023-12"
