"""A lane on a database that other servers write to as well.

Every page is at least as new as the seq at which its shard is known. A batch commits only if no shard that it read or
writes has moved since; a question is answered only if none that it read has. Otherwise what others wrote is read and laid
on the pages, and what touches that is decided again; the rest of the batch is as true as it was and goes on without. So
whoever asks sees everything that was acknowledged by any server before, and a cache is never trusted, only used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from qanat.clock import Clock
from qanat.errors import StoreFault
from qanat.ids import EVERY_SHARD, Owner, Shard
from qanat.ledger.work import Entry, NotLoaded, Page
from qanat.store.batch import Batch, Decision, Ticket, Trace
from qanat.store.lane import Lane
from qanat.store.mistakes import as_fault
from qanat.store.pages import gathered
from qanat.store.port import EntryRow, SharedLog, Standing, Taken
from qanat.store.projector import SharedProjector
from qanat.store.records import decode_entry

_REPLAYED: Final = 256
"""A shard that others took further than this is not followed entry by entry, if the rows have come further too."""


class _Raised:
    """What a decision raised: it may rest on pages that others have changed, so it is told as late as a result."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class SharedLane(Lane):
    def __init__(self, log: SharedLog, clock: Clock, *, pages_kept: int) -> None:
        self._shared = log
        self._rows = SharedProjector(log)
        super().__init__(log, clock, pages_kept=pages_kept, projector=self._rows)
        self._page_of = self._noted
        self._shard_of: Callable[[Owner], Shard] = log.shard_of
        self._reads: set[Shard] = set()
        """The shards that the decision under way has read."""
        self._trace = Trace(set(), set(), 0)
        """Of the last decision; it is enlisted at once."""
        self._lost: StoreFault | None = None
        """Why it could not be read where the database stands."""
        self._looking: asyncio.Future[None] | None = None
        """Made by whoever waits until others' entries are known."""

    async def caught_up(self) -> None:
        """Return when the rows show everything that any server acknowledged before the call. Raises StoreFault."""
        await self._look()
        await super().caught_up()

    # -- what the lane asks

    def _is_true_at_once(self, *, changed: bool) -> bool:  # noqa: ARG002 - another server may know better
        return False

    def _decide(self, decision: Decision[Any]) -> tuple[Any, bool]:
        batch = self._gathering
        rows, octets_used, self._reads = len(batch.rows), batch.octets_used, set()
        try:
            outcome = super()._decide(decision)
        except NotLoaded:
            raise
        except Exception as error:
            outcome = _Raised(error), False
        writes = {row.shard for row in batch.rows[rows:]}
        self._trace = Trace(self._reads, writes, batch.octets_used - octets_used)
        return outcome

    def _enlist(self, ticket: Ticket) -> None:
        ticket.trace = self._trace
        super()._enlist(ticket)

    def _tell(self, ticket: Ticket) -> None:
        if isinstance(ticket.result, _Raised):
            ticket.waiter.failed(ticket.result.error)
        else:
            super()._tell(ticket)

    def _has_work(self) -> bool:
        return super()._has_work() or self._looking is not None

    def _begin_early(self) -> None:
        """Whoever waits to see others' entries, or to find back, goes before."""
        if self._looking is None and self._lost is None:
            self._append()

    def _append(self) -> Batch:
        batch = self._begin()
        batch.appended = asyncio.create_task(self._commit(batch))
        return batch

    async def _commit_next(self) -> None:
        if self._committing is None:
            if self._lost is not None:
                await self._find_back()
                return
            if self._looking is not None:
                await self._see_others()
                if not self._gathering.tickets:
                    return
        await super()._commit_next()

    async def _fault_of(self, batch: Batch) -> StoreFault | None:
        try:
            while batch.appended is not None:
                await self._end_or_make_way(batch)
        except StoreFault as fault:
            return fault
        return None

    # -- how it is done

    def _noted(self, owner: Owner) -> Page:
        self._reads.add(self._shard_of(owner))
        return self._pages.page_of(owner)

    def _known(self, shards: Iterable[Shard]) -> dict[Shard, int]:
        return {shard: self._durable.get(shard, 0) for shard in shards}

    async def _commit(self, batch: Batch) -> None:
        """Append a batch, or only look whether it is still true. Raises Taken if somebody else was first."""
        read = set[Shard]().union(*(trace.reads for _, trace in _traced(batch)))
        if batch.rows:
            await self._shared.append(batch.rows, self._known(read.difference(row.shard for row in batch.rows)))
            return
        standing = await self._shared.standing(read)
        if any(one.head > self._durable.get(shard, 0) for shard, one in standing.items()):
            raise Taken("what was looked at has moved")

    async def _end_or_make_way(self, batch: Batch) -> None:
        """Wait for a batch that is being appended. Where others were first, what is still true of it begins again."""
        assert batch.appended is not None, "it has begun"
        appended, batch.appended = batch.appended, None
        with suppress(Taken):
            await appended
            return
        touched = {shard for _, trace in _traced(batch) for shard in trace.reads | trace.writes}
        await self._make_way(await self._shared.standing(touched))
        if batch.tickets:
            batch.appended = self._commit(batch)

    async def _start_afresh(self) -> StoreFault | None:
        self._lost = await super()._start_afresh()
        return self._lost

    async def _find_back(self) -> None:
        """Read where the database stands and decide anew: what was decided meanwhile rests on nothing."""
        self._committing = Batch()
        await self._decide_again()
        self._committing = None
        if self._lost is not None and self._looking is not None:
            looking, self._looking = self._looking, None
            looking.set_exception(self._lost)

    async def _make_way(self, standing: Mapping[Shard, Standing]) -> None:
        """Somebody else appended first: take that up, and decide what touches it anew, in order."""
        moved = {shard: one for shard, one in standing.items() if one.head > self._durable.get(shard, 0)}
        far, newer = await self._read_on(moved)
        entries = [decode_entry(row.body) for row in newer]
        assert self._committing is not None, "between batches nothing is taken up"
        batches = (self._committing, self._gathering)
        untrue = _untrue(batches, set(moved))
        tickets, owners = [], set[Owner]()
        for batch in batches:
            tickets += _withdraw(batch, untrue)
            owners |= self._clear(batch, untrue)
        self.figures.decided_again += len(tickets)
        try:
            if far:
                self._jump(far)
            self._take_up(newer, entries, owners)
            self._heads.update(self._known(untrue))
        except BaseException:
            self._committing.tickets += tickets  # who has the batch tells them
            raise
        await self._decide_anew(tickets, owners)

    async def _read_on(self, moved: Mapping[Shard, Standing]) -> tuple[dict[Shard, int], list[EntryRow]]:
        """Return the shards that are known as of their rows from now on, and what others wrote behind what we know."""
        known = self._known(moved)
        far = {
            shard: one.watermark
            for shard, one in moved.items()
            if one.head - known[shard] > _REPLAYED and one.watermark > known[shard]
        }
        newer = await self._shared.since({**known, **far})
        if gone := _with_gaps(newer, {**known, **far}):
            far |= {shard: moved[shard].watermark for shard in gone}
            newer = await self._shared.since({**known, **far})
            if _with_gaps(newer, {**known, **far}):
                raise StoreFault("entries went into an archive while they were read; ask again")
        return far, newer

    async def _see_others(self) -> None:
        """Take up what others appended that the rows do not show yet. Nothing is being committed."""
        looking, self._looking = self._looking, None
        assert looking is not None, "somebody looks"
        self._committing = Batch()
        mistaken: StoreFault | None = None
        try:
            standing = await self._shared.standing(EVERY_SHARD)
            unseen = {shard: one for shard, one in standing.items() if one.head > one.watermark}
            if any(one.head > self._durable.get(shard, 0) for shard, one in unseen.items()):
                await self._make_way(unseen)
        except StoreFault as fault:
            looking.set_exception(fault)
        except Exception as mistake:
            mistaken = as_fault(mistake)
            looking.set_exception(mistaken)
        else:
            looking.set_result(None)
        if mistaken is not None:
            await self._lose(mistaken)
        self._committing = None

    async def _look(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_future()
            self._wake()
        await asyncio.shield(self._looking)

    def _clear(self, batch: Batch, untrue: set[Shard]) -> set[Owner]:
        """Take out of a batch what it did in these shards; return the owners whose pages show it."""
        done = list(zip(batch.rows, batch.entries, strict=True))
        batch.rows = [row for row, _ in done if row.shard not in untrue]
        batch.entries = [entry for row, entry in done if row.shard not in untrue]
        return set(gathered(entry for row, entry in done if row.shard in untrue))

    def _jump(self, watermarks: dict[Shard, int]) -> None:
        """Know shards as of their rows, and nothing of before."""
        self._pages.forget(owner for owner in self._pages.owners() if self._log.shard_of(owner) in watermarks)
        self._rows.forget(watermarks.keys())
        self._durable.update(watermarks)

    def _take_up(self, newer: list[EntryRow], entries: list[Entry], uncommitted: set[Owner]) -> None:
        """Lay what others wrote on the pages, and hand it to the projector as if it were ours."""
        self._pages.forget(uncommitted)
        for row, entry in zip(newer, entries, strict=True):
            self._pages.apply(entry)
            self._durable[row.shard] = row.seq
        self._projector.take(entries)

    async def _decide_anew(self, tickets: list[Ticket], owners: set[Owner]) -> None:
        """Load the pages that were forgotten all at once, then decide one after the other."""
        with suppress(Exception):  # whoever needs the page asks again and is told
            await self._load(owners)
        for ticket in tickets:
            await self._again(ticket)


def _with_gaps(newer: Iterable[EntryRow], known: Mapping[Shard, int]) -> set[Shard]:
    """Return the shards of which entries behind what is known are in an archive."""
    gone, reached = set[Shard](), dict(known)
    for row in newer:
        if row.seq != reached[row.shard] + 1:
            gone.add(row.shard)
        reached[row.shard] = row.seq
    return gone


def _untrue(batches: Iterable[Batch], moved: set[Shard]) -> set[Shard]:
    """Return the shards in which what was decided can't stand: those that moved, and what was done elsewhere with them."""
    traces = [trace for batch in batches for _, trace in _traced(batch)]
    untrue: set[Shard] = set()
    grown = moved
    while grown != untrue:
        untrue = grown
        grown = untrue.union(*(one.writes for one in traces if not untrue.isdisjoint(one.reads | one.writes)))
    return untrue


def _withdraw(batch: Batch, untrue: set[Shard]) -> list[Ticket]:
    """Take the tickets that touch these shards out of a batch."""
    kept, withdrawn = [], []
    for ticket, trace in _traced(batch):
        if untrue.isdisjoint(trace.reads | trace.writes):
            kept.append(ticket)
        else:
            withdrawn.append(ticket)
            batch.octets_used -= trace.octets_used
    batch.tickets = kept
    return withdrawn


def _traced(batch: Batch) -> Iterator[tuple[Ticket, Trace]]:
    for ticket in batch.tickets:
        assert ticket.trace is not None, "every ticket was enlisted here"
        yield ticket, ticket.trace
