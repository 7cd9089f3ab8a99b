"""Copies between databases of different kinds: whole, in each owner's order, and never begun on something else."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import defaultdict
from pathlib import Path

import pytest
from tests.store.deciding import balance, fund, say
from tests.store.logs import Database, FailingLog, run

from qanat.bench.postgres import OwnPostgres
from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.errors import BadInput, StoreFault
from qanat.ids import Shard
from qanat.ledger.audit import Verdict
from qanat.ledger.work import Entry
from qanat.registry.operators import HOME, create_operator
from qanat.registry.subscribers import create_subscriber
from qanat.server.trading import sweep_owner
from qanat.store.archive import archive
from qanat.store.audit import audit
from qanat.store.copying import Dealer, copy, divide
from qanat.store.port import EntryRow, Log, Taken
from qanat.store.records import decode_entry
from qanat.store.store import Store
from qanat.units import Instant

KINDS = ["memory", "sqlite", "postgres"]


def database(kind: str, path: Path, postgres: OwnPostgres) -> Database:
    return Database(kind, path, postgres if kind == "postgres" else None)


def quiet(what: str, done: int, total: int) -> None:
    assert what
    assert done <= total or not total


async def history(log: Log, *, names: int = 8, sessions: int = 2) -> None:
    """What people do: entries of one shard, entries of many, records that were dropped since."""
    store = await Store(log, ManualClock(), pages_kept=100).open()
    await store.decide(lambda work: create_operator(work, name=HOME))
    for n in range(names):
        name = f"s{n}"
        await store.decide(lambda work, name=name: create_subscriber(work, name=name, operator=HOME))  # type: ignore[misc]
        await store.decide(fund(name, 5000))
        for session in range(sessions):
            await store.decide(say(name, f"{name}-{session}", 0, Event.FIRST))
            await store.decide(say(name, f"{name}-{session}", 1, Event.FINAL, used=100))
    await store.close()


async def owners(log: Log) -> dict[str, list[object]]:
    """Every owner's images in the order of their entries."""
    return await asyncio.to_thread(_owners, log)


async def audited(log: Log) -> Verdict:
    return await asyncio.to_thread(audit, log)


def _owners(log: Log) -> dict[str, list[object]]:
    told: dict[str, list[object]] = defaultdict(list)
    for item in log.snapshot():
        if isinstance(item, EntryRow):
            entry = decode_entry(item.body)
            for record in entry.put:
                told[record.owner].append(record)
            for posting in entry.postings:
                told[posting[0]].append(posting)
            for key in entry.drop:
                told[key[1]].append(tuple(key))
    return told


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_a_copy_holds_every_owners_history_in_its_order_and_is_served_on(
    source: str, to: str, tmp_path: Path, postgres: OwnPostgres
) -> None:
    async def story() -> None:
        one, two = database(source, tmp_path / "one", postgres), database(to, tmp_path / "two", postgres)
        await history(one.log())
        copied = await copy(one.log(), two.log(), tell=quiet, at_once=7)
        before, after = await audited(one.log()), await audited(two.log())
        assert after.problems == []
        assert (after.accounts, after.totals) == (before.accounts, before.totals)
        assert await owners(two.log()) == await owners(one.log())
        assert copied.entries == before.entries
        assert copied.appended == after.entries
        store = await two.open(ManualClock())
        assert store.lag == 0
        await store.decide(say("s0", "later", 0, Event.FIRST))
        assert await balance(store, "s0") == 4800
        assert (await store.audit()).problems == []
        await store.close()

    run(story)


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_a_copy_begins_with_what_entries_in_archives_left_behind(
    source: str, to: str, tmp_path: Path, postgres: OwnPostgres
) -> None:
    async def story() -> None:
        one, two = database(source, tmp_path / "one", postgres), database(to, tmp_path / "two", postgres)
        await history(one.log())
        whole = await audited(one.log())
        await archive(one.archivable(), tmp_path / "a.gz", before=Instant(1 << 60), tell=quiet)
        copied = await copy(one.log(), two.log(), tell=quiet, at_once=7)
        assert (await copy(one.log(), two.log(), tell=quiet)).appended == 0
        before, after = await audited(one.log()), await audited(two.log())
        assert (after.problems, after.accounts, after.totals) == ([], whole.accounts, whole.totals)
        assert copied.entries == before.entries < whole.entries
        store = await two.open(ManualClock())
        await store.decide(say("s0", "later", 0, Event.FIRST))
        assert await balance(store, "s0") == 4800
        await store.close()

    run(story)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("source", "to"), [("sqlite", "memory"), ("memory", "sqlite"), ("sqlite", "postgres")])
