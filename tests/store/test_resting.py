"""Sessions that are over leave memory before their page does, and nobody notices (decision 29)."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random

import pytest
from tests.store.deciding import balance, fund, say
from tests.store.logs import Database, FailingLog, run

from qanat.charging.credit_control import kept_until
from qanat.charging.session import Event, Session, State
from qanat.charging.sweep import sweep
from qanat.clock import ManualClock
from qanat.ids import Owner
from qanat.ledger.book import Account
from qanat.ledger.work import Entry
from qanat.store.desk import Desk
from qanat.store.memory import MemoryLog
from qanat.store.pages import Pages
from qanat.store.port import Log
from qanat.store.store import Store
from qanat.units import DAY, HOUR, MINUTE, Instant, Millis

ALICE = Owner("subscriber/alice")


def test_a_session_that_is_over_is_read_again_for_a_repeat_and_for_nothing_else(
    database: Database, clock: ManualClock
) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund("alice", 50_000))
        await store.decide(say("alice", "old", 0, Event.FIRST))
        last = await store.decide(say("alice", "old", 1, Event.FINAL, used=700))
        await store.newest()  # its rows are written, and what is over goes
        loads = store.figures.loads
        await store.decide(say("alice", "new", 0, Event.FIRST))
        assert store.figures.loads == loads
        assert await store.decide(say("alice", "old", 1, Event.FINAL, used=700)) == last
        assert store.figures.loads == loads + 1
        assert await balance(store, "alice") == 50_000 - 700
        await store.decide(say("alice", "new", 1, Event.INTERMEDIATE, used=300))
        await store.newest()  # what was read goes again
        assert await store.decide(say("alice", "old", 1, Event.FINAL, used=700)) == last
        assert store.figures.loads == loads + 2
        sessions = await store.decide(lambda work: work.all(Session, ALICE))
        assert sorted(session.id for session in sessions) == ["new", "old"]
        assert (await store.audit()).balanced
        await store.close()

    run(story)


def test_it_is_forgotten_after_its_day_with_what_its_owner_closed_in_the_same_hour(
    database: Database, clock: ManualClock
) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund("alice", 50_000))
        for session in ("one", "two"):
            await store.decide(say("alice", session, 0, Event.FIRST))
            await store.decide(say("alice", session, 1, Event.FINAL, used=700))
            clock.advance(MINUTE)
        closed = await store.decide(lambda work: work.all(Session, ALICE))
        assert {(session.due or 0) % HOUR for session in closed} == {kept_until(ALICE, Instant(0)) % HOUR}
        clock.advance(Millis(DAY - 3 * MINUTE))
        assert await store.due_owners(10) == []
        clock.advance(Millis(HOUR + 3 * MINUTE))
        assert await store.due_owners(10) == [ALICE]
        assert await store.decide(partial(sweep, owner=ALICE)) == 2
        assert await store.decide(lambda work: work.all(Session, ALICE)) == []
        assert await store.due_owners(10) == []
        await store.close()

    run(story)


def test_what_another_server_forgot_leaves_nothing_behind() -> None:
    """A server that sweeps nobody would keep a hash of every session else, for as long as the page is asked for."""
    over = Session(owner=ALICE, id="over", state=State.CLOSED)
    pages = Pages(kept=10)
    pages.install(ALICE, [over, Account(owner=ALICE, id="b", role="bucket", balance=1)])
    pages.rest([])
    assert pages.resting[ALICE].has(Session, "over")
    pages.apply(Entry(drop=[("account", ALICE, "b")]))
    assert ALICE in pages
    pages.apply(Entry(drop=[("session", ALICE, "over")]))
    assert ALICE not in pages
    assert pages.resting == {}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_every_answer_is_as_if_everything_were_in_memory(seed: int, *, shared: bool) -> None:
    chance, clock = Random(seed), ManualClock()

    async def story() -> None:
        log = MemoryLog()
        alone: Log = FailingLog(log, fails_at=0, after=False)  # as of a database with one writer
        kept = chance.choice([2, 1000])
        stores = [await Store(log if shared else alone, clock, pages_kept=kept).open() for _ in range(1 + shared)]
        desk = Desk(clock)
        for name in ("alice", "bob"):
            await stores[0].decide(fund(name, 100_000))
            desk.decide(fund(name, 100_000))
        for _ in range(300):
            store, owner = chance.choice(stores), Owner(f"subscriber/{chance.choice(['alice', 'bob'])}")
            what = chance.random()
            if what < 0.15:
                await store.newest()
            elif what < 0.2:
                clock.advance(chance.choice([MINUTE, HOUR, DAY]))
            elif what < 0.3:
                assert await store.decide(partial(sweep, owner=owner)) == desk.decide(partial(sweep, owner=owner))
            else:
                number, used = chance.randrange(4), chance.choice([0, 300, 1000])
                event = Event.FIRST if number == 0 else chance.choice([Event.INTERMEDIATE, Event.FINAL])
                said = say(owner.rpartition("/")[2], f"s{chance.randrange(6)}", number, event, used)
                assert await store.decide(said) == desk.decide(said)
        for name in ("alice", "bob"):
            left = desk.get(Account, Owner(f"subscriber/{name}"), "b")
            assert left is not None
            assert await balance(stores[0], name) == left.balance
        assert (await stores[0].audit()).problems == []
        for store in stores:
            await store.close()

    run(story)


@pytest.mark.parametrize("seed", range(6))
def test_repeats_at_once_while_sessions_leave_memory_count_nothing_twice(seed: int) -> None:
    chance = Random(seed)

    async def holder(store: Store, place: int) -> None:
        for serial in range(10):
            session = f"{place}-{serial}"
            await store.decide(say("alice", session, 0, Event.FIRST))
            last = await store.decide(say("alice", session, 1, Event.FINAL, used=7))
            for _ in range(chance.randrange(4)):
                if chance.random() < 0.5:
                    await store.newest()
                assert await store.decide(say("alice", session, 1, Event.FINAL, used=7)) == last

    async def story() -> None:
        store = await Store(MemoryLog(), ManualClock()).open()
        await store.decide(fund("alice", 1_000_000))
        await asyncio.gather(*(holder(store, place) for place in range(8)))
        assert await balance(store, "alice") == 1_000_000 - 7 * 80
        assert (await store.audit()).problems == []
        await store.close()

    run(story)
