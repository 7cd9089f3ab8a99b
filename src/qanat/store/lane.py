"""A lane: one writer that decides in memory and commits in batches.

Requests are decided in order, at once, on the pages in memory; their entries gather in a batch. While one batch commits,
the next gathers: no timer is needed. An answer leaves only when its batch is durable. If somebody else was first
(``Taken``), what they wrote is read and the batch decided again. If the database fails, everything decided on top of the
lost batch fails with it and memory starts afresh from what is durable. Beside the batches the projector writes rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from qanat.clock import Clock
from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.work import Images, NotLoaded, Page, Work
from qanat.store.batch import Awaited, Batch, Decision, Ticket, Waiter
from qanat.store.loader import Loader
from qanat.store.mistakes import as_fault
from qanat.store.pages import Pages, gathered
from qanat.store.port import EntryRow, Log, Taken
from qanat.store.projector import Projector
from qanat.store.records import decode_entry, encode
from qanat.store.spans import Spans
from qanat.units import Instant

_FIRST_BATCH: Final = 32
"""How many requests the batch before the first is taken to have held."""

T = TypeVar("T")


@dataclass(slots=True)
class Figures:
    """What a lane has done so far, for metrics and benchmarks."""

    batches: int = 0
    entries: int = 0
    rows_projected: int = 0
    decided_again: int = 0
    loads: int = 0
    octets_used: int = 0
    """Posted as usage, over all subscribers."""
    commits: Spans = field(default_factory=Spans)


class Lane:
    def __init__(self, log: Log, clock: Clock, *, pages_kept: int, projector: Projector | None = None) -> None:
        self.figures = Figures()
        self._log = log
        self._clock = clock
        self._pages = Pages(pages_kept)
        self._page_of: Callable[[Owner], Page] = self._pages.page_of
        self._heads: dict[Shard, int] = {}
        """The last seq given out; ``_durable`` is the last one committed."""
        self._durable: dict[Shard, int] = {}
        self._gathering = Batch()
        self._committing: Batch | None = None
        self._last_batch = _FIRST_BATCH
        self._worker: asyncio.Task[None] | None = None
        self._loading: set[asyncio.Task[None]] = set()
        self._ready = asyncio.Event()
        self._closed = False
        self._projector = projector or Projector(log)
        self._loader = Loader(log, self._pages, self._projector, self._newer)
        self._chunk_written: asyncio.Future[None] | None = None
        """Made by whoever waits for rows."""
        self._alarm: asyncio.TimerHandle | None = None
        """Set while rows wait for their time."""
        self._idle: asyncio.Future[None] | None = None
        """Made while rows are written and there is nothing else to do."""

    async def open(self) -> None:
        """Take up where the database stands: replay the entries that the rows do not know yet."""
        self._ready.clear()
        heads, tail = await self._log.heads(), await self._log.tail()
        entries = [decode_entry(row.body) for row in tail]
        # All of it is read before any is believed: rows are written up to what is durable, and must have its images.
        self._durable = heads | {row.shard: row.seq for row in tail}
        self._heads = dict(self._durable)
        self._pages.clear()  # also what was being read while we looked: others may have written since
        self._projector.start_afresh()
        self._projector.take(entries)
        self._ready.set()

    async def decide(self, decision: Decision[T]) -> T:
        """Run a decision and return its result once everything it rests on is durable.

        The decision must be pure: it is run again when a page was missing or another writer came first. What it raises
        is passed on and leaves no trace. Raises StoreFault; nothing was acknowledged then, repeating is safe.
        """
        decided: tuple[T, bool] | None = None
        missed: tuple[Owner, ...] = ()
        if self._ready.is_set() and not self._closed:
            try:
                decided = self._decide(decision)
            except NotLoaded as miss:
                missed = miss.owners
        result, changed = decided or await self._decide_when_ready(decision, missed)
        if self._is_true_at_once(changed=changed):
            return result
        awaited = Awaited()
        self._enlist(Ticket(decision, awaited, result))
        return await awaited.future  # type: ignore[no-any-return]

    def submit(self, decision: Decision[Any], waiter: Waiter) -> None:
        """Decide as ``decide`` does and tell the waiter; costs no task where the pages are in memory."""
        if self._closed or not self._ready.is_set():
            self._submit_when_ready(decision, waiter)
            return
        try:
            result, _ = self._decide(decision)
        except NotLoaded as miss:
            self._submit_when_ready(decision, waiter, miss.owners)
        except Exception as error:  # the decision's own, for its waiter
            waiter.failed(error)
        else:
            self._enlist(Ticket(decision, waiter, result))

    async def caught_up(self) -> None:
        """Return when the rows show everything that was acknowledged before the call. Raises StoreFault."""
        await self.written()

    async def written(self) -> None:
        """Return when the rows show everything that was acknowledged here before the call. Raises StoreFault.

        The round under way and the next hold all of it, so what goes on arriving does not prolong it.
        """
        rounds = self._projector.rounds + (2 if self._projector.is_writing else 1)
        while self._projector.waiting and self._projector.rounds < rounds:
            self._projector.hurry()
            self._wake()
            assert self._worker is not None
            self._chunk_written = self._chunk_written or asyncio.get_running_loop().create_future()
            await asyncio.wait({self._worker, self._chunk_written}, return_when=asyncio.FIRST_COMPLETED)
            if self._projector.fault is not None:
                raise self._projector.fault

    def is_waiting_for(self, owners: Collection[Owner], now: Instant) -> bool:
        """Tell whether the rows may be behind for one of these owners, or for a record that is due."""
        return self._projector.is_behind_for(owners, now)

    async def close(self) -> None:
        """Commit what was taken, bring the rows up, and let go of the database."""
        self._closed = True
        if self._worker is not None:
            await asyncio.wait({self._worker})
        with suppress(StoreFault):  # the entries are durable; the next start brings the rows up
            await self.caught_up()
        if self._alarm is not None:
            self._alarm.cancel()
        await self._loader.finish()
        await self._log.close()

    @property
    def lag(self) -> int:
        """Records whose rows may be behind their entries."""
        return self._projector.lag

    # -- deciding

    def _submit_when_ready(self, decision: Decision[Any], waiter: Waiter, missed: tuple[Owner, ...] = ()) -> None:
        task = asyncio.create_task(self._again(Ticket(decision, waiter), missed))
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)

    async def _decide_when_ready(self, decision: Decision[T], missed: tuple[Owner, ...] = ()) -> tuple[T, bool]:
        """Decide, loading the pages it takes, those it missed first; these stay in memory until it is done."""
        loaded: list[Owner] = []
        try:
            while True:
                if self._closed:
                    raise StoreFault("the store is closing; ask again when the server is back")
                if not self._ready.is_set():
                    await self._ready.wait()
                elif missed:
                    for owner in missed:
                        self._pages.pin(owner)
                    loaded += missed
                    await self._load(missed)
                    missed = ()
                else:
                    try:
                        return self._decide(decision)
                    except NotLoaded as miss:
                        missed = miss.owners
        finally:
            if loaded:
                self._pages.unpin(loaded)

    def _decide(self, decision: Decision[T]) -> tuple[T, bool]:
        """Decide now; what it changes joins the batch that is gathering."""
        work = Work(self._page_of, self._clock.now(), one_commit=self._log.one_commit, resting=self._pages.resting)
        heads = self._heads
        try:
            result = decision(work)
            entries = work.entries(self._log.shard_of)
            rows = [
                EntryRow(shard, heads.get(shard, 0) + 1, work.now, work.act, encode(entry))
                for shard, entry in entries.items()
            ]
        except BaseException:
            work.undo()
            raise
        if rows:
            batch = self._gathering
            for row in rows:
                heads[row.shard] = row.seq
            batch.rows += rows
            batch.entries += entries.values()
            batch.octets_used += work.octets_used
        return result, bool(rows)

    async def _load(self, owners: Collection[Owner]) -> None:
        self.figures.loads += len(owners)
        await self._loader.load(owners)

    def _newer(self) -> list[Images]:
        """The images that the rows may not have yet, oldest first."""
        batches = [batch for batch in (self._committing, self._gathering) if batch is not None]
        return [*self._projector.newer(), *(gathered(batch.entries) for batch in batches)]

    def _is_true_at_once(self, *, changed: bool) -> bool:
        """Tell whether a result rests on nothing that is still to be committed."""
        return not changed and self._committing is None and not self._gathering.tickets

    # -- committing

    def _enlist(self, ticket: Ticket) -> None:
        self._gathering.tickets.append(ticket)
        if self._committing is None and 2 * len(self._gathering.tickets) >= self._last_batch:
            self._begin_early()
        self._wake()

    def _begin_early(self) -> None:
        """Let the disk work while we decide: half as many as last time are enough to begin with."""
        self._append()

    def _wake(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    async def _work(self) -> None:
        """Commit batch after batch, and beside them write chunks of rows, one at a time, when it is time to."""
        loop = asyncio.get_running_loop()
        self._projector.fault = None
        while self._has_work() or self._projector.is_time(loop.time()):
            if self._has_work():
                await self._commit_or_lose()
            if self._projector.is_time(loop.time()):
                await self._bring_rows_up()
        if self._projector.waiting and not self._closed and self._alarm is None:
            self._alarm = loop.call_at(self._projector.next_at, self._wake_for_rows)

    def _wake_for_rows(self) -> None:
        self._alarm = None
        self._wake()

    async def _bring_rows_up(self) -> None:
        """Write the next chunk of rows; batches go on meanwhile."""
        chunk = asyncio.create_task(self._write_chunk())
        while not chunk.done():
            if self._has_work():
                await self._commit_or_lose()
            else:
                self._idle = asyncio.get_running_loop().create_future()
                await asyncio.wait({chunk, self._idle}, return_when=asyncio.FIRST_COMPLETED)
        self._idle = None
        await chunk

    async def _write_chunk(self) -> None:
        await self._projector.write_chunk(self._durable, now_s=asyncio.get_running_loop().time())
        self.figures.rows_projected = self._projector.rows_written
        self._pages.rest(self._projector.resting())
        if self._chunk_written is not None:
            self._chunk_written.set_result(None)
            self._chunk_written = None

    def _has_work(self) -> bool:
        return self._committing is not None or bool(self._gathering.tickets)

    async def _commit_or_lose(self) -> None:
        """Commit the next batch. A mistake of ours must not leave half of it behind: it is lost as by a fault."""
        try:
            await self._commit_next()
        except Exception as mistake:
            fault = as_fault(mistake)
        else:
            return
        self._committing = self._committing or Batch()
        await self._lose(fault)
        self._committing = None

    async def _commit_next(self) -> None:
        batch = self._committing or self._append()
        fault = await self._fault_of(batch)
        if fault is None:
            self._settle(batch)
            return
        if isinstance(fault, StoreFault):
            await self._lose(fault)
        else:
            await self._decide_again()
        self._committing = None

    async def _fault_of(self, batch: Batch) -> Taken | StoreFault | None:
        """Return why a batch was not committed, or None once it is durable."""
        try:
            if batch.appended is not None:
                await batch.appended
        except (Taken, StoreFault) as fault:
            return fault
        return None

    def _begin(self) -> Batch:
        """Let the next batch gather while this one commits."""
        batch, self._gathering = self._gathering, Batch()
        batch.begun_s = asyncio.get_running_loop().time()
        self._committing, self._last_batch = batch, len(batch.tickets)
        return batch

    def _append(self) -> Batch:
        rows = self._gathering.rows
        appended = self._log.append(rows) if rows else None  # should this raise, nobody takes the batch for begun
        batch = self._begin()
        batch.appended = appended
        return batch

    def _settle(self, batch: Batch) -> None:
        if batch.rows:
            self._projector.take(batch.entries)
            self._durable.update((row.shard, row.seq) for row in batch.rows)
            self.figures.commits.add(asyncio.get_running_loop().time() - batch.begun_s)
            self.figures.batches += 1
            self.figures.entries += len(batch.rows)
            self.figures.octets_used += batch.octets_used
        self._committing = None  # what those who are told ask for next may begin at once
        for ticket in batch.tickets:
            self._tell(ticket)

    def _tell(self, ticket: Ticket) -> None:
        ticket.waiter.settled(ticket.result)

    async def _decide_again(self) -> None:
        """Somebody else appended first: read what they wrote, and decide all that is under way anew, in order."""
        tickets = self._withdraw()
        self.figures.decided_again += len(tickets)
        fault = await self._start_afresh()
        for ticket in tickets:
            if fault is None:
                await self._again(ticket)
            else:
                ticket.waiter.failed(fault)

    async def _again(self, ticket: Ticket, missed: tuple[Owner, ...] = ()) -> None:
        try:
            ticket.result, _ = await self._decide_when_ready(ticket.decision, missed)
        except Exception as error:  # the decision's own, or the store's
            ticket.waiter.failed(error)
        else:
            self._enlist(ticket)

    async def _lose(self, fault: StoreFault) -> None:
        """The database did not take the batch: nothing decided since is true. Start afresh from what is durable."""
        for ticket in self._withdraw():
            ticket.waiter.failed(fault)
        await self._start_afresh()

    async def _start_afresh(self) -> StoreFault | None:
        """Read where the database stands. If it can't be read, whoever asks next finds no page and is told."""
        try:
            await self.open()
        except Exception as error:
            self._pages.clear()
            self._heads = {}
            self._ready.set()
            return as_fault(error)
        return None

    def _withdraw(self) -> list[Ticket]:
        assert self._committing is not None
        tickets = self._committing.tickets + self._gathering.tickets
        self._committing, self._gathering = Batch(), Batch()  # until all is decided again nothing may begin
        return tickets
