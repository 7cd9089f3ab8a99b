from __future__ import annotations

import asyncio
from functools import partial

from qanat.charging.session import Quota, Session
from qanat.clock import ManualClock
from qanat.ids import Owner, QuotaId
from qanat.refusals import Refused
from qanat.registry.access import Caller, caller_of, give_token
from qanat.registry.operators import create_operator
from qanat.registry.subscribers import Subscriber, create_subscriber
from qanat.registry.wallets import balance_of, top_up
from qanat.server.metrics import Metrics
from qanat.server.settings import Sweeper
from qanat.server.sweeper import sweep_once
from qanat.store.store import MemoryStore, Store
from qanat.units import DAY, HOUR, Octets, later


async def _subscriber(store: Store, name: str) -> Subscriber:
    made = await store.decide(partial(create_subscriber, name=name, operator="home"))
    assert isinstance(made, Subscriber)
    return made


async def _let_tokens_run_out(store: Store, clock: ManualClock, tokens: int) -> None:
    caller = Caller(who="alice", role="subscriber")
    for number in range(tokens):
        await store.decide(partial(give_token, caller=caller, token=f"t{number}", until=later(clock.now(), HOUR)))
    clock.advance(HOUR)


def test_the_sweeper_empties_expired_buckets_and_forgets_tokens_that_ran_out() -> None:
    async def story() -> None:
        clock = ManualClock()
        store = await MemoryStore(clock).open()
        await store.decide(partial(create_operator, name="home"))
        alice = await _subscriber(store, "alice")
        await store.decide(partial(top_up, subscriber=alice, octets=Octets(1000), valid_days=1, bucket="b"))
        caller = Caller(who="alice", role="subscriber")
        await store.decide(lambda work: give_token(work, caller, token="t", until=later(work.now, HOUR)))
        metrics, settings = Metrics(store), Sweeper()
        assert await sweep_once(store, settings, metrics) == 0
        clock.advance(DAY)
        assert await sweep_once(store, settings, metrics) == 2
        assert await sweep_once(store, settings, metrics) == 0
        assert (await store.decide(lambda work: balance_of(work, alice))).available == 0
        assert isinstance(await store.decide(lambda work: caller_of(work, "t")), Refused)
        assert (await store.audit()).problems == []
        await store.close()

    asyncio.run(story())


def test_what_does_not_fit_into_one_look_is_swept_in_the_next() -> None:
    async def story() -> None:
        clock = ManualClock()
        store = await MemoryStore(clock).open()
        await _let_tokens_run_out(store, clock, 5)
        metrics, settings = Metrics(store), Sweeper(batch=2)
        assert [await sweep_once(store, settings, metrics) for _ in range(4)] == [2, 2, 1, 0]
        await store.close()

    asyncio.run(story())


def test_owners_that_are_due_together_share_commits() -> None:
    async def story() -> None:
        clock = ManualClock()
        store = await MemoryStore(clock).open()
        await _let_tokens_run_out(store, clock, 200)
        before = store.figures.batches
        assert await sweep_once(store, Sweeper(), Metrics(store)) == 200
        assert store.figures.batches - before < 20
        await store.close()

    asyncio.run(story())


def test_one_owners_broken_record_keeps_no_other_from_being_swept() -> None:
    async def story() -> None:
        clock = ManualClock()
        store = await MemoryStore(clock).open()
        quota = Quota(
            id=QuotaId("q"),
            octets=1,
            rating_group=None,
            parts=(("gone", 1),),
            valid_until=clock.now(),
            deadline=clock.now(),
        )
        broken = Session(owner=Owner("subscriber/alice"), id="s", due=clock.now(), quotas=(quota,))
        await store.decide(lambda work: work.put(broken))
        caller = Caller(who="bob", role="subscriber")
        await store.decide(partial(give_token, caller=caller, token="t", until=clock.now()))
        assert await sweep_once(store, Sweeper(), Metrics(store)) == 1
        assert isinstance(await store.decide(lambda work: caller_of(work, "t")), Refused)
        await store.close()

    asyncio.run(story())
