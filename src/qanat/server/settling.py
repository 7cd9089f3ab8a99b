"""Settling a period: reads its records in order, writes a file for each operator, and says what netting comes to.

Reads a thousand records at a time, so that memory does not grow with the period. Closing comes first, in every shard: no
record joins a closed period, so what is read afterwards is all there will ever be.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from qanat.errors import Unwritten
from qanat.exchange.clearing import ClearingRecord, Period, close_period, closed_period, fence
from qanat.exchange.settlement import FIELDS, Clearing, line, trailer
from qanat.ids import EVERY_SHARD, SHARDS
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.store.store import Store
from qanat.system import fresh_id, sync_directory

_AT_ONCE = 1000
_FENCED_AT_ONCE = 32
"""Shards; with more it would be likely each time that others have written in one of them meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    period: str
    closed: Period | None
    clearing: Clearing
    files: tuple[str, ...] = ()
    """Operators for whom a file was written."""

    @property
    def unchanged(self) -> bool:
        """Whether a closed period still comes to what it came to when it was closed."""
        return self.closed is None or self.closed.digest in ("", self.clearing.digest)


class OperatorFile:
    """One operator's records, numbered without a gap; the last line proves the others.

    It has its name only when it is whole: nobody is handed half a file, and two who close at once don't share one.
    """

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._part = path.with_suffix(f".{fresh_id('part')}")
        stack.callback(self._part.unlink, missing_ok=True)
        self._file: TextIO = stack.enter_context(self._part.open("w", encoding="utf-8", newline=""))
        self._digest = hashlib.sha256()
        self._records = 0
        self._write(",".join(FIELDS) + "\n")

    def add(self, text: str) -> None:
        self._records += 1
        self._write(f"{self._records},{text}")

    def finish(self) -> None:
        """Return when the file is whole and durable."""
        self._write(trailer(records=self._records, digest=self._digest.hexdigest()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._path)

    def _write(self, text: str) -> None:
        self._digest.update(text.encode())
        self._file.write(text)


async def settle(
    store: Store,
    period: str,
    *,
    close: bool = False,
    directory: Path | None = None,
    note: Callable[[Work], None] = lambda _: None,
) -> Settled | Refused:
    """Compute a period's positions, write ``<operator>-<period>.csv`` into ``directory`` if one is given, and close it.

    Without ``close`` it is a preview, which changes nothing. Refused when it is to be closed and was closed before, or
    has not begun; computing a closed period again gives the same figures. ``note`` writes down that it was closed, in
    the same decision. Raises StoreFault, Unwritten: repeating is safe.
    """
    settled = await draw_up(store, period, close=close, directory=directory, note=note)
    if isinstance(settled, Refused) or not close:
        return settled
    return await store.decide(partial(seal, settled=settled))


async def draw_up(
    store: Store, period: str, *, close: bool, directory: Path | None, note: Callable[[Work], None]
) -> Settled | Refused:
    """Settle all but the seal, without which a closing counts as interrupted: it may be repeated."""
    # Before anything is read: a preview that a closing overtakes has read an open period.
    closed = await store.decide(
        partial(_close, period=period, note=note) if close else partial(closed_period, period=period)
    )
    if isinstance(closed, Refused):
        return closed
    if close:
        await _fence(store, period)
    clearing, files = Clearing(), dict[str, OperatorFile]()
    with _writing(directory):
        if directory is not None:
            await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        with ExitStack() as stack:
            async for record in records_of(store, period):
                text = line(record)
                clearing.add(record, text)
                for operator in record.operators() if directory else ():
                    if operator not in files:
                        assert directory is not None
                        files[operator] = OperatorFile(directory / f"{operator}-{period}.csv", stack)
                    files[operator].add(text)
            for file in files.values():
                file.finish()
        if directory is not None:
            sync_directory(directory)
    return Settled(period=period, closed=closed, clearing=clearing, files=tuple(sorted(files)))


@contextmanager
def _writing(directory: Path | None) -> Iterator[None]:
    """Raises Unwritten where the disk does not take a file."""
    try:
        yield
    except OSError as error:
        raise Unwritten(f"{error.filename or directory} can't be written: {error.strerror}") from error


def seal(work: Work, settled: Settled) -> Settled:
    """Keep with a closed period what it came to; it must come to the same ever after. Repeating is safe."""
    held = closed_period(work, settled.period)
    assert held is not None, f"period {settled.period} is sealed when it is closed, not before"
    if not held.digest:
        held = replace(held, records=settled.clearing.records, digest=settled.clearing.digest)
        work.put(held)
    work.act = "period closed"
    return dataclasses.replace(settled, closed=held)


async def _fence(store: Store, period: str) -> None:
    """Return when every booking has ended that may have read the period as open."""
    if store.is_shared:
        for first in range(0, SHARDS, _FENCED_AT_ONCE):
            shards = EVERY_SHARD[first : first + _FENCED_AT_ONCE]
            await store.decide_all(partial(fence, period=period, shard=shard) for shard in shards)


async def records_of(store: Store, period: str) -> AsyncIterator[ClearingRecord]:
    """Yield a period's records in the order of their names."""
    after = ""
    while True:
        records = await store.find(ClearingRecord, label_prefix=f"{period}/", after=after, limit=_AT_ONCE)
        for record in records:
            yield record
        if len(records) < _AT_ONCE:
            return
        after = records[-1].label


def _close(work: Work, period: str, note: Callable[[Work], None]) -> Period | Refused:
    """Close, or go on with a closing that was interrupted before its figures were known."""
    held = closed_period(work, period)
    closed = held if held is not None and not held.digest else close_period(work, period)
    if not isinstance(closed, Refused):
        note(work)
    return closed
