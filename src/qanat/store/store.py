"""The store: one unit of work for everything that is decided, on whichever database.

``open_store`` takes the address of a database, as ``--database`` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar, cast

from qanat.clock import Clock
from qanat.errors import BadInput
from qanat.ids import Owner
from qanat.ledger.audit import Verdict
from qanat.ledger.work import Record, Work, kind_name
from qanat.store.address import file_at, is_postgres
from qanat.store.audit import audit
from qanat.store.batch import Waiter
from qanat.store.lane import Figures, Lane
from qanat.store.memory import MemoryLog
from qanat.store.port import Log, Query, SharedLog
from qanat.store.shared_lane import SharedLane
from qanat.store.sqlite import SqliteLog
from qanat.units import Instant

T = TypeVar("T")
R = TypeVar("R", bound=Record)

PAGES_KEPT = 50_000


class Store:
    """Decide durably; list, sweep and audit what was decided. One event loop, any number of tasks."""

    def __init__(self, log: Log, clock: Clock, *, pages_kept: int = PAGES_KEPT, url: str = "memory:") -> None:
        """``url`` is where other processes find the database."""
        self._log = log
        self._clock = clock
        self._url = url
        self._auditing = asyncio.Lock()
        self._lane = _lane(log, clock, pages_kept)

    async def open(self) -> Store:
        await self._lane.open()
        return self

    def decide(self, decision: Callable[[Work], T]) -> Awaitable[T]:
        """Run a pure decision; its result is durable when it is awaited. Raises StoreFault: repeating is safe."""
        return self._lane.decide(decision)

    async def decide_all(self, decisions: Iterable[Callable[[Work], object]]) -> None:
        """Run pure decisions, each on its own and all at once. Raises what the first to fail raised, when all have ended."""
        waiter = _All()
        for decision in decisions:
            waiter.left += 1
            self._lane.submit(decision, waiter)
        await waiter.ended()

    def submit(self, decision: Callable[[Work], object], waiter: Waiter) -> None:
        """Run a pure decision and tell the waiter: for fronts with too many requests for a task each."""
        self._lane.submit(decision, waiter)

    async def find(
        self, kind: type[R], *, owner: str | None = None, label_prefix: str = "", after: str = "", limit: int = 100
    ) -> list[R]:
        """List records in the order of their labels, behind ``after``. Sees everything acknowledged before."""
        await self._lane.caught_up()
        query = Query(kind=kind_name(kind), owner=owner, label_prefix=label_prefix, after=after, limit=limit)
        return cast(list[R], await self._log.find(query))

    async def due_owners(self, limit: int) -> list[Owner]:
        """Return owners for whom the sweeper has something to do, longest due first. Others' may be a second behind."""
        now, written = self._clock.now(), self.figures.rows_projected
        found = await self._log.due_owners(now, limit)
        if written == self.figures.rows_projected and not self._lane.is_waiting_for(found, now):
            return found
        await self._lane.written()
        return await self._log.due_owners(now, limit)

    async def newest(self) -> Instant | None:
        """Return when the books were last written to, to a second or so; None if they are empty."""
        await self._lane.written()
        return await self._log.newest()

    async def audit(self) -> Verdict:
        """Recompute every balance from the entries and hold the rows against them, as of one moment, one after the other."""
        async with self._auditing:
            await self._lane.caught_up()
            if self._url == "memory:":
                return await asyncio.to_thread(audit, self._log)
            from qanat.store.audit_process import audit_apart  # noqa: PLC0415 - the process opens a log as we do

            return await audit_apart(self._url)

    @property
    def is_shared(self) -> bool:
        """Whether other servers may write to the database too."""
        return isinstance(self._lane, SharedLane)

    async def check_version(self) -> None:
        """Raise Outdated if a server of a later version was started on the database: this one must stop."""
        if isinstance(self._log, SharedLog):
            await self._log.check_version()

    @property
    def figures(self) -> Figures:
        return self._lane.figures

    @property
    def lag(self) -> int:
        """Records whose rows may be behind their entries."""
        return self._lane.lag

    async def close(self) -> None:
        """Commit what was taken and let go of the database. Repeating does nothing."""
        await self._lane.close()


class _All:
    """Waits for several decisions; their results do not matter."""

    def __init__(self) -> None:
        self.left = 0
        self._error: Exception | None = None
        self._done: asyncio.Future[None] | None = None

    def settled(self, result: object) -> None:  # noqa: ARG002
        self.left -= 1
        if not self.left and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def failed(self, error: Exception) -> None:
        self._error = self._error or error
        self.settled(None)

    async def ended(self) -> None:
        if self.left:
            self._done = asyncio.get_running_loop().create_future()
            await self._done
        if self._error is not None:
            raise self._error


class MemoryStore(Store):
    """A store that forgets everything when it goes; the same lane and the same contract."""

    def __init__(self, clock: Clock, *, pages_kept: int = PAGES_KEPT) -> None:
        super().__init__(MemoryLog(), clock, pages_kept=pages_kept)


def _lane(log: Log, clock: Clock, pages_kept: int) -> Lane:
    if isinstance(log, SharedLog):
        return SharedLane(log, clock, pages_kept=pages_kept)
    return Lane(log, clock, pages_kept=pages_kept)


async def open_store(url: str, clock: Clock) -> Store:
    """Open the database at an address, as ``--database`` takes it. Raises BadInput for another address, StoreFault."""
    return await Store(await open_log(url), clock, url=url).open()


async def open_log(url: str) -> Log:
    """Open a database without a store over it. Raises as ``open_store`` does."""
    if url == "memory:":
        return MemoryLog()
    file = file_at(url)
    if file is not None:
        return SqliteLog(file)
    if is_postgres(url):
        from qanat.store.citus import open_postgres  # noqa: PLC0415 - PostgreSQL's libraries cost a start 50 ms

        return await open_postgres(url)
    raise BadInput(
        f"{url!r} is no database address: write sqlite:///path/to/file, postgresql://user@host/name or memory:",
        field="database",
    )