def test_a_copy_may_be_interrupted_at_every_write_and_gone_on_with(
    source: str, to: str, after: bool, tmp_path: Path, postgres: OwnPostgres
) -> None:
    async def story() -> None:
        one = database(source, tmp_path / "one", postgres)
        await history(one.log(), names=3, sessions=1)
        origin = one.log()
        for fails_at in range(1, 100):
            two = database(to, tmp_path / f"two-{fails_at}", postgres)
            whole = two.log()
            failing = FailingLog(two.log(), fails_at=fails_at, after=after)
            try:
                await copy(origin, failing, tell=quiet, at_once=3)
            except StoreFault:
                await copy(origin, whole, tell=quiet, at_once=3)
            assert (await audited(whole)).problems == []
            assert await owners(whole) == await owners(origin)
            await whole.close()
            await failing.close()
            if not failing.failed:
                await origin.close()
                return
        raise AssertionError("the copy has more writes than were tried")

    run(story)


def test_a_finished_copy_is_repeated_without_effect_and_takes_up_what_came_since(tmp_path: Path) -> None:
    async def story() -> None:
        one, two = Database("sqlite", tmp_path / "one"), Database("memory", tmp_path / "two")
        await history(one.log())
        first = await copy(one.log(), two.log(), tell=quiet)
        assert (await copy(one.log(), two.log(), tell=quiet)).appended == 0
        clock = ManualClock()
        clock.advance(40 * 86_400_000)
        store = await one.open(clock)
        for owner in await store.due_owners(100):
            await sweep_owner(store, owner)
        await store.close()
        again = await copy(one.log(), two.log(), tell=quiet)
        assert 0 < again.appended < first.appended
        assert (await audited(two.log())).problems == []

    run(story)


def test_a_target_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        one, two = Database("sqlite", tmp_path / "one"), Database("memory", tmp_path / "two")
        await history(one.log())
        store = await two.open(ManualClock())
        await store.decide(fund("dora", 10))
        await store.close()
        before = await owners(two.log())
        with pytest.raises(BadInput, match="something else"):
            await copy(one.log(), two.log(), tell=quiet)
        assert await owners(two.log()) == before

    run(story)


def test_a_target_that_was_served_since_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        one, two = Database("memory", tmp_path / "one"), Database("sqlite", tmp_path / "two")
        await history(one.log())
        await copy(one.log(), two.log(), tell=quiet)
        store = await two.open(ManualClock())
        await store.decide(fund("dora", 10))
        await store.close()
        with pytest.raises(BadInput, match="something else"):
            await copy(one.log(), two.log(), tell=quiet)

    run(story)


def test_somebody_else_who_writes_to_the_target_is_noticed(tmp_path: Path) -> None:
    class Visited(FailingLog):
        async def heads(self) -> dict[Shard, int]:
            return {}

    async def story() -> None:
        one, two = Database("sqlite", tmp_path / "one"), Database("memory", tmp_path / "two")
        await history(one.log())
        await history(two.log(), names=1)
        with pytest.raises(Taken):
            await copy(one.log(), Visited(two.log(), fails_at=0, after=False), tell=quiet)

    run(story)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_a_source_whose_rows_are_behind_is_not_copied(kind: str, tmp_path: Path, postgres: OwnPostgres) -> None:
    async def story() -> None:
        one, two = database(kind, tmp_path, postgres), Database("sqlite", tmp_path)
        store = await Store(FailingLog(one.log(), fails_at=2, after=False), ManualClock()).open()
        await store.decide(fund("alice", 10))
        with pytest.raises(BadInput, match="stop its server"):
            await copy(one.log(), two.log(), tell=quiet, at_once=1)
        assert await two.log().heads() == {}
        await store.close()

    run(story)


def test_the_parts_of_an_entry_are_the_entry(tmp_path: Path) -> None:
    async def story() -> None:
        one = Database("sqlite", tmp_path)
        await history(one.log())
        dealer, parted = Dealer(Database("memory", tmp_path).log().shard_of), 0
        for item in one.log().snapshot():
            if isinstance(item, EntryRow):
                dealt = dealer.deal(item)
                parted += len(dealt) > 1
                whole, parts = decode_entry(item.body), [decode_entry(row.body) for row in dealt]
                assert _all(parts, "postings") == sorted(map(repr, whole.postings))
                assert _all(parts, "put") == sorted(map(repr, whole.put))
                assert _all(parts, "drop") == sorted(map(repr, whole.drop))
        assert parted

    run(story)


def _all(parts: list[Entry], field: str) -> list[str]:
    return sorted(repr(one) for part in parts for one in getattr(part, field))


def test_a_posting_without_an_image_beside_it_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="leaves no image"):
        divide(Entry(postings=[("subscriber/alice:b", 1)]), lambda _: Shard(0))


def test_memory_does_not_grow_with_the_database(tmp_path: Path) -> None:
    async def peak(sessions: int) -> int:
        one, two = Database("sqlite", tmp_path / f"{sessions}"), Database("sqlite", tmp_path / f"{sessions}-copy")
        await history(one.log(), names=4, sessions=sessions)
        source, target = one.log(), two.log()
        tracemalloc.start()
        await copy(source, target, tell=quiet, at_once=20)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        await source.close()
        await target.close()
        return highest

    async def story() -> None:
        some = await peak(40)
        assert await peak(320) < 3.5 * some, "eight times as much; what one batch and SQLite take varies with chance"

    run(story)
