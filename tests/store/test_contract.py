"""The contract of every store: one suite for memory, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.store.deciding import balance, fund, say
from tests.store.logs import Database, FailingLog, Overtaken, run

from qanat.charging.session import Event, Session
from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.ledger.work import Record, Work
from qanat.store.port import Log
from qanat.store.store import Store
from qanat.units import Instant


def test_what_was_acknowledged_is_there_after_a_restart(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund("alice", 5000))
        await store.decide(say("alice", "s", 0, Event.FIRST))
        # No close: the process was killed. Rows may be behind; entries are not.
        again = await database.open(clock)
        await again.decide(say("alice", "s", 1, Event.FINAL, used=700))
        assert await balance(again, "alice") == 4300
        assert (await again.audit()).balanced
        await again.close()

    run(story)


def test_a_repeat_after_a_restart_gets_the_stored_answer(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund("alice", 5000))
        first = await store.decide(say("alice", "s", 0, Event.FIRST))
        await store.close()
        again = await database.open(clock)
        assert await again.decide(say("alice", "s", 0, Event.FIRST)) == first
        await again.close()

    run(story)


def test_a_decision_that_raises_leaves_no_trace(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)

        def wrong(work: Work) -> None:
            fund("alice", 5000)(work)
            raise LookupError("as it was told to")

        with pytest.raises(LookupError):
            await store.decide(wrong)
        assert await balance(store, "alice") == 0
        assert (await store.audit()).entries == 0
        await store.close()

    run(story)


def test_the_books_know_when_they_were_written_last_also_to_who_opens_them_anew(
    database: Database, clock: ManualClock
) -> None:
    async def story() -> None:
        store = await database.open(clock)
        assert await store.newest() is None
        for name in ("alice", "bob", "alice"):
            clock.advance(1000)
            await store.decide(fund(name, 10, id=str(clock.now())))
        last = clock.now()
        clock.jump(-5000)
        assert await store.newest() == last
        await store.close()
        again = await database.open(clock)
        assert await again.newest() == last
        await again.close()

    run(story)


def test_a_decision_that_can_not_be_written_leaves_no_gap(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        with pytest.raises(UnicodeEncodeError):
            await store.decide(fund("alice", 10, id="half a \ud800 character"))
        await store.decide(fund("bob", 5000))
        assert (await store.audit()).problems == []
        await store.close()

    run(story)


def test_two_writers_on_one_database_never_both_win(database: Database, clock: ManualClock) -> None:
    """Both hold warm pages; whoever appends second reads what the first wrote and decides again."""

    async def story() -> None:
        one, two = await database.open(clock), await database.open(clock)
        await one.decide(fund("alice", 2500))
        answers = []
        for number in range(4):
            answers.append(await one.decide(say("alice", f"one{number}", 0, Event.FIRST)))
            answers.append(await two.decide(say("alice", f"two{number}", 0, Event.FIRST)))
        assert sum(answer.grants[0].octets for answer in answers) == 2500
        assert one.figures.decided_again + two.figures.decided_again > 0
        assert (await one.audit()).balanced
        await one.close()
        await two.close()

    run(story)


def test_more_owners_than_pages_in_memory(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock, pages_kept=3)
        names = [f"s{n}" for n in range(40)]
        await asyncio.gather(*(store.decide(fund(name, 1000)) for name in names))
        await asyncio.gather(*(store.decide(say(name, name, 0, Event.FIRST)) for name in names))
        await asyncio.gather(*(store.decide(say(name, name, 1, Event.FINAL, used=10)) for name in names))
        assert [await balance(store, name) for name in names] == [990] * 40
        assert store.figures.loads > 40
        assert (await store.audit()).balanced
        await store.close()

    run(story)


def test_lists_are_in_the_order_of_labels_and_go_on_behind_one(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        for id in ("b", "c", "a"):
            await store.decide(fund("alice", 10, id=id))
        await store.decide(fund("bob", 10))
        everything = await store.find(Account, label_prefix="subscriber/")
        assert [account.label.removeprefix("subscriber/") for account in everything] == [
            "alice:a",
            "alice:b",
            "alice:c",
            "bob:b",
        ]
        behind = await store.find(Account, owner="subscriber/alice", after="subscriber/alice:a", limit=1)
        assert [account.id for account in behind] == ["b"]
        await store.close()

    run(story)


def test_owners_of_due_records_are_found_longest_due_first(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        now = clock.now()
        await store.decide(fund("late", 10, due=now - 1))
        await store.decide(fund("later", 10, due=now - 5))
        await store.decide(fund("future", 10, due=now + 5))
        assert await store.due_owners(10) == ["subscriber/later", "subscriber/late"]
        await store.close()

    run(story)


def test_an_owner_with_many_due_records_does_not_keep_others_from_being_found(
    database: Database, clock: ManualClock
) -> None:
    """Such as one that can't be swept, whose records stay due."""

    async def story() -> None:
        store = await database.open(clock)
        now = clock.now()
        await store.decide_all([fund("stuck", 10, id=f"b{n}", due=now - 100 + n) for n in range(40)])
        await store.decide_all([fund(f"s{n}", 10, due=now - 10 + n) for n in range(3)])
        owners = [f"subscriber/{name}" for name in ("stuck", "s0", "s1", "s2")]
        for limit in range(1, 6):
            assert await store.due_owners(limit) == owners[:limit]
        await store.close()

    run(story)


