"""Any call of the database may fail, before it was done or after: what was acknowledged is there once, and is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from random import Random
from typing import TypeVar

import pytest
from tests.store.deciding import fund
from tests.store.logs import FailingLog, run

from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account, transfer
from qanat.ledger.work import Record, Work
from qanat.store.batch import Decision
from qanat.store.memory import MemoryLog
from qanat.store.port import NOTHING, EntryRow, Log, RecordRow, Standing
from qanat.store.store import Store

T = TypeVar("T")
NAMES = [f"s{n}" for n in range(5)]


class Shaky(MemoryLog):
    """Whatever is asked takes its time there and back, and may be lost on both ways."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.lost = 0.0
        self._chance = chance

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        await self._ask(lambda: super(Shaky, self).append(rows, unchanged))

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        await self._ask(lambda: super(Shaky, self).project(rows, watermarks))

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        return await self._ask(lambda: super(Shaky, self).load(owners))

    async def heads(self) -> dict[Shard, int]:
        return await self._ask(super().heads)

    async def tail(self) -> list[EntryRow]:
        return await self._ask(super().tail)

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        return await self._ask(lambda: super(Shaky, self).standing(shards))

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        return await self._ask(lambda: super(Shaky, self).since(known))

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._travel()
        answer = await call()
        await self._travel()
        return answer

    async def _travel(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        if self._chance.random() < self.lost:
            raise StoreFault("the database is away")


def give(source: str, target: str, id: str) -> Decision[None]:
    """A decision over two pages that may be repeated."""

    def decision(work: Work) -> None:
        page = Owner(f"subscriber/{target}")
        if work.get(Account, page, id) is None:
            bucket = work.get(Account, Owner(f"subscriber/{source}"), "b")
            assert bucket is not None, f"{source} has a bucket"
            transfer(work, bucket, Account(owner=page, id=id, role="bucket", operator="home"), 1)

    return decision


async def insist(decide: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await decide()
        except StoreFault:
            await asyncio.sleep(0)


@pytest.mark.parametrize("servers", [1, 3])
@pytest.mark.parametrize("seed", range(12))
def test_whatever_call_fails_everything_acknowledged_is_told_and_the_books_add_up(seed: int, servers: int) -> None:
    chance = Random(seed)
    given: dict[str, set[str]] = defaultdict(set)

    async def person(stores: list[Store], place: int) -> None:
        for serial in range(12):
            source, name, id = chance.choice(NAMES), chance.choice(NAMES), f"{place}-{serial}"
            await insist(lambda: chance.choice(stores).decide(give(source, name, id)))  # noqa: B023 - awaited here
            given[name].add(id)
            name = chance.choice(NAMES)
            owner, before = Owner(f"subscriber/{name}"), set(given[name])
            told = await insist(lambda: chance.choice(stores).decide(lambda work: work.all(Account, owner)))  # noqa: B023
            assert {account.id for account in told} >= before
            found = await insist(lambda: chance.choice(stores).find(Account, owner=owner, limit=1000))  # noqa: B023
            assert {account.id for account in found} >= before

    async def story() -> None:
        log = Shaky(chance)
        alone: Log = FailingLog(log, fails_at=0, after=False)  # as of a database with one writer
        kept = chance.choice([2, 1000])
        stores = [
            await Store(alone if servers == 1 else log, ManualClock(), pages_kept=kept).open() for _ in range(servers)
        ]
        for name in NAMES:
            await stores[0].decide(fund(name, 1000))
        log.lost = chance.choice([0.02, 0.05, 0.15])
        await asyncio.gather(*(person(stores, place) for place in range(6)))
        log.lost = 0.0
        for store in stores:
            assert (await insist(store.audit)).problems == []
            await store.close()

    run(story)
