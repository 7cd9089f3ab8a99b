"""Pages that are missed at the same time are read in one question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from tests.store.deciding import balance, fund
from tests.store.logs import FailingLog, run

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner
from qanat.ledger.book import Account
from qanat.ledger.work import Record, Work
from qanat.registry.names import claim, holder_of, imsi_owner
from qanat.store.memory import MemoryLog
from qanat.store.port import Log
from qanat.store.store import Store


class Counted(MemoryLog):
    def __init__(self) -> None:
        super().__init__()
        self.questions: list[int] = []
        self.away = False

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        self.questions.append(len(owners))
        await asyncio.sleep(0)
        if self.away:
            raise StoreFault("the database is away")
        return await super().load(owners)


class Long(MemoryLog):
    """What is read was found long before it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0
        self.found, self.go_on = asyncio.Event(), asyncio.Event()

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        self.readings += 1
        records = await super().load(owners)
        self.found.set()
        await self.go_on.wait()
        return records


async def _filled(log: MemoryLog, names: list[str]) -> Store:
    before = await Store(log, ManualClock()).open()
    await asyncio.gather(*(before.decide(fund(name, 100)) for name in names))
    await before.close()
    return await Store(log, ManualClock()).open()


def test_pages_missed_together_are_read_together() -> None:
    async def story() -> None:
        log, names = Counted(), [f"s{n}" for n in range(50)]
        store = await _filled(log, names)
        log.questions.clear()
        assert await asyncio.gather(*(balance(store, name) for name in names)) == [100] * 50
        assert log.questions == [50]

    run(story)


def test_pages_that_a_decision_says_it_needs_are_read_together_before_it_is_made() -> None:
    async def story() -> None:
        log, names = Counted(), ["alice", "bob", "carol"]
        store = await _filled(log, names)
        log.questions.clear()
        tries = []

        def decide(work: Work) -> int:
            tries.append(work)
            owners = [Owner(f"subscriber/{name}") for name in names]
            work.need(owners)
            return sum(len(work.all(Account, owner)) for owner in owners)

        assert await store.decide(decide) == len(names)
        assert (len(tries), log.questions) == (2, [3])

    run(story)


def test_the_page_that_a_page_leads_to_is_read_with_it() -> None:
    async def story() -> None:
        log, alice = Counted(), Owner("subscriber/alice")
        store = await _filled(log, ["alice", "bob"])
        tries = []

        def lend(work: Work) -> None:
            for imsi in ("1", "2"):
                claim(work, imsi_owner(imsi), holder=alice)

        def follow(work: Work) -> int:
            tries.append(work)
            held = [holder_of(work, imsi_owner(imsi)) for imsi in ("1", "2")]
            return sum(len(work.all(Account, owner)) for owner in held if owner is not None)

        await store.decide(lend)
        await store.close()
        store = await Store(log, ManualClock()).open()
        log.questions.clear()
        assert await store.decide(follow) == 2
        assert log.questions == [1, 1, 1], "what the second leads to is there"
        assert len(tries) == 3

    run(story)


def test_whoever_misses_a_page_that_cannot_be_read_is_told_and_may_ask_again() -> None:
    async def story() -> None:
        log = Counted()
        store = await _filled(log, ["alice", "bob"])
        log.away = True
        answers = await asyncio.gather(balance(store, "alice"), balance(store, "bob"), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreFault, StoreFault]
        log.away = False
        assert await balance(store, "alice") == 100

    run(story)


def test_a_mistake_while_a_page_is_read_is_told_to_whoever_waits_for_it() -> None:
    class Mistaken(MemoryLog):
        async def load(self, owners: Sequence[Owner]) -> list[Record]:
            raise AssertionError(f"a mistake of ours: {owners}")

    async def story() -> None:
        store = await Store(Mistaken(), ManualClock()).open()
        with pytest.raises(AssertionError, match="a mistake of ours"):
            await asyncio.wait_for(balance(store, "alice"), 5)

    run(story)


def test_writing_on_pages_that_nobody_has_read_reads_none_of_them() -> None:
    async def story() -> None:
        log = Counted()
        store = await Store(log, ManualClock()).open()
        owners = [Owner(f"voucher/{n}") for n in range(500)]

        def write(work: Work) -> None:
            for owner in owners:
                work.put(Account(owner=owner, id="b", role="position", balance=7))
            work.drop(Account(owner=owners[0], id="b", role="position"))

        await store.decide(write)
        assert log.questions == []
        found = [await store.decide(partial(_balance, owner)) for owner in owners[:3]]
        assert found == [None, 7, 7]

    run(story)


@pytest.mark.parametrize("shared", [False, True])
def test_a_page_is_read_once_however_many_rounds_of_rows_are_written_meanwhile(*, shared: bool) -> None:
    """Else whoever asks for lists all the time keeps others from their pages."""
    bob = Owner("subscriber/bob")

    async def story() -> None:
        log = Long()
        alone: Log = FailingLog(log, fails_at=0, after=False)
        store = await Store(log if shared else alone, ManualClock()).open()
        reading = asyncio.ensure_future(store.decide(partial(_balance, bob)))
        await log.found.wait()
        for octets in range(1, 6):
            account = Account(owner=bob, id="b", role="position", balance=octets)
            await store.decide(partial(Work.put, record=account))
            await store.newest()
        log.go_on.set()
        assert await reading == 5
        assert log.readings == 1
        await store.close()

    run(story)


def _balance(owner: Owner, work: Work) -> int | None:
    account = work.get(Account, owner, "b")
    return account.balance if account else None
