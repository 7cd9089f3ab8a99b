"""The pages in memory: what decisions read, a bounded number of owners at a time."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from itertools import filterfalse, islice
from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Entry, Images, Key, NotLoaded, Page, Record
from qanat.store.records import KINDS


class Pages:
    """Least recently used pages go first. A page that is not here raises NotLoaded."""

    def __init__(self, kept: int) -> None:
        self._kept: Final = kept
        self._pages: OrderedDict[Owner, Page] = OrderedDict()
        self._pinned: Counter[Owner] = Counter()

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
        self._evict()

    def pin(self, owner: Owner) -> None:
        """Keep a page in memory until it is unpinned: a decision that needs several pages must see them together."""
        self._pinned[owner] += 1

    def unpin(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self._pinned[owner] -= 1
            if not self._pinned[owner]:
                del self._pinned[owner]

    def _evict(self) -> None:
        spare = len(self._pages) - self._kept
        if spare > 0:
            for owner in list(islice(filterfalse(self._pinned.__contains__, self._pages), spare)):
                del self._pages[owner]

    def apply(self, entry: Entry) -> None:
        """Put an entry's images on those pages that are in memory."""
        pages = self._pages
        for record in entry.put:
            page = pages.get(record.owner)
            if page is not None:
                page.setdefault(type(record), {})[record.id] = record
        for kind, owner, id in entry.drop:
            page = pages.get(owner)
            if page is not None:
                page.get(KINDS[kind], {}).pop(id, None)

    def forget(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self._pages.pop(owner, None)

    def owners(self) -> list[Owner]:
        """Whose pages are in memory."""
        return list(self._pages)

    def clear(self) -> None:
        self._pages.clear()


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
