"""What waits to be durable: requests that are decided, and the batch that they are committed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from qanat.ids import Shard
from qanat.ledger.work import Entry, Work
from qanat.store.port import EntryRow

T = TypeVar("T")
Decision = Callable[[Work], T]


class Waiter(Protocol):
    """Is told once how a decision ended. Neither method may raise."""

    def settled(self, result: Any) -> None:
        """Everything the result rests on is durable."""

    def failed(self, error: Exception) -> None:
        """What the decision raised itself; or StoreFault, and then nothing was acknowledged and repeating is safe."""


class Trace(Struct, gc=False):
    """What a decision has to do with others."""

    reads: set[Shard]
    writes: set[Shard]
    octets_used: int


class Ticket(Struct, eq=False):
    """One request that waits for its batch to be durable."""

    decision: Decision[Any]
    waiter: Waiter
    result: Any = None
    trace: Trace | None = None
    """Where others write to the database too."""


class Awaited:
    """A waiter to await; whoever asked may have gone away."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settled(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def failed(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(slots=True)
class Batch:
    tickets: list[Ticket] = field(default_factory=list)
    rows: list[EntryRow] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    """What the rows say, as records."""
    octets_used: int = 0
    begun_s: float = 0.0
    """When its commit began, by the event loop's clock."""
    appended: Awaitable[None] | None = None
    """Set when its commit began."""
