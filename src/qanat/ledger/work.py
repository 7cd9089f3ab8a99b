"""The unit of work: what a decision reads, and the entries it leaves behind.

Records are immutable images. A decision reads records from *pages* (all records of one owner), puts new images and moves
amounts between accounts. Nothing changes until the store commits the resulting entries; a decision that is abandoned
leaves no trace, and running it again on fresh pages is always safe. An entry carries its postings, for the audit, and
the new images, so that replaying entries needs no rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from qanat.ids import Owner, Shard
from qanat.units import Instant

Posting = tuple[str, int]
"""An account, written ``owner:id``, and what was added to its balance."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind", tag=str.lower):
    """Something that is remembered: the image of one thing, belonging to one owner."""

    owner: Owner
    id: str
    due: Instant | None = None
    """When the sweeper must look at it; None means never."""

    @property
    def label(self) -> str:
        """What a person would look for in a list."""
        return self.id

    @property
    def reservations(self) -> tuple[Posting, ...]:
        """The octets this record holds reserved: (account id, octets), on accounts of the same owner."""
        return ()

    @property
    def positions(self) -> tuple[Posting, ...]:
        """What this record explains of the balances of position accounts of the same owner: (account id, amount)."""
        return ()


R = TypeVar("R", bound=Record)
Key = tuple[type[Record], Owner, str]
Page = dict[type[Record], dict[str, Record]]
"""All records of one owner in memory."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What one decision did in one shard: a balanced set of postings and the new images."""

    postings: list[Posting] = []
    put: list[Record] = []
    drop: list[tuple[str, Owner, str]] = []
    """(kind, owner, id) of records that are forgotten."""


class NotLoaded(Exception):
    """A decision needs the page of an owner that is not in memory. The store loads it and decides again."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner)
        self.owner = owner


class Work:
    """One decision in progress. ``now`` is the same instant throughout."""

    __slots__ = ("_page_of", "_postings", "_puts", "act", "now")

    def __init__(self, page_of: Callable[[Owner], Page], now: Instant) -> None:
        self.now = now
        self.act = ""
        self._page_of = page_of
        self._puts: dict[Key, Record | None] = {}
        self._postings: list[tuple[Owner, Posting]] = []

    def get(self, kind: type[R], owner: Owner, id: str) -> R | None:
        """Return the record as this decision sees it. Raises NotLoaded."""
        key = (kind, owner, id)
        if key in self._puts:
            return self._puts[key]  # type: ignore[return-value]
        return self._page_of(owner).get(kind, {}).get(id)  # type: ignore[return-value]

    def all(self, kind: type[R], owner: Owner) -> list[R]:
        """Return all records of a kind that an owner has, as this decision sees them. Raises NotLoaded."""
        stored = self._page_of(owner).get(kind, {})
        if not self._puts:
            return list(stored.values())  # type: ignore[arg-type]
        seen = dict(stored)
        for (put_kind, put_owner, id), record in self._puts.items():
            if put_kind is kind and put_owner == owner:
                if record is None:
                    seen.pop(id, None)
                else:
                    seen[id] = record
        return list(seen.values())  # type: ignore[arg-type]

    def everything(self, owner: Owner) -> list[Record]:
        """Return every record of an owner. Raises NotLoaded."""
        kinds = set(self._page_of(owner)) | {kind for kind, put_owner, _ in self._puts if put_owner == owner}
        return [record for kind in kinds for record in self.all(kind, owner)]

    def put(self, record: Record) -> None:
        self._puts[type(record), record.owner, record.id] = record

    def drop(self, record: Record) -> None:
        """Forget a record. An account is dropped only when it is empty."""
        self._puts[type(record), record.owner, record.id] = None

    def posted(self, owner: Owner, account: str, amount: int) -> None:
        """Note that ``amount`` was added to an account's balance; called by the ledger beside its new image."""
        self._postings.append((owner, (f"{owner}:{account}", amount)))

    def entries(self, shard_of: Callable[[Owner], Shard]) -> dict[Shard, Entry]:
        """Return what is to be appended, an entry for each shard touched; empty if the decision only looked."""
        entries: dict[Shard, Entry] = {}
        for (kind, owner, id), record in self._puts.items():
            entry = _entry_of(entries, shard_of(owner))
            if record is None:
                entry.drop.append((kind_name(kind), owner, id))
            else:
                entry.put.append(record)
        for owner, posting in self._postings:
            _entry_of(entries, shard_of(owner)).postings.append(posting)
        return entries


def kind_name(kind: type[Record]) -> str:
    """Return the name by which a kind of record is stored."""
    return kind.__name__.lower()


def _entry_of(entries: dict[Shard, Entry], shard: Shard) -> Entry:
    entry = entries.get(shard)
    if entry is None:
        entry = entries[shard] = Entry(postings=[], put=[], drop=[])
    return entry
