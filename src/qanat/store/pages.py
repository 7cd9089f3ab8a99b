"""The pages in memory: what decisions read, a bounded number of owners at a time.

What rests leaves its page a few seconds after it was written or read (decision 29). A page that is pinned is whole.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from itertools import filterfalse, islice
from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Entry, Images, Key, NotLoaded, Page, Record, Resting
from qanat.store.records import KINDS

_BLANK: Final[Page] = {}


class Pages:
    """Least recently used pages go first. A page that is not here raises NotLoaded."""

    def __init__(self, kept: int) -> None:
        self._kept: Final = kept
        self._pages: OrderedDict[Owner, Page] = OrderedDict()
        self._pinned: Counter[Owner] = Counter()
        self._whole: set[Owner] = set()
        """Whose pages may have something on them that rests."""
        self.resting: Final[dict[Owner, Resting]] = {}
        """What pages in memory lack."""

    def page_of(self, owner: Owner) -> Page:
        """Return an owner's page. Raises NotLoaded."""
        page = self._pages.get(owner)
        if page is None:
            raise NotLoaded(owner)
        self._pages.move_to_end(owner)
        return page

    def __contains__(self, owner: Owner) -> bool:
        return owner in self._pages

    def __len__(self) -> int:
        return len(self._pages)

    def install(self, owner: Owner, records: Iterable[Record]) -> None:
        page: Page = {}
        for record in records:
            page.setdefault(type(record), {})[record.id] = record
        self._pages[owner] = page
        self._whole.add(owner)
        self._evict()

    def pin(self, owner: Owner) -> None:
        """Keep a page in memory, once it is read, until it is unpinned, and whole: a decision that needs several pages
        must see them together. One that lacks what rests must be read again."""
        self._pinned[owner] += 1
        if owner in self.resting:
            self._forget(owner)

    def unpin(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self._pinned[owner] -= 1
            if not self._pinned[owner]:
                del self._pinned[owner]

    def _evict(self) -> None:
        spare = len(self._pages) - self._kept
        if spare > 0:
            for owner in list(islice(filterfalse(self._pinned.__contains__, self._pages), spare)):
                self._forget(owner)

    def rest(self, records: Iterable[Record]) -> None:
        """Let these records leave memory, which rest, and what rests on pages that were read since the last time."""
        for record in records:
            self._rest(record)
        whole, self._whole = self._whole, set()
        for owner in whole:
            for held in self._pages.get(owner, _BLANK).values():
                for record in [one for one in held.values() if one.rests]:
                    self._rest(record)

    def _rest(self, record: Record) -> None:
        owner = record.owner
        page = self._pages.get(owner)
        if page is None:
            return
        if owner in self._pinned:
            self._whole.add(owner)
            return
        held = page.get(type(record))
        if held is not None and held.get(record.id) is record:
            del held[record.id]
            self.resting.setdefault(owner, Resting()).add(record)

    def apply(self, entry: Entry) -> None:
        """Put an entry's images on those pages that are in memory."""
        pages = self._pages
        for record in entry.put:
            page = pages.get(record.owner)
            if page is not None:
                page.setdefault(type(record), {})[record.id] = record
        for kind, owner, id in entry.drop:
            page = pages.get(owner)
            if page is not None and page.get(KINDS[kind], {}).pop(id, None) is None and owner in self.resting:
                self._forget(owner)  # what rested is gone, and a hash can't be taken back: another id may have the same

    def forget(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self._forget(owner)

    def _forget(self, owner: Owner) -> None:
        self._pages.pop(owner, None)
        self.resting.pop(owner, None)
        self._whole.discard(owner)

    def owners(self) -> list[Owner]:
        """Whose pages are in memory."""
        return list(self._pages)

    def clear(self) -> None:
        self._pages.clear()
        self.resting.clear()
        self._whole.clear()


def gather(images: Images, entry: Entry) -> None:
    """Let an entry's images replace older ones."""
    for record in entry.put:
        known = images.get(record.owner)
        if known is None:
            known = images[record.owner] = {}
        known[type(record), record.id] = record
    for kind, owner, id in entry.drop:
        images.setdefault(owner, {})[KINDS[kind], id] = None


def gathered(entries: Iterable[Entry]) -> Images:
    """Return the images that these entries leave behind."""
    images: Images = {}
    for entry in entries:
        gather(images, entry)
    return images


def merge(images: Images, newer: Images) -> None:
    """Let newer images replace older ones. ``newer`` is given away."""
    for owner, records in newer.items():
        known = images.get(owner)
        if known is None:
            images[owner] = records
        else:
            known.update(records)


def overlay(owner: Owner, records: Iterable[Record], newer: Iterable[Images]) -> list[Record]:
    """Return the records of one owner with newer images, oldest first, laid over them."""
    seen: dict[Key, Record | None] = {(type(record), record.id): record for record in records}
    for images in newer:
        seen.update(images.get(owner, {}))
    return [record for record in seen.values() if record is not None]
