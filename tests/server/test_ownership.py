"""Whose operator somebody belongs to, asked for by the thousand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from qanat.clock import ManualClock
from qanat.ledger.work import Work
from qanat.registry.operators import create_operator
from qanat.registry.subscribers import create_subscriber
from qanat.server.ownership import Ownership
from qanat.store.store import MemoryStore

T = TypeVar("T")


class Counting(MemoryStore):
    """Knows how many decisions were under way at most."""

    under_way = most = 0

    def decide(self, decision: Callable[[Work], T]) -> Awaitable[T]:
        return self._counted(super().decide(decision))

    async def _counted(self, decided: Awaitable[T]) -> T:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await decided
        finally:
            self.under_way -= 1


def test_of_many_strangers_only_some_are_asked_for_at_once() -> None:
    async def story() -> None:
        store = Counting(ManualClock(), pages_kept=10)
        await store.open()
        await store.decide(partial(create_operator, name="home"))
        names = [f"s-{number}" for number in range(1000)]
        for name in names:
            await store.decide(partial(create_subscriber, name=name, operator="home"))
        owners = [f"subscriber/{name}" for name in names]
        found = await Ownership(store).operators_of(owners)
        assert found == dict.fromkeys(owners, "home")
        assert 1 < store.most <= 100
        await store.close()

    asyncio.run(story())
