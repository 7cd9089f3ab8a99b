"""The unit of work: what a decision reads, and the entries it leaves behind.

Records are immutable images. A decision reads records from *pages* (all records of one owner), puts new images and moves
amounts between accounts. Nothing is true until the store commits the resulting entries; a decision that is abandoned
is undone, and running it again is always safe. An entry carries its postings, for the audit, and the new images, so
that replaying entries needs no rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import msgspec

from qanat.ids import Owner, Shard
from qanat.units import Instant

Posting = tuple[str, int]
"""An account, written ``owner:id``, and what was added to its balance."""


class Balance(NamedTuple):
    """What an account holds."""

    id: str
    role: str
    unit: str
    amount: int


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
    def leads_to(self) -> Owner | None:
        """Whose page is read next, as a rule, by who reads this record."""
        return None

    @property
    def rests(self) -> bool:
        """Whether hardly anybody asks for it again: it leaves memory before its page does (decision 29)."""
        return False

    @property
    def balances(self) -> tuple[Balance, ...]:
        """The accounts that this record is the image of."""
        return ()

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
"""The records of one owner in memory: all of them, but for what rests."""
Key = tuple[type[Record], str]
"""What tells a record from the others of its owner."""
Images = dict[Owner, dict[Key, Record | None]]
"""The newest image of each record; None where it was dropped."""


class Resting:
    """What an owner has beside its page: enough to know of a record that is not on the page whether it exists.

    Of an id the hash is kept. Two that are alike cost a reading and nothing else.
    """

    __slots__ = ("_ids", "first_due")

    def __init__(self) -> None:
        self._ids: dict[type[Record], set[int]] = {}
        self.first_due: Instant | None = None

    def add(self, record: Record) -> None:
        self._ids.setdefault(type(record), set()).add(hash(record.id))
        if record.due is not None and (self.first_due is None or record.due < self.first_due):
            self.first_due = record.due

    def has(self, kind: type[Record], id: str) -> bool:
        return hash(id) in self._ids.get(kind, ())

    def has_some(self, kind: type[Record]) -> bool:
        return kind in self._ids


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What one decision did in one shard: a balanced set of postings and the new images."""

    postings: list[Posting] = []
    put: list[Record] = []
    drop: list[tuple[str, Owner, str]] = []
    """(kind, owner, id) of records that are forgotten."""


_Change = tuple[Owner, str, dict[str, Record], Record | None, Record, int]
"""Whose record and which, where it lies on its page, what lay there before, the image that was put there or dropped, and what
was posted to it."""


_Lists = tuple[list[Posting], list[Record], list[tuple[str, Owner, str]]]
_NO_LISTS: Final[_Lists] = ([], [], [])
_NO_RECORDS: Final[Mapping[str, Record]] = {}
_NOTHING_RESTS: Final[Mapping[Owner, Resting]] = MappingProxyType({})


class NotLoaded(Exception):
    """A decision needs pages that are not in memory, or records that rest. The store loads them and decides again."""

    def __init__(self, *owners: Owner) -> None:
        super().__init__(*owners)
        self.owners = owners


