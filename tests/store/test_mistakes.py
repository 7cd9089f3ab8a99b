"""A mistake of ours in the store is told to everybody who waits; nobody hangs, nothing half done stays, and it closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.store.deciding import balance, fund
from tests.store.logs import FailingLog, run

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.store.memory import MemoryLog
from qanat.store.port import NOTHING, EntryRow, Log, RecordRow, Standing
from qanat.store.store import Store

OURS = "a mistake of ours"


class Mistaken(MemoryLog):
    """Whatever is named in ``wrong`` goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: set[str] = set()
        self.closed = False

    def shard_of(self, owner: Owner) -> Shard:
        if any(owner in row.body for row in self._entries.values()):
            self._go_wrong("rows of what is appended")
        return super().shard_of(owner)

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        if "away" in self.wrong:
            raise StoreFault("the database is away")
        await super().append(rows, unchanged)

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        self._go_wrong("standing")
        return await super().standing(shards)

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        rows = await super().since(known)
        return [row._replace(shard=[]) for row in rows] if "since" in self.wrong else rows  # type: ignore[arg-type]

    async def heads(self) -> dict[Shard, int]:
        self._go_wrong("heads")
        return await super().heads()

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        self._go_wrong("project")
        await super().project(rows, watermarks)

    async def close(self) -> None:
        self.closed = True

    def _go_wrong(self, what: str) -> None:
        assert what not in self.wrong, OURS


@pytest.fixture
def log() -> Mistaken:
    return Mistaken()


@pytest.fixture(params=["sole", "shared"])
def seen_as(request: pytest.FixtureRequest, log: Mistaken) -> Log:
    """As a database that nobody else writes to, or one that several servers share."""
    return log if request.param == "shared" else FailingLog(log, fails_at=0, after=False)


@asynccontextmanager
async def opened(log: Log) -> AsyncIterator[Store]:
    """A store that must be closed in the end, and let go of its database."""
    async with asyncio.timeout(20):
        store = await Store(log, ManualClock()).open()
        yield store
        await store.close()


def test_whoever_waits_for_what_others_wrote_is_told_of_a_mistake(log: Mistaken) -> None:
    async def story() -> None:
        async with opened(log) as store:
            await store.decide(fund("alice", 10))
            log.wrong = {"standing"}
            with pytest.raises(StoreFault, match=OURS):
                await store.find(Account)
            log.wrong = set()
            assert len(await store.find(Account, label_prefix="subscriber/")) == 1

    run(story)
    assert log.closed


def test_what_was_to_be_decided_again_is_told_of_a_mistake(log: Mistaken) -> None:
    async def story() -> None:
        async with opened(log) as store, opened(log) as other:
            assert await balance(store, "alice") == 0
            await other.decide(fund("alice", 10))
            log.wrong = {"since"}
            told = await asyncio.gather(balance(store, "alice"), balance(store, "alice"), return_exceptions=True)
            assert [type(one) for one in told] == [StoreFault, StoreFault]
            log.wrong = set()
            assert await balance(store, "alice") == 10

    run(story)


@pytest.mark.parametrize("wrong", ["project", "rows of what is appended"])
def test_rows_whose_writing_was_a_mistake_are_written_when_it_is_over(log: Mistaken, seen_as: Log, wrong: str) -> None:
    async def story() -> None:
        async with opened(seen_as) as store:
            log.wrong = {wrong}
            await asyncio.gather(*(store.decide(fund(f"s{n}", 10)) for n in range(5)))
            with pytest.raises(StoreFault, match=OURS):
                await store.newest()
            log.wrong = set()
            assert len(await store.find(Account, label_prefix="subscriber/")) == 5
            assert (await store.audit()).problems == []

    run(story)


def test_who_asks_while_rows_are_written_by_mistake_is_answered(log: Mistaken, seen_as: Log) -> None:
    async def story() -> None:
        async with opened(seen_as) as store:
            log.wrong = {"project"}
            for n in range(5):
                both = (store.decide(fund(f"s{n}", 10)), store.decide(fund(f"t{n}", 10)))
                rows = asyncio.create_task(store.newest())
                await asyncio.gather(*both)
                await asyncio.gather(rows, return_exceptions=True)

    run(story)


def test_a_mistake_while_it_is_looked_where_the_database_stands_is_told_and_passes(log: Mistaken, seen_as: Log) -> None:
    async def story() -> None:
        async with opened(seen_as) as store:
            log.wrong = {"away", "heads"}
            told = await asyncio.gather(*(store.decide(fund(f"s{n}", 10)) for n in range(5)), return_exceptions=True)
            assert {type(one) for one in told} == {StoreFault}
            log.wrong = set()
            await store.decide(fund("alice", 10))
            assert await balance(store, "alice") == 10

    run(story)


@pytest.mark.parametrize("wrong", ["project", "standing", "heads", "rows of what is appended"])
def test_a_store_with_a_mistake_that_stays_is_closed(log: Mistaken, seen_as: Log, wrong: str) -> None:
    async def story() -> None:
        async with opened(seen_as) as store:
            await store.decide(fund("alice", 10))
            log.wrong = {wrong}
            await asyncio.gather(store.decide(fund("bob", 10)), return_exceptions=True)

    run(story)
    assert log.closed
