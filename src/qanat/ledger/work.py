"""The unit of work: what a decision reads, and the entries it leaves behind.

Records are immutable images. A decision reads records from *pages* (all records of one owner), puts new images and moves
amounts between accounts. Nothing is true until the store commits the resulting entries; a decision that is abandoned
is undone, and running it again is always safe. An entry carries its postings, for the audit, and the new images, so
that replaying entries needs no rules.
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
Page = dict[type[Record], dict[str, Record]]
"""All records of one owner in memory."""
Key = tuple[type[Record], str]
"""What tells a record from the others of its owner."""
Images = dict[Owner, dict[Key, Record | None]]
"""The newest image of each record; None where it was dropped."""


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
    """One decision in progress. ``now`` is the same instant throughout.

    New images are laid on the pages at once, so that reading needs no second place; ``undo`` takes them off again.
    """

    __slots__ = ("_page_of", "_pages", "_postings", "_undo", "act", "images", "now", "octets_used")

    def __init__(self, page_of: Callable[[Owner], Page], now: Instant) -> None:
        self.now = now
        self.act = ""
        self.images: Images = {}
        """What this decision leaves behind: the new image of each record, None where it is dropped."""
        self._page_of = page_of
        self._pages: dict[Owner, Page] = {}
        self._undo: list[tuple[dict[str, Record], str, Record | None]] = []
        self._postings: list[tuple[Owner, Posting]] = []
        self.octets_used = 0

    def get(self, kind: type[R], owner: Owner, id: str) -> R | None:
        """Return the record as this decision sees it. Raises NotLoaded."""
        records = (self._pages.get(owner) or self._page(owner)).get(kind)
        return None if records is None else records.get(id)  # type: ignore[return-value]

    def all(self, kind: type[R], owner: Owner) -> list[R]:
        """Return all records of a kind that an owner has, as this decision sees them. Raises NotLoaded."""
        return list(self._page(owner).get(kind, {}).values())  # type: ignore[arg-type]

    def everything(self, owner: Owner) -> list[Record]:
        """Return every record of an owner. Raises NotLoaded."""
        return [record for records in self._page(owner).values() for record in records.values()]

    def put(self, record: Record) -> None:
        """Let an image replace the record's last one. Its page need not be in memory."""
        records, images, key = self._place(record)
        images[key] = records[key[1]] = record

    def drop(self, record: Record) -> None:
        """Forget a record. An account is dropped only when it is empty."""
        records, images, key = self._place(record)
        images[key] = None
        records.pop(key[1], None)

    def posted(self, owner: Owner, account: str, amount: int) -> None:
        """Note that ``amount`` was added to an account's balance; called by the ledger beside its new image."""
        self._postings.append((owner, (f"{owner}:{account}", amount)))
        if account == "used":
            self.octets_used += amount

    def entries(self, shard_of: Callable[[Owner], Shard]) -> dict[Shard, Entry]:
        """Return what is to be appended, an entry for each shard touched; empty if the decision only looked."""
        entries: dict[Shard, Entry] = {}
        for owner, images in self.images.items():
            entry = _entry_of(entries, shard_of(owner))
            for (kind, id), record in images.items():
                if record is None:
                    entry.drop.append((kind_name(kind), owner, id))
                else:
                    entry.put.append(record)
        for owner, posting in self._postings:
            _entry_of(entries, shard_of(owner)).postings.append(posting)
        return entries

    def undo(self) -> None:
        """Leave no trace on the pages."""
        for records, id, earlier in self._undo:
            if earlier is None:
                records.pop(id, None)
            else:
                records[id] = earlier

    def _page(self, owner: Owner) -> Page:
        page = self._pages.get(owner)
        if page is None:
            page = self._pages[owner] = self._page_of(owner)
        return page

    def _page_or_blank(self, owner: Owner) -> Page:
        """Return the page, or an empty one in place of what is not in memory: whoever reads it later lays our images on it."""
        try:
            return self._page(owner)
        except NotLoaded:
            return {}

    def _place(self, record: Record) -> tuple[dict[str, Record], dict[Key, Record | None], Key]:
        """Return where a record lies on its page and among the images; what it was before can be undone."""
        owner, key = record.owner, (type(record), record.id)
        page = self._pages.get(owner) or self._page_or_blank(owner)
        records = page.get(key[0])
        if records is None:
            records = page[key[0]] = {}
        images = self.images.get(owner)
        if images is None:
            images = self.images[owner] = {}
        if key not in images:
            self._undo.append((records, key[1], records.get(key[1])))
        return records, images, key


def kind_name(kind: type[Record]) -> str:
    """Return the name by which a kind of record is stored."""
    return kind.__name__.lower()


def _entry_of(entries: dict[Shard, Entry], shard: Shard) -> Entry:
    entry = entries.get(shard)
    if entry is None:
        entry = entries[shard] = Entry(postings=[], put=[], drop=[])
    return entry
