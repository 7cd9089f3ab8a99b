"""Reading missing pages: those missed while one reading is under way are read together in the next.

Where a page leads to another, as an IMSI's to its subscriber's, that one is read as well: it would be missed next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import chain

from qanat.ids import Owner
from qanat.ledger.work import Images, Record
from qanat.store.pages import Pages, overlay
from qanat.store.port import Log
from qanat.store.projector import Projector

Newer = Callable[[], list[Images]]
"""Returns the images that the rows may not have yet, oldest first."""


class Loader:
    def __init__(self, log: Log, pages: Pages, projector: Projector, newer: Newer) -> None:
        self._log = log
        self._pages = pages
        self._projector = projector
        self._newer = newer
        self._missed: dict[Owner, asyncio.Future[None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def load(self, owners: Iterable[Owner]) -> None:
        """Read pages; they may be missing still when the lane started afresh: ask again then. Raises StoreFault."""
        reads = [self._read_of(owner) for owner in owners]
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        for read in reads:
            await asyncio.shield(read)

    async def finish(self) -> None:
        """Return when nothing is being read."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    def _read_of(self, owner: Owner) -> asyncio.Future[None]:
        read = self._missed.get(owner)
        if read is None:
            read = self._missed[owner] = asyncio.get_running_loop().create_future()
        return read

    async def _read(self) -> None:
        while self._missed:
            missed, self._missed = self._missed, {}
            try:
                await self._read_pages(list(missed))
            except Exception as error:  # the store's, or a mistake of ours: nobody waits for ever
                for read in missed.values():
                    read.set_exception(error)
                    read.exception()  # whoever asked may have gone away
            else:
                for read in missed.values():
                    read.set_result(None)

    async def _read_pages(self, owners: list[Owner]) -> None:
        with self._projector.reading() as meanwhile:
            records = await self._log.load(owners)
            next_ones = self._led_to(records, owners)
            if next_ones:
                records += await self._log.load(next_ones)
        if meanwhile.is_void:
            return
        found: dict[Owner, list[Record]] = {owner: [] for owner in chain(owners, next_ones)}
        for record in records:
            found[record.owner].append(record)
        newer = [*meanwhile.ended, *self._newer()]
        for owner, stored in found.items():
            if owner not in self._pages:
                self._pages.install(owner, overlay(owner, stored, newer))

    def _led_to(self, records: list[Record], owners: list[Owner]) -> list[Owner]:
        led_to = {record.leads_to for record in records}
        return [owner for owner in led_to.difference(owners) if owner is not None and owner not in self._pages]
