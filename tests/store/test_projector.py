"""Rows follow entries, also where several servers write them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from tests.store.deciding import fund, say
from tests.store.logs import FailingLog, Late, run

from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.ledger.work import Entry
from qanat.store.audit import audit
from qanat.store.memory import MemoryLog
from qanat.store.port import EntryRow, Log, Opening, RecordRow
from qanat.store.projector import Projector, SharedProjector
from qanat.store.store import Store
from qanat.units import Instant


def entry(owner: str, balance: int, count: int = 1) -> Entry:
    return Entry(put=[Account(owner=Owner(owner), id=f"b{n}", role="bucket", balance=balance) for n in range(count)])


async def write(projector: SharedProjector, log: Log, seq: int) -> None:
    shard = log.shard_of(Owner("subscriber/alice"))
    while projector.waiting:
        await projector.write_chunk({shard: seq}, now_s=0)


def test_rows_that_another_server_brought_further_are_left_alone() -> None:
    """More rows than one chunk holds: each chunk must say itself how far it is."""

    async def story() -> None:
        log = MemoryLog()
        slow, quick = SharedProjector(log), SharedProjector(log)
        slow.take([entry("subscriber/alice", 5, count=600)])
        quick.take([entry("subscriber/alice", 7, count=600)])
        await write(quick, log, 7)
        await write(slow, log, 5)
        rows = [item for item in log.snapshot() if isinstance(item, RecordRow)]
        assert len(rows) == 600
        assert all('"balance":7' in str(row.body) for row in rows)

    run(story)


def test_several_servers_that_project_at_once_leave_the_rows_the_entries_say() -> None:
    async def story() -> None:
        log = MemoryLog()
        servers = [await Store(log, ManualClock()).open() for _ in range(3)]
        for round in range(3):
            await asyncio.gather(*(servers[n % 3].decide(fund(f"s{n}", 10, id=f"b{round}")) for n in range(400)))
            await asyncio.gather(*(one.find(Account) for one in servers))
        assert audit(log).problems == []
        for one in servers:
            await one.close()
        assert audit(log).problems == []

    run(story)


def test_rows_are_said_to_have_come_as_far_as_they_have_and_no_further() -> None:
    """Whoever starts after a chunk was written, and the next was not, replays from there."""

    async def story() -> None:
        log, owners = MemoryLog(), [Owner(f"subscriber/{name}") for name in ("alice", "bob", "carol")]
        heads = {log.shard_of(owner): 1 for owner in owners}
        projector = Projector(log)
        projector.take([entry(owner, 5, count=200) for owner in owners])
        for rows, known in ((200, {}), (400, {}), (600, {}), (600, heads)):
            await projector.write_chunk(heads, now_s=0)
            assert (projector.rows_written, reached(log)) == (rows, known)

    run(story)


def test_a_round_is_written_between_so_many_batches_however_many_rows_it_holds() -> None:
    """Otherwise rows that come quicker than they are written would wait longer and longer."""

    async def story() -> None:
        log = MemoryLog()
        for owners in (100, 20_000):
            projector = Projector(log)
            projector.take([entry(f"subscriber/s{number}", 5) for number in range(owners)])
            chunks = 0
            while projector.waiting:
                await projector.write_chunk({}, now_s=0)
                chunks += 1
            assert (projector.rows_written, chunks <= 257) == (owners, True)

    run(story)


def test_a_round_is_spread_over_its_time_unless_somebody_waits_for_the_rows() -> None:
    async def story() -> None:
        log = MemoryLog()
        projector = Projector(log)
        projector.take([entry(f"subscriber/s{n}", 5) for n in range(640)])
        now = 100.0
        for chunk in range(1, 11):
            assert projector.is_time(now)
            await projector.write_chunk({}, now_s=now)
            assert projector.rows_written == 64 * chunk
            if chunk == 5:
                projector.hurry()
                continue
            assert not projector.is_time(now + 0.19)
            now += 0.2
        await projector.write_chunk({}, now_s=now)
        assert projector.rounds == 1
        projector.take([entry("subscriber/s1", 6)])
        assert not projector.is_time(now + 2.9)
        assert projector.is_time(now + 3)

    run(story)


def test_rows_are_written_by_themselves_when_it_is_time() -> None:
    class Noted(MemoryLog):
        def __init__(self) -> None:
            super().__init__()
            self.rows = 0
            self.written = asyncio.Event()

        async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
            await super().project(rows, watermarks)
            self.rows += len(rows)
            if self.rows == 200:
                self.written.set()

    async def story() -> None:
        log = Noted()
        store = await Store(log, ManualClock()).open()
        await asyncio.gather(*(store.decide(fund(f"s{n}", 10)) for n in range(100)))
        await asyncio.wait_for(log.written.wait(), 20)
        await store.close()

    run(story)


def test_who_looks_for_what_is_due_has_no_rows_written_until_something_that_waits_is() -> None:
    async def story() -> None:
        log, clock = MemoryLog(), ManualClock()
        store = await Store(log, clock).open()
        await store.decide(fund("alice", 10))
        await store.find(Account)  # all rows are written, and the next round is some seconds off
        await store.decide(say("alice", "s", 0, Event.FIRST))
        rows = [item for item in log.snapshot() if isinstance(item, RecordRow)]
        assert await store.due_owners(9) == []
        assert rows == [item for item in log.snapshot() if isinstance(item, RecordRow)]
        clock.advance(60 * 24 * 3600 * 1000)
        assert await store.due_owners(9) == ["subscriber/alice"]
        await store.close()

    run(story)


def test_rows_of_neighbours_are_written_together_in_whatever_order_they_changed() -> None:
    """On disk they lie side by side, so that a page is written once for all of them."""

    async def story() -> None:
        log = ListeningLog()
        projector = Projector(log)
        projector.take([entry(f"subscriber/s{number * 7 % 1000:03}", 5) for number in range(1000)])
        while projector.waiting:
            await projector.write_chunk({}, now_s=0)
        assert log.heard == [f"subscriber/s{number:03}" for number in range(1000)]

    run(story)


class ListeningLog(MemoryLog):
    """Knows whose rows it was given, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Owner] = []

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        self.heard += [row.owner for row in rows]
        await super().project(rows, watermarks)


