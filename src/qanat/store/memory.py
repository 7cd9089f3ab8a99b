"""The log in memory: the shipped fake. It passes the same contract tests as the databases."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import ClassVar

from qanat.ids import Owner, Shard, shard_of
from qanat.ledger.work import Record
from qanat.store.port import ANOTHER_ARCHIVE, NOTHING, EntryRow, Opening, Query, RecordRow, Snapshot, Standing, Taken
from qanat.store.records import decode_record
from qanat.units import Instant


class MemoryLog:
    one_commit: ClassVar[bool] = True

    def __init__(self) -> None:
        self._entries: dict[tuple[Shard, int], EntryRow] = {}
        self._heads: dict[Shard, int] = {}
        self._rows: dict[tuple[Owner, str, str], RecordRow] = {}
        self._watermarks: dict[Shard, int] = {}
        self._openings: dict[tuple[Shard, int, int], Opening] = {}
        self._beginnings: dict[Shard, int] = {}

    def shard_of(self, owner: Owner) -> Shard:
        return shard_of(owner)

    async def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> None:
        for shard, seq in unchanged.items():
            if self._heads.get(shard, 0) > seq:
                raise Taken(f"shard {shard} has gone beyond entry {seq}")
        for row in rows:
            if (row.shard, row.seq) in self._entries or row.seq <= self._beginnings.get(row.shard, 0):
                raise Taken(f"entry {row.seq} of shard {row.shard} exists")
        for row in rows:
            self._entries[row.shard, row.seq] = row
            self._heads[row.shard] = row.seq

    async def check_version(self) -> None:
        """Nobody else can reach it."""

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        return {shard: Standing(self._heads.get(shard, 0), self._watermarks.get(shard, 0)) for shard in shards}

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        return [
            self._entries[shard, seq]
            for shard, after in sorted(known.items())
            for seq in range(after + 1, self._heads.get(shard, 0) + 1)
            if (shard, seq) in self._entries
        ]

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        behind = {shard for shard, seq in watermarks.items() if self._watermarks.get(shard, 0) >= seq}
        for row in rows:
            if row.shard in behind:
                continue
            key = (row.owner, row.kind, row.id)
            if row.body is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
        self._watermarks.update((shard, seq) for shard, seq in watermarks.items() if shard not in behind)

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        wanted = set(owners)
        return [decode_record(row.body) for row in self._rows.values() if row.owner in wanted and row.body]

    async def heads(self) -> dict[Shard, int]:
        return dict(self._heads)

    async def tail(self) -> list[EntryRow]:
        return sorted(row for row in self._entries.values() if row.seq > self._watermarks.get(row.shard, 0))

    async def find(self, query: Query) -> list[Record]:
        rows = [row for row in self._rows.values() if _matches(row, query)]
        rows.sort(key=lambda row: (row.label, row.owner))
        return [decode_record(row.body) for row in rows[: query.limit] if row.body]

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        due = sorted((row.due, row.owner) for row in self._rows.values() if row.due is not None and row.due <= now)
        return list(dict.fromkeys(owner for _, owner in due))[:limit]

    async def newest(self) -> Instant | None:
        return max((self._entries[key].at for key in self._watermarks.items() if key in self._entries), default=None)

    def snapshot(self) -> Snapshot:
        yield from list(self._watermarks.items())
        yield from self._that_count()
        yield from list(self._rows.values())

    def old_entries(self, before: Instant) -> Generator[Opening | EntryRow, None, None]:
        known, items, last = dict(self._watermarks), self._that_count(), dict[Shard, int]()
        for item in items:
            if isinstance(item, EntryRow) and item.at < before and item.seq < known.get(item.shard, 0):
                last[item.shard] = item.seq
        yield from (item for item in items if isinstance(item, Opening) or item.seq <= last.get(item.shard, 0))

    async def lay(self, openings: Sequence[Opening]) -> None:
        self._openings.update(((one.shard, one.seq, one.piece), one) for one in openings)

    async def begin_behind(self, seqs: Mapping[Shard, int], pieces: int, *, begun: Mapping[Shard, int]) -> None:
        if any(self._beginnings.get(shard, 0) != begun.get(shard, 0) for shard in seqs):
            raise Taken(ANOTHER_ARCHIVE)
        if sum(seqs.get(shard) == seq for shard, seq, _ in self._openings) != pieces:
            raise Taken(ANOTHER_ARCHIVE)
        self._beginnings |= seqs

    async def shed(self, limit: int) -> int:
        begun = self._beginnings
        gone = [key for key in self._entries if key[1] <= begun.get(key[0], 0)][:limit]
        void = [key for key in self._openings if key[1] != begun.get(key[0], 0)][: limit - len(gone)]
        for key in gone:
            del self._entries[key]
        for piece in void:
            del self._openings[piece]
        return len(gone) + len(void)

    def _that_count(self) -> list[Opening | EntryRow]:
        begun, entries, openings = dict(self._beginnings), list(self._entries.values()), list(self._openings.values())
        return [
            *sorted(one for one in openings if one.seq == begun.get(one.shard, 0)),
            *sorted(row for row in entries if row.seq > begun.get(row.shard, 0)),
        ]

    async def close(self) -> None:
        """Nothing to let go of."""


def _matches(row: RecordRow, query: Query) -> bool:
    return (
        row.kind == query.kind
        and (query.owner is None or row.owner == query.owner)
        and row.label.startswith(query.label_prefix)
        and row.label > query.after
    )
