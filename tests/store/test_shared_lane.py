"""Several servers on one database: nobody is told anything that another's acknowledged answer contradicts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from random import Random

import pytest
from tests.store.deciding import balance, fund, say
from tests.store.logs import Late, run

from qanat.charging.session import Event, Session
from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard, shard_of
from qanat.ledger.book import Account, transfer
from qanat.ledger.work import Record, Work
from qanat.refusals import Refused
from qanat.registry.operators import HOME, create_operator
from qanat.registry.subscribers import create_subscriber
from qanat.store.batch import Decision
from qanat.store.memory import MemoryLog
from qanat.store.port import NOTHING, EntryRow, RecordRow, Standing
from qanat.store.store import Store
from qanat.units import Instant


class Distance(MemoryLog):
    """A database some way off: every question takes its time on the way there and on the way back."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = Random(seed)
        self.away = False

    async def _travel(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        if self.away:
            raise StoreFault("the database is away")

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        await self._travel()
        await super().append(rows, unchanged)
        await self._travel()

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        await self._travel()
        known = await super().standing(shards)
        await self._travel()
        return known

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        await self._travel()
        rows = await super().since(known)
        await self._travel()
        return rows

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        await self._travel()
        await super().project(rows, watermarks)

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        await self._travel()
        records = await super().load(owners)
        await self._travel()
        return records


async def stores(log: MemoryLog, count: int, *, pages_kept: int = 1000) -> list[Store]:
    return [await Store(log, ManualClock(), pages_kept=pages_kept).open() for _ in range(count)]


def test_what_one_server_acknowledged_every_other_tells_at_once() -> None:
    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        assert await balance(two, "alice") == 0  # its page is in memory now, and empty
        await one.decide(fund("alice", 5000))
        assert await balance(two, "alice") == 5000
        await two.decide(say("alice", "s", 0, Event.FIRST))
        await two.decide(say("alice", "s", 1, Event.FINAL, used=700))
        assert await balance(one, "alice") == 4300

    run(story)


def test_a_list_shows_what_another_server_acknowledged() -> None:
    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        for n in range(5):
            await one.decide(fund(f"s{n}", 10))
        assert len(await two.find(Account, label_prefix="subscriber/")) == 5

    run(story)


def test_a_decision_that_read_another_shard_is_made_again_when_that_has_moved() -> None:
    """Who suspends, renames or closes something on one page must be seen by whoever writes on another."""

    def copied(work: Work) -> int:
        seen = work.get(Account, Owner("subscriber/alice"), "b")
        octets = seen.balance if seen else 0
        if work.get(Account, Owner("subscriber/bob"), f"b{octets}") is None:
            fund("bob", 1, id=f"b{octets}")(work)
        return octets

    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        assert await two.decide(copied) == 0
        await one.decide(fund("alice", 500))
        assert await two.decide(copied) == 500
        assert two.figures.decided_again == 1

    run(story)


def test_of_a_batch_only_what_touches_what_others_wrote_is_decided_again() -> None:
    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        names = [f"s{n}" for n in range(20)]
        assert len({shard_of(f"subscriber/{name}") for name in names}) == len(names), "each is in a shard of its own"
        await asyncio.gather(*(two.decide(fund(name, 1000)) for name in names))
        await one.decide(fund("s7", 1, id="c"))
        await asyncio.gather(*(two.decide(say(name, "s", 0, Event.FIRST)) for name in names))
        assert two.figures.decided_again == 1
        assert [await balance(one, name) for name in names] == [1000] * len(names)
        assert (await one.audit()).problems == []

    run(story)


def test_what_rests_on_a_decision_that_is_made_again_is_made_again_too() -> None:
    """It may be of a shard that nobody else wrote to."""

    def pass_on(source: str, target: str) -> Decision[int]:
        def decision(work: Work) -> int:
            seen = work.all(Account, Owner(f"subscriber/{source}"))
            octets = sum(account.balance for account in seen if account.role == "bucket")
            fund(target, octets, id="passed")(work)
            return octets

        return decision

    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        await asyncio.gather(*(two.decide(fund(name, 10)) for name in ("alice", "bob", "carol", "dave", "eve")))
        await one.decide(fund("alice", 5, id="c"))
        told = await asyncio.gather(
            two.decide(pass_on("alice", "bob")),
            two.decide(pass_on("bob", "carol")),
            two.decide(pass_on("dave", "eve")),
        )
        assert list(told) == [15, 25, 10]
        assert two.figures.decided_again == 2
        assert await balance(one, "carol", "passed") == 25
        assert (await one.audit()).problems == []

    run(story)


def test_a_name_is_given_once_however_many_servers_are_asked() -> None:
    async def story() -> None:
        servers = await stores(Distance(seed=7), 4)
        await servers[0].decide(lambda work: create_operator(work, name=HOME))
        made = await asyncio.gather(
            *(one.decide(lambda work: create_subscriber(work, name="alice", operator=HOME)) for one in servers)
        )
        assert sum(not isinstance(one, Refused) for one in made) == 1

    run(story)


@pytest.mark.parametrize("pages_kept", [3, 1000])
@pytest.mark.parametrize("seed", range(12))
def test_servers_that_take_turns_at_random_grant_what_there_is_and_no_octet_more(seed: int, pages_kept: int) -> None:
    chance = Random(seed)
    names = [f"s{n}" for n in range(5)]

    async def holder(servers: list[Store], place: int) -> int:
        granted = 0
        for serial in range(6):
            name, session = chance.choice(names), f"{place}-{serial}"
            first = await chance.choice(servers).decide(say(name, session, 0, Event.FIRST))
            octets = first.grants[0].octets
            if first.grants[0].refusal is None:
                await chance.choice(servers).decide(say(name, session, 1, Event.FINAL, used=octets))
                granted += octets
            repeat = await chance.choice(servers).decide(say(name, session, 0, Event.FIRST))
            assert repeat.grants == first.grants, "a repeat at another server gets the same answer"
        return granted

    async def story() -> None:
        servers = await stores(Distance(seed), 3, pages_kept=pages_kept)
        for name in names:
            await chance.choice(servers).decide(fund(name, 4500))
        granted = sum(await asyncio.gather(*(holder(servers, place) for place in range(8))))
        for one in servers:
            assert 5 * 4500 - sum([await balance(one, name) for name in names]) == granted
            assert (await one.audit()).problems == []
        for one in servers:
            await one.close()

    run(story)


@pytest.mark.parametrize("seed", range(20))
def test_octets_that_servers_pass_on_between_shards_are_passed_on_once_though_the_database_comes_and_goes(
    seed: int,
) -> None:
    """Batches are taken apart when others were first; what is kept of them and what is made again must fit together."""
    chance = Random(seed)
    names = [f"s{n}" for n in range(12)]

    def pass_one(source: str, target: str, id: str) -> Decision[None]:
        def decision(work: Work) -> None:
            page = Owner(f"subscriber/{target}")
            if work.get(Account, page, id) is None:
                bucket = work.get(Account, Owner(f"subscriber/{source}"), "b")
                assert bucket is not None
                transfer(work, bucket, Account(owner=page, id=id, role="bucket", operator="home"), 1)

        return decision

    async def insist(servers: list[Store], decision: Decision[None]) -> None:
        while True:
            try:
                return await chance.choice(servers).decide(decision)
            except StoreFault:
                await asyncio.sleep(0)

    async def passes(servers: list[Store], place: int) -> None:
        for serial in range(8):
            source, target = chance.sample(names, 2)
            await insist(servers, pass_one(source, target, f"{place}-{serial}"))

    async def comes_and_goes(log: Distance) -> None:
        for _ in range(12):
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            log.away = not log.away
        log.away = False

    async def story() -> None:
        log = Distance(seed)
        servers = await stores(log, 3)
        for name in names:
            await servers[0].decide(fund(name, 100))
        going = asyncio.create_task(comes_and_goes(log))
        await asyncio.gather(*(passes(servers, place) for place in range(10)))
        await going
        verdict = await chance.choice(servers).audit()
        assert verdict.problems == []
        passed = [one for one in await servers[1].find(Account, limit=1000) if "-" in one.id]
        assert [one.balance for one in passed] == [1] * 80
        assert sum(one.figures.decided_again for one in servers) > 0
        for one in servers:
            await one.close()

    run(story)


def test_a_database_that_goes_away_fails_questions_too_and_comes_back() -> None:
    async def story() -> None:
        log = Distance(seed=1)
        one, two = await stores(log, 2)
        await one.decide(fund("alice", 10))
        log.away = True
        with pytest.raises(StoreFault):
            await balance(one, "alice")
        with pytest.raises(StoreFault):
            await two.decide(fund("alice", 10, id="c"))
        log.away = False
        assert await balance(two, "alice") == 10
        await two.decide(fund("alice", 10, id="c"))
        assert await balance(one, "alice", "c") == 10

    run(story)


def test_what_others_wrote_into_entries_and_rows_is_taken_up_without_a_gap() -> None:
    """One knows entry 1; of the two that follow, the rows show the first only. A list must not make it skip that one."""

    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        await one.decide(fund("alice", 5000))
        await two.decide(say("alice", "s", 0, Event.FIRST))
        await two.find(Account)
        await two.decide(say("alice", "s", 1, Event.FINAL, used=700))
        await one.find(Account)
        assert await balance(one, "alice") == 4300
        await one.decide(say("alice", "t", 0, Event.FIRST))
        await one.decide(say("alice", "t", 1, Event.FINAL, used=300))
        assert await balance(two, "alice") == 4000
        assert (await two.audit()).problems == []

    run(story)


def test_rows_never_go_back_though_a_server_writes_them_late() -> None:
    async def story() -> None:
        log = Late()
        one, two = await stores(log, 2)
        await one.decide(fund("alice", 5000))
        late = asyncio.create_task(one.find(Account))
        await log.writing.wait()
        await two.decide(say("alice", "s", 0, Event.FIRST))
        await two.decide(say("alice", "s", 1, Event.FINAL, used=700))
        await two.find(Account)
        log.go_on.set()
        await late
        three = await Store(log, ManualClock()).open()
        assert await balance(three, "alice") == 4300
        assert (await three.audit()).problems == []

    run(story)


def test_a_shard_that_others_took_far_is_taken_up_from_its_rows() -> None:
    async def story() -> None:
        log = Counting()
        one, two = await stores(log, 2)
        await one.decide(fund("alice", 10**6))
        assert await balance(two, "alice") == 10**6
        for n in range(200):
            await one.decide(say("alice", f"s{n}", 0, Event.FIRST))
            await one.decide(say("alice", f"s{n}", 1, Event.FINAL, used=7))
        await one.find(Account)
        await one.decide(say("alice", "last", 0, Event.FIRST))
        log.entries_read = 0
        await two.decide(say("alice", "last", 1, Event.FINAL, used=100))
        assert log.entries_read == 1
        assert await balance(one, "alice") == await balance(two, "alice") == 10**6 - 1500
        assert (await two.audit()).problems == []

    run(story)


class Counting(MemoryLog):
    def __init__(self) -> None:
        super().__init__()
        self.entries_read = 0

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        rows = await super().since(known)
        self.entries_read += len(rows)
        return rows


def test_what_a_decision_raises_on_pages_that_others_changed_is_not_told() -> None:
    def strict(work: Work) -> int:
        account = work.get(Account, Owner("subscriber/alice"), "b")
        assert account is not None, "alice has a bucket"
        return account.balance

    async def story() -> None:
        one, two = await stores(MemoryLog(), 2)
        with pytest.raises(AssertionError):
            await two.decide(strict)
        await one.decide(fund("alice", 500))
        assert await two.decide(strict) == 500

    run(story)


def test_a_server_that_could_not_read_where_the_database_stands_trusts_nothing_it_knew() -> None:
    async def story() -> None:
        log = Stumbling()
        one, two = await stores(log, 2)
        await one.decide(fund("alice", 5000))
        await one.find(Account)
        log.stumbles = True
        with pytest.raises(StoreFault):
            await one.decide(say("alice", "s", 0, Event.FIRST))
        with pytest.raises(StoreFault):
            await one.find(Account)
        with pytest.raises(StoreFault):
            await balance(one, "alice")
        log.stumbles = False
        await two.decide(say("alice", "s", 1, Event.FINAL, used=700))
        assert await balance(one, "alice") == 4300
        await one.decide(say("alice", "t", 0, Event.FIRST))
        await one.decide(say("alice", "t", 1, Event.FINAL, used=300))
        assert await balance(two, "alice") == 4000
        assert (await two.audit()).problems == []

    run(story)


def test_rows_are_not_said_to_show_what_could_not_be_read() -> None:
    """Rows wait to be written while a commit's fate is unknown: heads are read then, the entries behind them are not."""

    async def story() -> None:
        log = Stumbling()
        (one,) = await stores(log, 1)
        await one.decide(fund("alice", 5000))
        await one.decide(fund("alice", 500, id="c"))
        assert one.lag > 0
        log.stumbles = True
        with pytest.raises(StoreFault):
            await one.decide(say("alice", "s", 0, Event.FIRST))
        log.stumbles = False
        await one.newest()  # waits for rows
        assert (await one.audit()).problems == []
        assert len(await one.find(Session)) == 1

    run(story)


def test_an_entry_of_a_later_version_is_refused_with_the_cure_until_it_is_in_the_rows() -> None:
    async def story() -> None:
        log = MemoryLog()
        (one,) = await stores(log, 1)
        await one.decide(fund("alice", 5000))
        await one.find(Account)
        shard = shard_of("subscriber/alice")
        later = '{"put":[{"kind":"nova","owner":"subscriber/alice","id":"n"}]}'
        await log.append([EntryRow(shard, 2, Instant(0), "", later)])
        for _ in range(2):
            with pytest.raises(StoreFault, match="Update this one"):
                await one.decide(fund("alice", 10, id="c"))
        await log.project([RecordRow(shard, Owner("subscriber/alice"), "nova", "n", "", None, later)], {shard: 2})
        await one.decide(fund("bob", 10))
        with pytest.raises(StoreFault, match="Update this one"):
            await balance(one, "alice")

    run(story)


def test_what_a_later_version_forgot_is_refused_with_the_cure_until_the_rows_have_forgotten_it() -> None:
    async def story() -> None:
        log = MemoryLog()
        (one,) = await stores(log, 1)
        await one.decide(fund("alice", 5000))
        await one.find(Account)
        shard = shard_of("subscriber/alice")
        await log.append([EntryRow(shard, 2, Instant(0), "", '{"drop":[["nova","subscriber/alice","n"]]}')])
        with pytest.raises(StoreFault, match="Update this one"):
            await asyncio.wait_for(one.decide(fund("alice", 10, id="c")), 5)
        await log.project([], {shard: 2})
        await asyncio.wait_for(one.decide(fund("alice", 10, id="c")), 5)
        assert await balance(one, "alice", "c") == 10

    run(story)


def test_a_mistake_while_a_batch_is_written_leaves_nothing_of_it_behind() -> None:
    class Mistaken(MemoryLog):
        mistakes = 0

        async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
            self.mistakes -= 1
            assert self.mistakes < 0, "a mistake of ours"
            await super().append(rows, unchanged)

    async def story() -> None:
        log = Mistaken()
        (one,) = await stores(log, 1)
        log.mistakes = 1
        with pytest.raises(StoreFault, match="a mistake of ours"):
            await one.decide(fund("alice", 5000))
        await one.decide(fund("alice", 10, id="c"))
        assert await balance(one, "alice") == 0
        assert (await one.audit()).problems == []
        await one.close()

    run(story)


class Stumbling(MemoryLog):
    """A commit is done and its answer lost; then heads can be read, and before the tail can be it is away again."""

    def __init__(self) -> None:
        super().__init__()
        self.stumbles = False

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        await super().append(rows, unchanged)
        self._fail()

    async def tail(self) -> list[EntryRow]:
        self._fail()
        return await super().tail()

    def _fail(self) -> None:
        if self.stumbles:
            raise StoreFault("the database is away")


def test_a_page_that_was_being_read_while_the_lane_began_afresh_is_read_again() -> None:
    """The page's rows are from before another server's answer; where the lane stands is from after it."""

    class Gated(MemoryLog):
        """Answers what it read when it is told to."""

        def __init__(self) -> None:
            super().__init__()
            self.failing = False
            self.load_done, self.heads_asked, self.heads_done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def load(self, owners: Sequence[Owner]) -> list[Record]:
            records = await super().load(owners)
            if self.failing:
                await self.load_done.wait()
            return records

        async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
            if self.failing:
                raise StoreFault("the database is away for a moment")
            await super().append(rows, unchanged)

        async def heads(self) -> dict[Shard, int]:
            if self.failing:
                self.heads_asked.set()
                await self.heads_done.wait()
            return await super().heads()

    async def story() -> None:
        log = Gated()
        other, lane = await stores(log, 2)
        await other.decide(fund("alice", 10))
        await other.find(Account)
        await lane.decide(fund("bob", 10))
        log.failing = True
        reading = asyncio.create_task(balance(lane, "alice", "c"))
        await asyncio.sleep(0)
        lost = asyncio.ensure_future(lane.decide(fund("bob", 10, id="c")))
        await log.heads_asked.wait()
        log.failing = False
        await other.decide(fund("alice", 30, id="c"))
        log.load_done.set()
        await asyncio.sleep(0)
        log.heads_done.set()
        with pytest.raises(StoreFault):
            await lost
        assert await reading == 30
        assert await balance(lane, "alice", "c") == 30

    run(story)
