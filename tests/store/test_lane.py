"""What a lane answers while a batch is on its way to the disk."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

import pytest
from tests.store.deciding import fund, say
from tests.store.logs import Late, run

from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.store.lane import Lane
from qanat.store.memory import MemoryLog
from qanat.store.port import NOTHING, EntryRow
from qanat.store.shared_lane import SharedLane


class SlowDisk(MemoryLog):
    """Syncs when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.syncs = asyncio.Event()
        self.begun = asyncio.Event()
        self.batches: list[int] = []

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        self.begun.set()
        self.batches.append(len(rows))
        await self.syncs.wait()
        await super().append(rows, unchanged)


def reserved(work: Work) -> int:
    return sum(account.reserved for account in work.all(Account, Owner("subscriber/alice")))


@pytest.mark.parametrize("kind", [Lane, SharedLane])
def test_neither_a_repeat_nor_a_look_is_answered_before_what_it_rests_on_is_durable(
    kind: type[Lane] | type[SharedLane],
) -> None:
    async def story() -> None:
        disk = SlowDisk()
        lane = kind(disk, ManualClock(), pages_kept=10)
        await lane.open()
        disk.syncs.set()
        await lane.decide(fund("alice", 5000))
        disk.syncs.clear()
        question, asked, looks = say("alice", "s", 0, Event.FIRST), [], []
        disk.begun.clear()
        for _ in range(2):
            asked += [asyncio.ensure_future(lane.decide(question)) for _ in range(2)]
            looks.append(asyncio.ensure_future(lane.decide(reserved)))
            await disk.begun.wait()
            for _ in range(9):
                await asyncio.sleep(0)
        assert [one.done() for one in (*asked, *looks)] == [False] * 6
        disk.syncs.set()
        answer, *repeated = await asyncio.gather(*asked)
        assert (answer.grants[0].octets, repeated) == (1000, [answer] * 3)
        assert await asyncio.gather(*looks) == [1000, 1000]
        await lane.close()

    run(story)


@pytest.mark.parametrize("kind", [Lane, SharedLane])
def test_half_as_many_as_last_time_begin_before_the_rest_is_decided(kind: type[Lane] | type[SharedLane]) -> None:
    async def story() -> None:
        disk = SlowDisk()
        lane = kind(disk, ManualClock(), pages_kept=100)
        await lane.open()
        names = [f"s{n}" for n in range(24)]
        disk.syncs.set()
        await asyncio.gather(*(lane.decide(fund(name, 1)) for name in names))
        disk.syncs.clear()
        first = asyncio.ensure_future(lane.decide(fund("s0", 1, id="first")))
        await asyncio.sleep(0)
        together = [asyncio.ensure_future(lane.decide(fund(name, 1, id="second"))) for name in names]
        await asyncio.sleep(0)
        disk.syncs.set()
        await asyncio.gather(first, *together)
        assert disk.batches[-2:] == [1, 24]
        await asyncio.gather(*(lane.decide(fund(name, 1, id="third")) for name in names))
        assert disk.batches[-2:] == [12, 12]
        await lane.close()

    run(story)


def test_where_rows_have_a_connection_of_their_own_no_answer_waits_for_them() -> None:
    async def story() -> None:
        log = Late()
        lane = SharedLane(log, ManualClock(), pages_kept=10)
        await lane.open()
        await lane.decide(fund("alice", 1))
        written = asyncio.ensure_future(lane.written())
        await log.writing.wait()
        for number in range(3):
            await lane.decide(fund("alice", 1, id=f"b{number}"))
        assert not written.done()
        log.go_on.set()
        await written
        await lane.close()
        assert not lane.lag

    run(story)


@pytest.mark.parametrize("kind", [Lane, SharedLane])
def test_what_is_raised_while_others_wait_for_their_pages_does_not_drag_their_misses_along(
    kind: type[Lane] | type[SharedLane],
) -> None:
    async def story() -> None:
        lane = kind(MemoryLog(), ManualClock(), pages_kept=100)
        await lane.open()
        names = [f"s{n}" for n in range(24)]
        waiting = [asyncio.ensure_future(lane.decide(fund(name, 1))) for name in names]
        await asyncio.sleep(0)
        assert not any(one.done() for one in waiting)
        assert sys.exc_info()[1] is None
        await asyncio.gather(*waiting)
        assert sys.exc_info()[1] is None
        await lane.close()

    run(story)
