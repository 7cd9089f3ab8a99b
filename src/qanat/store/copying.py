"""Copying one database into another, of whichever kind, so that it may be interrupted anywhere and gone on with.

The target gets the source's entries in their order, what those in archives left behind before them, dealt out to the
target's shards by owner: an entry that touches owners of several shards there becomes one entry in each. So every owner's
history keeps its order, and a target shard always holds a beginning of what it will hold in the end; whoever resumes proves
that by digests, and appends the rest. Rows follow when all entries are there; the watermarks, last, say that the copy is
whole. Memory does not grow with the database. The source must not be served meanwhile: what is written during the copy would
be missing in it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from qanat.errors import BadInput
from qanat.ids import Owner, Shard
from qanat.ledger.book import Account
from qanat.ledger.work import Entry, kind_name
from qanat.store.port import EntryRow, Log, Opening, RecordRow
from qanat.store.records import decode_entry, encode

_AT_ONCE: Final = 1_000
_ACCOUNT: Final = kind_name(Account)

Tell = Callable[[str, int, int], None]
"""Told what is copied, how many of it are done, and of how many (0: not known)."""
Item = EntryRow | Opening | RecordRow | tuple[Shard, int]
_BROUGHT_FORWARD: Final = "brought forward"
"""What an opening of the source is called in the target, where it is an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    entries: int
    """Of the source."""
    appended: int
    """To the target in this run; an entry that touches several of its shards counts several times."""
    rows: int


class Dealer:
    """Deals a source's entries out to a target's shards, in order; ``seqs`` is how far each shard has come."""

    def __init__(self, shard_of: Callable[[Owner], Shard]) -> None:
        self.seqs: dict[Shard, int] = {}
        self._shard_of = shard_of

    def deal(self, row: EntryRow | Opening) -> list[EntryRow]:
        act = row.act if isinstance(row, EntryRow) else _BROUGHT_FORWARD
        parts = divide(decode_entry(row.body), self._shard_of)
        bodies = [row.body] if len(parts) == 1 else [encode(part) for part in parts.values()]
        return [
            EntryRow(shard, self._next(shard), row.at, act, body) for shard, body in zip(parts, bodies, strict=True)
        ]

    def _next(self, shard: Shard) -> int:
        seq = self.seqs[shard] = self.seqs.get(shard, 0) + 1
        return seq


def divide(entry: Entry, shard_of: Callable[[Owner], Shard]) -> dict[Shard, Entry]:
    """Return the parts of an entry by the shards of their owners; together they are the entry."""
    parts: dict[Shard, Entry] = {}

    def part_of(owner: Owner) -> Entry:
        return parts.setdefault(shard_of(owner), Entry(postings=[], put=[], drop=[]))

    owners: dict[str, Owner] = {}
    for record in entry.put:
        part_of(record.owner).put.append(record)
        owners.update((f"{record.owner}:{balance.id}", record.owner) for balance in record.balances)
    for key in entry.drop:
        kind, owner, id = key
        part_of(owner).drop.append(key)
        if kind == _ACCOUNT:
            owners[f"{owner}:{id}"] = owner
    for posting in entry.postings:
        assert posting[0] in owners, f"an entry posts to {posting[0]} and leaves no image of it"
        part_of(owners[posting[0]]).postings.append(posting)
    return parts


async def copy(source: Log, target: Log, *, tell: Tell, at_once: int = _AT_ONCE) -> Copied:
    """Copy all entries and rows, or go on with a copy that was interrupted; repeating a finished one changes nothing.

    Raises BadInput if the target holds anything but a beginning of this copy, or the source's rows are not brought up;
    Taken if somebody else writes to the target; StoreFault. Repeating is safe after each of them.
    """
    before, total = await target.heads(), sum((await source.heads()).values())
    if before:
        await _prove_begun(source, target, before, tell=tell)
    writer = _Writer(target, before)
    async for chunk in _chunks(source, at_once):
        await writer.take(chunk)
        tell(*(("records", writer.rows, 0) if writer.rows else ("entries", writer.entries, total)))
    await target.project([], writer.dealer.seqs)
    return Copied(entries=writer.entries, appended=writer.appended, rows=writer.rows)


