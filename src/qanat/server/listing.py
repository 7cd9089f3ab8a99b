"""Lists in pieces: what a caller may see, and where to go on.

Staff of one operator looks through lists that others' records are in too; so a piece is gathered until it is full, and
tells the label to go on behind. A piece may be short where much is other people's; only an empty ``next`` is the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from qanat.exchange.trades import Trade
from qanat.ledger.work import Record
from qanat.registry.access import Caller, caller_may_serve
from qanat.server.ownership import Ownership
from qanat.store.store import Store

R = TypeVar("R", bound=Record)
Seen = Callable[[list[R]], Awaitable[Callable[[R], bool]]]
"""Tells for some records which of them the caller may see."""

_CHUNK: Final = 1000
_LOOKED_AT: Final = 20
"""Chunks that one request may read."""


class _Operated(Protocol):
    @property
    def operator(self) -> str: ...


def of_operator(caller: Caller) -> Callable[[Sequence[_Operated]], Awaitable[Callable[[_Operated], bool]]]:
    """See what the operator has whom the caller works for."""

    async def seen(_: Sequence[_Operated]) -> Callable[[_Operated], bool]:
        return lambda record: caller_may_serve(caller, record.operator)

    return seen


def of_owner(ownership: Ownership, caller: Caller) -> Callable[[Sequence[Record]], Awaitable[Callable[[Record], bool]]]:
    """See what subscribers and devices have whose operator the caller works for."""

    async def seen(records: Sequence[Record]) -> Callable[[Record], bool]:
        theirs = await ownership.theirs(caller, {record.owner for record in records})
        return lambda record: record.owner in theirs

    return seen


def of_trade(caller: Caller) -> Callable[[Sequence[Trade]], Awaitable[Callable[[Trade], bool]]]:
    """See the trades in which somebody of the operator takes part."""

    async def seen(_: Sequence[Trade]) -> Callable[[Trade], bool]:
        return lambda trade: any(
            caller_may_serve(caller, operator)
            for operator in (trade.supplier_operator, trade.demander_operator, trade.station_operator)
        )

    return seen


async def everything(_: Sequence[Record]) -> Callable[[Record], bool]:
    """See all there is, as the administrator does."""
    return lambda _: True


async def listed(
    store: Store, kind: type[R], *, seen: Seen[R], after: str = "", limit: int = 100, prefix: str = ""
) -> tuple[list[R], str]:
    """Return some ``limit`` records in the order of their labels, and the label to go on behind: empty at the end."""
    found: list[R] = []
    chunks = _chunks(store, kind, prefix=prefix, after=after, first=limit + 1)
    for _ in range(_LOOKED_AT):
        records = await anext(chunks, None)
        if records is None:
            return found, ""
        may_see = await seen(records)
        for record in records:
            if len(found) >= limit and record.label != after:
                return found, after
            after = record.label
            if may_see(record):
                found.append(record)
    return found, after


async def every(store: Store, kind: type[R], *, prefix: str = "", at_most: int) -> tuple[list[R], bool]:
    """Return records in the order of their labels, and whether these are all there are."""
    found: list[R] = []
    async for records in _chunks(store, kind, prefix=prefix, after="", first=_CHUNK):
        found += records
        if len(found) > at_most:
            return found[:at_most], False
    return found, True


async def _chunks(store: Store, kind: type[R], *, prefix: str, after: str, first: int) -> AsyncIterator[list[R]]:
    """Read on behind what was read. Records of one label stay together, since nothing can go on between them."""
    size = min(_CHUNK, first)
    while True:
        records = await store.find(kind, label_prefix=prefix, after=after, limit=size)
        if len(records) < size:
            yield records
            return
        whole = [record for record in records if record.label != records[-1].label] or records
        yield whole
        after, size = whole[-1].label, _CHUNK