def test_a_deadline_that_moved_counts_and_the_one_before_does_not(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        now = clock.now()
        late = ["subscriber/alice"]
        deadlines: list[tuple[Instant | None, list[str]]] = [
            (Instant(now - 1), late),
            (Instant(now + 5), []),
            (None, []),
            (now, late),
        ]
        for due, owners in deadlines:
            await store.decide(_move("alice", due))
            assert await store.due_owners(10) == owners
            (found,) = await store.find(Account, owner="subscriber/alice")
            assert found.due == due
        await store.close()

    run(story)


def test_what_is_due_is_found_though_its_rows_are_written_while_it_is_looked_for(clock: ManualClock) -> None:
    async def story() -> None:
        log = Overtaken()
        store = await Store(log, clock).open()
        log.meanwhile = store.newest
        await store.decide(_move("alice", clock.now()))
        assert await store.due_owners(10) == ["subscriber/alice"]
        await store.close()

    run(story)


def _move(name: str, due: Instant | None) -> Callable[[Work], None]:
    account = Account(owner=Owner(f"subscriber/{name}"), id="b", role="bucket", due=due)
    return lambda work: work.put(account)


@pytest.mark.parametrize(
    "id", ["half\0past", "one\x01two", "x" * 5000, "流量" * 400], ids=["nul", "soh", "long", "octets"]
)
def test_a_name_that_a_peer_chose_may_be_anything(database: Database, clock: ManualClock, id: str) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund(id, 10, id=id, due=clock.now() - 1))
        await store.decide(fund(id, 20, id=f"{id}?"))
        assert [account.id for account in await store.find(Account, owner=f"subscriber/{id}")] == [id, f"{id}?"]
        assert [account.id for account in await store.find(Account, label_prefix=f"subscriber/{id}:{id}?")] == [
            f"{id}?"
        ]
        assert await store.due_owners(10) == [f"subscriber/{id}"]
        again = await database.open(clock)
        assert (await balance(again, id, id), await balance(again, id, f"{id}?")) == (10, 20)
        assert (await again.audit()).problems == []
        await store.close()
        await again.close()

    run(story)


def test_a_record_that_was_dropped_stays_away_after_a_restart(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund("alice", 10))
        await store.decide(say("alice", "s", 0, Event.FIRST))
        await store.decide(say("alice", "s", 1, Event.FINAL))
        await store.find(Session)

        def forget(work: Work) -> None:
            for session in work.all(Session, Owner("subscriber/alice")):
                work.drop(session)

        await store.decide(forget)
        assert await store.find(Session) == []
        again = await database.open(clock)
        assert await again.find(Session) == []
        assert (await again.audit()).balanced
        await store.close()
        await again.close()

    run(story)


@pytest.mark.parametrize("after", [False, True], ids=["before-the-write", "after-the-write"])
def test_every_write_may_fail(database: Database, clock: ManualClock, tmp_path: Path, after: bool) -> None:
    """Fail the 1st, then the 2nd, … write until the whole story completes; each time it is repeated to its end."""

    async def told_once(fails_at: int) -> bool:
        log = FailingLog(database.another(tmp_path / str(fails_at)).log(), fails_at=fails_at, after=after)
        store = await Store(log, clock, pages_kept=10).open()
        for step in (
            fund("alice", 2500),
            say("alice", "s", 0, Event.FIRST),
            say("alice", "s", 1, Event.INTERMEDIATE, used=900),
            say("alice", "s", 2, Event.FINAL, used=400),
        ):
            await until_done(store, step)
            await caught_up(store)
        assert (await balance(store, "alice"), await balance(store, "alice", "used")) == (1200, 1300)
        verdict = await store.audit()
        assert verdict.problems == []
        await store.close()
        return log.failed

    async def story() -> None:
        fails_at = 1
        while await told_once(fails_at):
            fails_at += 1
        assert fails_at > 6

    run(story)