class Work:
    """One decision in progress. ``now`` is the same instant throughout.

    New images are laid on the pages at once, so that reading needs no second place; ``undo`` takes them off again.
    """

    __slots__ = (
        "_blank",
        "_changes",
        "_page_of",
        "_pages",
        "_postings",
        "_resting",
        "act",
        "now",
        "octets_used",
        "one_commit",
    )

    def __init__(
        self,
        page_of: Callable[[Owner], Page],
        now: Instant,
        *,
        one_commit: bool,
        resting: Mapping[Owner, Resting] = _NOTHING_RESTS,
    ) -> None:
        self.now = now
        self.one_commit = one_commit
        """Whether entries in several shards are committed together at no more cost than apart."""
        self.act = ""
        self.octets_used = 0
        """What the entries post as usage."""
        self._page_of = page_of
        self._resting = resting
        self._pages: dict[Owner, Page] = {}
        self._blank: dict[Owner, Page] = {}
        self._changes: list[_Change] = []
        self._postings: list[tuple[Owner, str, int]] = []

    def records(self, kind: type[R], owner: Owner) -> Mapping[str, R]:
        """Return the records of a kind that an owner has, by id, as this decision sees them, without those that rest.

        Raises NotLoaded.
        """
        page = self._pages.get(owner) or self._page(owner)
        return page.get(kind, _NO_RECORDS)  # type: ignore[return-value, arg-type]

    def get(self, kind: type[R], owner: Owner, id: str) -> R | None:
        """Return the record as this decision sees it. Raises NotLoaded."""
        page = self._pages.get(owner) or self._page(owner)
        records = page.get(kind)
        found = None if records is None else records.get(id)
        if found is None:
            resting = self._resting.get(owner)
            if resting is not None and resting.has(kind, id):
                raise NotLoaded(owner)
        return found  # type: ignore[return-value]

    def all(self, kind: type[R], owner: Owner) -> list[R]:
        """Return all records of a kind that an owner has, as this decision sees them. Raises NotLoaded."""
        records, resting = self.records(kind, owner), self._resting.get(owner)
        if resting is not None and resting.has_some(kind):
            raise NotLoaded(owner)
        return list(records.values())

    def due(self, owner: Owner) -> list[Record]:
        """Return the records of an owner that are due. Raises NotLoaded."""
        page, now = self._page(owner), self.now
        resting = self._resting.get(owner)
        if resting is not None and resting.first_due is not None and resting.first_due <= now:
            raise NotLoaded(owner)
        records = [record for records in page.values() for record in records.values()]
        return [record for record in records if record.due is not None and record.due <= now]

    def need(self, owners: Iterable[Owner]) -> None:
        """Raise NotLoaded for all of these pages that are not in memory, so that they are loaded together."""
        missing: list[Owner] = []
        for owner in owners:
            try:
                self._page(owner)
            except NotLoaded:
                missing.append(owner)
        if missing:
            raise NotLoaded(*missing)

    def put(self, record: Record, *, posted: int = 0) -> None:
        """Let an image replace the record's last one; ``posted`` was added to the balance of an account.

        Its page need not be in memory.
        """
        owner, id = record.owner, record.id
        try:
            records = self._pages[owner][type(record)]
        except KeyError:
            records = self._page_or_blank(owner).setdefault(type(record), {})
        self._changes.append((owner, id, records, records.get(id), record, posted))
        records[id] = record

    def post(self, owner: Owner, id: str, amount: int) -> None:
        """Say what was added to one of several accounts that an image holds."""
        self._postings.append((owner, id, amount))

    def drop(self, record: Record) -> None:
        """Forget a record. An account is dropped only when it is empty."""
        owner, id = record.owner, record.id
        records = self._page_or_blank(owner).setdefault(type(record), {})
        self._changes.append((owner, id, records, records.pop(id, None), record, 0))

    def entries(self, shard_of: Callable[[Owner], Shard]) -> dict[Shard, Entry]:
        """Return what is to be appended, an entry for each shard touched; empty if the decision only looked.

        Of several images of one record the last one counts: it is the one that lies on the page. An owner in another string
        is only looked up once more.
        """
        entries: dict[Shard, Entry] = {}
        last_owner, (postings, put, drop) = Owner(""), _NO_LISTS
        for owner, id, records, _, record, posted in self._changes:
            if owner is not last_owner:
                last_owner = owner
                postings, put, drop = _lists_of(entries, shard_of(owner))
            if posted:
                postings.append((f"{owner}:{id}", posted))
                if id == "used":
                    self.octets_used += posted
            last = records.get(id)
            if last is record:
                put.append(record)
            elif last is None:
                drop.append((kind_name(type(record)), owner, id))
        for owner, id, amount in self._postings:
            if owner is not last_owner:
                last_owner = owner
                postings, put, drop = _lists_of(entries, shard_of(owner))
            postings.append((f"{owner}:{id}", amount))
        return entries

    def undo(self) -> None:
        """Leave no trace on the pages."""
        for _, id, records, before, _, _ in reversed(self._changes):
            if before is None:
                records.pop(id, None)
            else:
                records[id] = before

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
            return self._blank.setdefault(owner, {})


def kind_name(kind: type[Record]) -> str:
    """Return the name by which a kind of record is stored."""
    return kind.__name__.lower()


def _lists_of(entries: dict[Shard, Entry], shard: Shard) -> _Lists:
    """Return what is to be filled of a shard's entry, which is new if it is the first time."""
    entry = entries.get(shard)
    if entry is None:
        entry = entries[shard] = Entry(postings=[], put=[], drop=[])
    return entry.postings, entry.put, entry.drop
