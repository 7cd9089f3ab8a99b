"""What a database must be able to do for Qanat: a log that is appended to, and rows that are brought up behind it.

Entries are the truth: appending them is the only thing that must be durable before an answer. Rows are the records as
they were at the watermark or later; they exist to be loaded and listed, and can be made again from the entries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from qanat.errors import Fault
from qanat.ids import Owner, Shard
from qanat.ledger.work import Record
from qanat.units import Instant


class EntryRow(NamedTuple):
    """One entry as stored. (shard, seq) is order, cache validation and fence in one."""

    shard: Shard
    seq: int
    at: Instant
    act: str
    body: str


class RecordRow(NamedTuple):
    """One record as stored; ``body`` None means that it is forgotten."""

    shard: Shard
    owner: Owner
    kind: str
    id: str
    label: str
    due: Instant | None
    body: str | None


class Opening(NamedTuple):
    """A piece of what a shard's entries up to a seq left behind when they went into an archive.

    ``body`` is an entry that puts the records as they were and posts what their accounts held; ``at`` is when the last of
    those entries was made.
    """

    shard: Shard
    seq: int
    piece: int
    at: Instant
    body: str


Snapshot = Iterator[EntryRow | Opening | RecordRow | tuple[Shard, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records to list, in the order of their labels."""

    kind: str
    owner: str | None = None
    label_prefix: str = ""
    after: str = ""
    """Begin behind this label."""
    limit: int = 100


class Taken(Fault):
    """Somebody else appended to the shard first. Read what they wrote and decide again."""


class Log(Protocol):
    """A database. Every method but ``shard_of`` may raise StoreFault; what it interrupted was not committed."""

    @property
    def one_commit(self) -> bool:
        """Whether a commit of several shards' entries costs no more than of one's, because one machine holds them."""
        ...

    def shard_of(self, owner: Owner) -> Shard: ...

    def append(self, rows: Sequence[EntryRow]) -> Awaitable[None]:
        """Append all rows in one durable commit, or none. Raises Taken if a (shard, seq) exists.

        Where it can, it begins before it is awaited.
        """
        ...

    async def project(self, rows: Sequence[RecordRow], watermarks: dict[Shard, int]) -> None:
        """Write rows, and that every entry up to each watermark is in the rows, in one commit."""
        ...

    async def load(self, owners: Sequence[Owner]) -> list[Record]:
        """Return the rows of these owners, as of one moment."""
        ...

    async def heads(self) -> dict[Shard, int]:
        """Return the last seq of each shard that has entries."""
        ...

    async def tail(self) -> list[EntryRow]:
        """Return the entries behind the watermarks, in order."""
        ...

    async def find(self, query: Query) -> list[Record]: ...

    async def due_owners(self, now: Instant, limit: int) -> list[Owner]:
        """Return owners of records that are due, those longest due first."""
        ...

    async def newest(self) -> Instant | None:
        """Return the time of the newest entry that is in the rows; None before there is one."""
        ...

    def snapshot(self) -> Snapshot:
        """Read everything as of one moment: watermarks, openings, entries in order, then rows. For the audit; blocks."""
        ...

    async def close(self) -> None: ...


ANOTHER_ARCHIVE = "another archive of the same database was made meanwhile"
NOTHING: Mapping[Shard, int] = {}
NEWEST = "SELECT max(entry.at) FROM entry JOIN watermark USING (shard, seq)"
"""For every database: what stands at the watermarks is looked up, shard by shard."""


class Standing(NamedTuple):
    """How far a shard has come."""

    head: int
    """The last seq; 0 without entries."""
    watermark: int
    """The rows are as of this seq."""


@runtime_checkable
class SharedLog(Log, Protocol):
    """A database that several servers write to.

    Rows of a shard are written together with its watermark and only if that moves it forward, whoever writes them: so they
    never go back. (A copy, which nobody serves yet, writes rows without watermarks, and the watermarks at the end.)
    """

    def append(self, rows: Sequence[EntryRow], unchanged: Mapping[Shard, int] = NOTHING) -> Awaitable[None]:
        """Append as above; raises Taken also if one of these other shards has entries behind the given seq."""
        ...

    async def check_version(self) -> None:
        """Raise Outdated if a later version of Qanat has taken the database over; appending and projecting raise it too."""
        ...

    async def standing(self, shards: Iterable[Shard]) -> dict[Shard, Standing]:
        """Return how far these shards have come."""
        ...

    async def since(self, known: Mapping[Shard, int]) -> list[EntryRow]:
        """Return the entries of these shards behind the given seqs, in order; those in archives are missing."""
        ...


@runtime_checkable
class Archivable(Protocol):
    """A database whose oldest entries may go into an archive, served or not. Every method may raise StoreFault."""

    def shard_of(self, owner: Owner) -> Shard: ...

    def old_entries(self, before: Instant) -> Generator[Opening | EntryRow, None, None]:
        """Read all openings, then in order the entries that count, are older and may go, as of one moment. Blocks.

        Of each shard they are a beginning. Those that the rows do not know yet stay, and one more, which says where it stands.
        """
        ...

    async def lay(self, openings: Sequence[Opening]) -> None:
        """Write pieces of openings, which don't count yet. Each is new: ``shed`` has removed what an earlier run left."""
        ...

    async def begin_behind(self, seqs: Mapping[Shard, int], pieces: int, *, begun: Mapping[Shard, int]) -> None:
        """Let the openings laid at these seqs count instead of the entries up to there, durably and all at once.

        Raises Taken if there are not so many pieces, or a shard does not begin any more where it had ``begun`` (0 if it is not
        among these): another archive was made.
        """
        ...

    async def shed(self, limit: int) -> int:
        """Remove some of the entries and openings that don't count, about ``limit``; return how many, 0 when none is left."""
        ...
