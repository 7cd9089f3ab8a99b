"""The projector: writes the newest images into rows, behind the entries, in chunks beside the lane's batches.

Between two rounds it pauses, so that a record that changes often is written once. A round may write rows newer than its
watermark: replaying the entries behind the watermark ends at the same images or later ones. Where other servers write as
well, each shard's rows go in one piece, with its watermark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Final

from qanat.errors import StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.work import Entry, Images, Key, Record, kind_name
from qanat.store.mistakes import as_fault
from qanat.store.pages import gather, merge
from qanat.store.port import Log, RecordRow
from qanat.store.records import encode
from qanat.units import Instant

_CHUNKS: Final = 256
"""A round is written between so many batches at most: then rows keep up with any load."""
_NEIGHBOURS: Final = 4096
"""So many owners are put in order at once: rows that lie side by side are then written together, and their pages once."""
_NEVER: Final = Instant(1 << 61)


@dataclass(slots=True)
class Round:
    """Images on their way into rows, and the seqs they bring each shard up to."""

    images: Images = field(default_factory=dict)
    heads: dict[Shard, int] = field(default_factory=dict)
    first_due: Instant = _NEVER
    """No image is due earlier."""
    chunk: int = 0
    """Rows that are written at once."""
    gap_s: float = 0.0
    """From one chunk's beginning to the next one's, unless somebody waits for the rows."""
    pieces: Iterator[list[RecordRow]] = iter(())
    """What is still to be written; a piece is not divided."""


@dataclass(slots=True)
class Meanwhile:
    """What became of rows while pages were read."""

    ended: list[Images] = field(default_factory=list)
    """Images of the rounds whose rows were all written, oldest first: what was read may not have them yet."""
    is_void: bool = False
    """The lane started afresh, or rows were not written or by others: what was read is worth nothing."""


class Projector:
    pause_s = 3.0
    """A row costs as much to write as an entry: the longer the pause, the fewer there are, and the more a start replays."""
    spread_s = 2.0
    """A round takes so long if nobody waits for it: batches that chunks stand before are then few at any time."""
    chunk = 64
    """Rows that are written at once, or more where a round is large: a batch handed over behind them waits for them."""

    def __init__(self, log: Log) -> None:
        self.rows_written = 0
        self.rounds = 0
        """Rounds whose rows are all written."""
        self.fault: StoreFault | None = None
        """Why the last chunk was not written; its images are kept."""
        self.next_at = 0.0
        """When the next chunk is due, of this round or another, by the event loop's own time."""
        self._log = log
        self._resting: list[Record] = []
        self._waiting: Images = {}
        self._first_due = _NEVER
        """No image that waits is due earlier."""
        self._round = Round()
        self._meanwhile: Meanwhile | None = None
        """Set while pages are read."""

    def start_afresh(self) -> None:
        """Forget what was under way: the lane replays it from the entries."""
        self._make_void()
        self._waiting, self._first_due, self._round, self._resting = {}, _NEVER, Round(), []

    def take(self, entries: Iterable[Entry]) -> None:
        """Take the images of entries that are durable."""
        for entry in entries:
            gather(self._waiting, entry)
            for record in entry.put:
                due = record.due
                if due is not None and due < self._first_due:
                    self._first_due = due

    def resting(self) -> list[Record]:
        """Return the records that rest among those whose rows were written since the last time."""
        resting, self._resting = self._resting, []
        return resting

    @property
    def waiting(self) -> bool:
        return bool(self._waiting or self._round.images)

    @property
    def lag(self) -> int:
        """Records whose rows may be behind their entries."""
        return sum(map(len, self._waiting.values())) + sum(map(len, self._round.images.values()))

    @property
    def is_writing(self) -> bool:
        """Whether a round is under way."""
        return bool(self._round.images)

    @contextmanager
    def reading(self) -> Iterator[Meanwhile]:
        """Note what becomes of rows while pages are read, one reading at a time."""
        self._meanwhile = meanwhile = Meanwhile()
        try:
            yield meanwhile
        finally:
            self._meanwhile = None

    def newer(self) -> tuple[Images, Images]:
        """The images that the rows may not have yet, the older first."""
        return self._round.images, self._waiting

    def is_behind_for(self, owners: Collection[Owner], now: Instant) -> bool:
        """Tell whether images are waiting that are of these owners, or may be due."""
        if min(self._first_due, self._round.first_due) <= now:
            return True
        return any(owner in images for images in self.newer() for owner in owners)

    def is_time(self, now_s: float) -> bool:
        return now_s >= self.next_at and self.waiting and self.fault is None

    def hurry(self) -> None:
        """Somebody waits for the rows: the next chunk is due, and what failed is tried again."""
        self.next_at = 0.0
        self.fault = None

    async def write_chunk(self, heads: dict[Shard, int], *, now_s: float) -> None:
        """Write the next rows of the round; with its last, how far the rows have come.

        ``heads`` are the last durable seqs.
        """
        if not self._round.images:
            lag = self.lag
            chunk = max(self.chunk, lag // _CHUNKS)
            gap_s = self.spread_s * chunk / max(lag, chunk)
            self._round = Round(self._waiting, dict(heads), self._first_due, chunk, gap_s, self._pieces(self._waiting))
            self._waiting, self._first_due = {}, _NEVER
        round = self._round
        try:
            rows, last = self._next_chunk()
            await self._log.project(rows, self._reached(rows, last=last))
        except Exception as error:
            self.fault = as_fault(error)
            self.next_at = now_s + self.pause_s
            self._put_back()
            return
        self.rows_written += len(rows)
        self.next_at = now_s + round.gap_s
        if last and self._round is round:  # or the lane started afresh meanwhile
            self.rounds += 1
            if self._meanwhile is not None:
                self._meanwhile.ended.append(round.images)
            self._round = Round()
            self.next_at = now_s + self.pause_s

    def _next_chunk(self) -> tuple[list[RecordRow], bool]:
        """Return the next rows of the round, and whether they are its last."""
        rows: list[RecordRow] = []
        for piece in self._round.pieces:
            rows += piece
            if len(rows) >= self._round.chunk:
                return rows, False
        return rows, True

    def _reached(self, rows: list[RecordRow], *, last: bool) -> dict[Shard, int]:  # noqa: ARG002 - all go together
        """Return the watermarks that these rows bring up."""
        return self._round.heads if last else {}

    def _pieces(self, images: Images) -> Iterator[list[RecordRow]]:
        owners = iter(images)
        while neighbours := sorted(islice(owners, _NEIGHBOURS)):
            for owner in neighbours:
                yield list(self._rows_of(owner, images[owner]))

    def _rows_of(self, owner: Owner, records: Mapping[Key, Record | None]) -> Iterator[RecordRow]:
        shard = self._log.shard_of(owner)
        for (kind, id), record in records.items():
            if record is None:
                yield RecordRow(shard, owner, kind_name(kind), id, "", None, None)
            else:
                yield RecordRow(shard, owner, kind_name(kind), id, record.label, record.due, encode(record))
                if record.rests:
                    self._resting.append(record)

    def _make_void(self) -> None:
        if self._meanwhile is not None:
            self._meanwhile.is_void = True

    def _put_back(self) -> None:
        self._make_void()
        newer, self._waiting = self._waiting, self._round.images
        self._first_due = min(self._first_due, self._round.first_due)
        self._round = Round()
        merge(self._waiting, newer)


class SharedProjector(Projector):
    """Writes whole shards, each with its watermark, into a database that other servers write rows to as well."""

    pause_s = 0.7
    """Others read these rows, and know no newer ones."""
    spread_s = 0.0
    chunk = 256
    """Each takes a round trip, and whoever lists waits for all."""

    def forget(self, shards: Collection[Shard]) -> None:
        """Let go of these shards' images: the rows have come further without us."""
        self._put_back()
        for owner in [owner for owner in self._waiting if self._log.shard_of(owner) in shards]:
            del self._waiting[owner]

    def _reached(self, rows: list[RecordRow], *, last: bool) -> dict[Shard, int]:  # noqa: ARG002 - each shard is whole
        return {row.shard: self._round.heads[row.shard] for row in rows}

    def _pieces(self, images: Images) -> Iterator[list[RecordRow]]:
        for _, owners in groupby(sorted(images, key=self._log.shard_of), key=self._log.shard_of):
            yield [row for owner in owners for row in self._rows_of(owner, images[owner])]
