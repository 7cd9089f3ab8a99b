"""A desk: the store without waiting. Decisions are made and kept in memory at once, in one thread.

For the simulator and for tests of the thinking rooms: the same pages, entries and records as everywhere, no event loop.
Made from the entries of another desk it knows all that the other one knew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from qanat.clock import Clock
from qanat.ids import Owner, Shard, shard_of
from qanat.ledger.audit import Auditor, Verdict
from qanat.ledger.work import Entry, Page, Record, Work
from qanat.store.records import KINDS, decode_entry, encode

T = TypeVar("T")
R = TypeVar("R", bound=Record)


class Desk:
    def __init__(
        self, clock: Clock, entries: Iterable[tuple[Shard, int, Entry]] = (), *, one_commit: bool = True
    ) -> None:
        self.clock = clock
        self.one_commit = one_commit
        """False lets it stand for a database of several machines: what concerns two shards goes by post."""
        self.entries: list[tuple[Shard, int, Entry]] = []
        self._heads: dict[Shard, int] = {}
        self._pages: dict[Owner, Page] = {}
        for shard, _, entry in entries:
            self._keep(shard, entry)

    def decide(self, decision: Callable[[Work], T]) -> T:
        work = Work(self._page_of, self.clock.now(), one_commit=self.one_commit)
        try:
            result = decision(work)
            self.append({shard: decode_entry(encode(entry)) for shard, entry in work.entries(shard_of).items()})
        except BaseException:
            work.undo()
            raise
        return result

    def append(self, entries: dict[Shard, Entry]) -> None:
        """Keep what one decision did: all of it, or nothing if this raises."""
        for shard, entry in entries.items():
            self._keep(shard, entry)

    def get(self, kind: type[R], owner: Owner, id: str) -> R | None:
        return self.decide(lambda work: work.get(kind, owner, id))

    def all(self, kind: type[R], owner: Owner) -> list[R]:
        return self.decide(lambda work: work.all(kind, owner))

    def owners(self) -> list[Owner]:
        return list(self._pages)

    def due_owners(self) -> list[Owner]:
        now = self.clock.now()
        return [owner for owner, page in self._pages.items() if _is_due(page, now)]

    def audit(self) -> Verdict:
        auditor = Auditor()
        for shard, seq, entry in self.entries:
            auditor.feed(shard, seq, entry)
        return auditor.verdict()

    def _page_of(self, owner: Owner) -> Page:
        return self._pages.setdefault(owner, {})

    def _keep(self, shard: Shard, entry: Entry) -> None:
        seq = self._heads[shard] = self._heads.get(shard, 0) + 1
        self.entries.append((shard, seq, entry))
        for record in entry.put:
            self._page_of(record.owner).setdefault(type(record), {})[record.id] = record
        for kind, owner, id in entry.drop:
            self._page_of(owner).get(KINDS[kind], {}).pop(id, None)


def _is_due(page: Page, now: int) -> bool:
    return any(record.due is not None and record.due <= now for records in page.values() for record in records.values())