class StumblingLog(MemoryLog):
    """Fails to write rows once; ``meanwhile`` happens as it does."""

    meanwhile: Callable[[], None] | None = None

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
            raise StoreFault("the disk failed, as it was told to")
        await super().project(rows, watermarks)


def test_what_came_while_rows_could_not_be_written_is_written_with_them() -> None:
    async def story() -> None:
        log, alice = StumblingLog(), Owner("subscriber/alice")
        projector = Projector(log)
        projector.take([entry(alice, 5, count=2)])
        log.meanwhile = lambda: projector.take([entry(alice, 7)])
        for _ in range(2):
            projector.fault = None
            await projector.write_chunk({log.shard_of(alice): 2}, now_s=0)
        assert not projector.waiting
        assert sorted(account.balance for account in await log.load([alice]) if isinstance(account, Account)) == [5, 7]

    run(story)


def test_what_waits_is_known_to_be_due_until_its_rows_are_written() -> None:
    """While it waits, on its way, and back again after a fault."""

    async def story() -> None:
        log, alice, seen = StumblingLog(), Owner("subscriber/alice"), []
        projector = Projector(log)

        def look() -> None:
            asked = [([], Instant(4)), ([], Instant(5)), ([alice], Instant(4)), ([Owner("subscriber/bob")], Instant(4))]
            seen.append([projector.is_behind_for(owners, now) for owners, now in asked])

        for due in (Instant(7), Instant(5), None, Instant(9)):
            projector.take([Entry(put=[Account(owner=alice, id=f"b{due}", role="bucket", due=due)])])
        look()
        log.meanwhile = look
        for _ in range(2):
            projector.fault = None
            await projector.write_chunk({}, now_s=0)
            look()
        assert seen == [[False, True, True, False]] * 3 + [[False] * 4]

    run(story)


def test_rows_that_were_on_their_way_when_the_lane_started_afresh_end_no_round_of_what_it_took_then() -> None:
    async def story() -> None:
        log, alice = Late(), Owner("subscriber/alice")
        projector = Projector(log)
        projector.take([entry(alice, 5)])
        late = asyncio.create_task(projector.write_chunk({}, now_s=0))
        await log.writing.wait()
        projector.start_afresh()
        projector.take([entry(alice, 5), entry(alice, 7)])
        log.go_on.set()
        await late
        assert (projector.rounds, projector.waiting) == (0, True)
        await projector.write_chunk({}, now_s=0)
        assert (projector.rounds, projector.waiting) == (1, False)
        assert [account.balance for account in await log.load([alice]) if isinstance(account, Account)] == [7]

    run(story)


def reached(log: MemoryLog) -> dict[Shard, int]:
    return dict(item for item in log.snapshot() if not isinstance(item, EntryRow | Opening | RecordRow))


def test_what_ends_while_pages_are_read_is_noted_and_nothing_after_it() -> None:
    """A reading that failed is remembered for as long as its fault: it may hold no more than its own time."""

    async def story() -> None:
        log = MemoryLog()
        projector = SharedProjector(log)
        with suppress(StoreFault), projector.reading() as meanwhile:
            for balance in (1, 2):
                projector.take([entry("subscriber/alice", balance)])
                await write(projector, log, balance)
            raise StoreFault("the database is away")
        projector.take([entry("subscriber/alice", 3)])
        await write(projector, log, 3)
        kept = [images[Owner("subscriber/alice")][Account, "b0"] for images in meanwhile.ended]
        assert [getattr(account, "balance", None) for account in kept] == [1, 2]
        assert not meanwhile.is_void

    run(story)


def test_what_is_read_while_rows_are_not_written_or_by_others_is_void() -> None:
    async def story() -> None:
        log = FailingLog(MemoryLog(), fails_at=1, after=False)
        projector = SharedProjector(log)
        shard = log.shard_of(Owner("subscriber/alice"))
        projector.take([entry("subscriber/alice", 1)])
        with projector.reading() as failed:
            await projector.write_chunk({shard: 1}, now_s=0)
        with projector.reading() as overtaken:
            projector.forget({shard})
        with projector.reading() as replayed:
            projector.start_afresh()
        with projector.reading() as quiet:
            pass
        assert [one.is_void for one in (failed, overtaken, replayed, quiet)] == [True, True, True, False]

    run(story)