class _Writer:
    """Writes what a snapshot of the source says into the target, behind what the target had ``before``."""

    def __init__(self, target: Log, before: dict[Shard, int]) -> None:
        self.dealer = Dealer(target.shard_of)
        self.entries = self.appended = self.rows = 0
        self._target = target
        self._before = before
        self._watermarks: Counter[Shard] = Counter()

    async def take(self, chunk: list[Item]) -> None:
        fresh: list[EntryRow] = []
        records: list[RecordRow] = []
        for item in chunk:
            if isinstance(item, EntryRow | Opening):
                fresh += self._dealt(item)
            elif isinstance(item, RecordRow):
                records.append(item._replace(shard=self._target.shard_of(item.owner)))
            else:
                self._watermarks[item[0]] = item[1]
        if fresh:
            await self._append(fresh)
        if records:
            await self._target.project(records, {})
        self.rows += len(records)

    def _dealt(self, row: EntryRow | Opening) -> list[EntryRow]:
        if row.seq > self._watermarks[row.shard]:
            raise BadInput("the source is being written to: stop its server and try again", field="from")
        self.entries += isinstance(row, EntryRow)
        return [dealt for dealt in self.dealer.deal(row) if dealt.seq > self._before.get(dealt.shard, 0)]

    async def _append(self, rows: list[EntryRow]) -> None:
        if self._before:
            # An earlier run may have written rows that were dropped at the source since.
            await self._target.project(list(_forgotten(rows)), {})
        await self._target.append(rows)
        self.appended += len(rows)


async def _prove_begun(source: Log, target: Log, heads: dict[Shard, int], *, tell: Tell) -> None:
    """Raise BadInput unless what the target holds is how a copy of the source begins."""
    theirs, ours = _Digests(), _Digests()
    total = sum(heads.values())
    async for chunk in _chunks(target, _AT_ONCE):
        theirs.add(item for item in chunk if isinstance(item, EntryRow))
        tell("entries looked at", theirs.entries, 2 * total)
    dealer = Dealer(target.shard_of)
    async for chunk in _chunks(source, _AT_ONCE):
        dealt = (row for item in chunk if isinstance(item, EntryRow | Opening) for row in dealer.deal(item))
        ours.add(row for row in dealt if row.seq <= heads.get(row.shard, 0))
        tell("entries looked at", total + ours.entries, 2 * total)
    if ours.by_shard() != theirs.by_shard():
        raise BadInput(
            "the target holds something else than the beginning of this copy; name an empty database", field="to"
        )


class _Digests:
    """A digest of each shard's entries in their order."""

    def __init__(self) -> None:
        self.entries = 0
        self._hashes: dict[Shard, Any] = {}

    def add(self, rows: Iterable[EntryRow]) -> None:
        for row in rows:
            self.entries += 1
            hashed = self._hashes.setdefault(row.shard, hashlib.blake2b())
            hashed.update(f"{row.seq} {row.at} {len(row.act)} {row.act}{row.body}\n".encode())

    def by_shard(self) -> dict[Shard, bytes]:
        return {shard: hashed.digest() for shard, hashed in self._hashes.items()}


async def _chunks(log: Log, size: int) -> AsyncIterator[list[Item]]:
    """Read a snapshot in a thread, so many items at a time. It ends there too, also early: it may have a loop of its own."""
    items, loop = _items(log), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as reader:
        try:
            while chunk := await loop.run_in_executor(reader, lambda: list(islice(items, size))):
                yield chunk
        finally:
            reader.submit(items.close)


def _items(log: Log) -> Generator[Item, None, None]:
    yield from log.snapshot()


def _forgotten(rows: list[EntryRow]) -> Iterable[RecordRow]:
    for row in rows:
        for kind, owner, id in decode_entry(row.body).drop:
            yield RecordRow(row.shard, owner, kind, id, "", None, None)