async def until_done(store: Store, step: Callable[[Work], object]) -> None:
    try:
        await store.decide(step)
    except StoreFault:
        await store.decide(step)


async def caught_up(store: Store) -> None:
    try:
        await store.find(Account)
    except StoreFault:
        await store.find(Account)


def test_when_a_batch_is_lost_nothing_decided_on_top_of_it_is_acknowledged(
    database: Database, clock: ManualClock
) -> None:
    async def story() -> None:
        log = FailingLog(database.log(), fails_at=2, after=False, appends_only=True)
        store = await Store(log, clock, pages_kept=10).open()
        await store.decide(fund("alice", 100_000))
        told = await asyncio.gather(
            *(store.decide(say("alice", f"s{n}", 0, Event.FIRST)) for n in range(20)), return_exceptions=True
        )
        assert all(isinstance(answer, StoreFault) for answer in told)
        bucket = await store.decide(lambda work: work.get(Account, Owner("subscriber/alice"), "b"))
        assert bucket is not None
        assert bucket.reserved == 0
        await store.close()

    run(story)


class OpenedSlowly(FailingLog):
    """Pages that were asked for before the fault arrive while it is looked where the database stands."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, fails_at=2, after=False, appends_only=True)
        self.asked, self._looked_at = asyncio.Event(), asyncio.Event()

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        records = await super().load(owners)
        if "subscriber/late" in owners and not self.failed:
            self.asked.set()
            await self._looked_at.wait()
        return records

    async def heads(self) -> dict[Shard, int]:
        if self.failed:
            self._looked_at.set()
            for _ in range(10):  # whoever waited for pages has them
                await asyncio.sleep(0)
        return await super().heads()


def test_a_page_that_arrives_after_a_batch_was_lost_is_decided_on_when_the_store_is_ready(
    database: Database, clock: ManualClock
) -> None:
    async def story() -> None:
        before = await database.open(clock)
        await before.decide_all([fund("alice", 100), fund("late", 100)])
        await before.close()
        log = OpenedSlowly(database.log())
        store = await Store(log, clock).open()
        await store.decide(fund("alice", 100, id="c"))
        await store.find(Account)  # no row is written any more
        late = asyncio.ensure_future(store.decide(say("late", "s", 0, Event.FIRST)))
        await log.asked.wait()
        with pytest.raises(StoreFault):
            await store.decide(fund("alice", 100, id="d"))
        await late
        assert (await store.audit()).problems == []
        await store.close()

    run(story)


def test_after_closing_nothing_more_is_taken_and_everything_acknowledged_is_kept(
    database: Database, clock: ManualClock
) -> None:
    async def story() -> None:
        store = await database.open(clock)
        asked = [asyncio.ensure_future(store.decide(fund(f"s{n}", 10))) for n in range(50)]
        await asked[0]
        await store.close()
        told = await asyncio.gather(*asked, return_exceptions=True)
        with pytest.raises(StoreFault):
            await store.decide(fund("late", 10))
        again = await database.open(clock)
        assert len(await again.find(Account, label_prefix="subscriber/")) == told.count(None) > 0
        await again.close()

    run(story)


def test_a_list_is_answered_while_requests_keep_coming(database: Database, clock: ManualClock) -> None:
    async def story() -> None:
        store = await database.open(clock)
        await store.decide(fund("alice", 10**9))
        stop = asyncio.Event()
        busy = [asyncio.create_task(keep_asking(store, f"s{place}", stop)) for place in range(8)]
        found = await store.find(Account, label_prefix="subscriber/alice:b")
        assert [account.id for account in found] == ["b"]
        assert not any(task.done() for task in busy)
        stop.set()
        await asyncio.gather(*busy)
        await store.close()

    run(story)


async def keep_asking(store: Store, session: str, stop: asyncio.Event) -> None:
    number = 0
    await store.decide(say("alice", session, number, Event.FIRST))
    while not stop.is_set():
        number += 1
        await store.decide(say("alice", session, number, Event.INTERMEDIATE, used=1))
        await asyncio.sleep(0)
