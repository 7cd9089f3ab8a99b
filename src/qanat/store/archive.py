"""Making an archive: the oldest entries go into a file, what they left behind is brought forward, and they leave the database.

What is brought forward is computed from the file as it is read back, never from the database: before anything leaves, the file
has proved that it holds it, and that its books add up.

It may be interrupted anywhere. Until the openings count, nothing has changed; from then on the entries before them may go, now
or when the next archive is made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from qanat.errors import BadInput, StoreFault
from qanat.ids import Owner, Shard
from qanat.ledger.audit import Auditor
from qanat.ledger.work import Entry, Record
from qanat.store import archive_file
from qanat.store.address import file_at, is_postgres
from qanat.store.archive_file import Contents
from qanat.store.copying import Tell
from qanat.store.migrate import migrate_sqlite
from qanat.store.port import Archivable, Opening, Taken
from qanat.store.records import encode
from qanat.store.sqlite_archiving import SqliteArchiving
from qanat.system import sync_directory
from qanat.units import Instant

T = TypeVar("T")

_PIECE: Final = 64
"""Records in one piece of an opening."""
_LAID_AT_ONCE: Final = 16
_SHED_AT_ONCE: Final = 1_000
"""Entries that leave in one commit: a server's own commits wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What went into an archive."""

    entries: int
    """0 if none was old enough: there is no file then."""
    first: Instant | None
    last: Instant | None
    """When the oldest and the newest of them were made."""
    records: int
    """Brought forward."""
    size: int
    """Of the file, in octets."""


async def open_archivable(url: str) -> Archivable:
    """Open a database whose oldest entries are to go into an archive. Raises BadInput, StoreFault."""
    file = file_at(url)
    if file is not None:
        if not file.is_file():
            raise BadInput(f"there is no database at {file}", field="database")
        migrate_sqlite(file)
        return SqliteArchiving(file)
    if not is_postgres(url):
        raise BadInput(
            f"{url!r} is no database address: write sqlite:///path/to/file or postgresql://user@host/name",
            field="database",
        )
    from qanat.store.citus import CitusLog, open_postgres  # noqa: PLC0415 - PostgreSQL's libraries cost 50 ms
    from qanat.store.postgres_archiving import PostgresArchiving  # noqa: PLC0415 - as above

    log = await open_postgres(url)
    await log.close()
    if isinstance(log, CitusLog):
        raise BadInput(
            "entries that Citus has laid out over machines can't go into an archive yet; they stay in the database",
            field="database",
        )
    return PostgresArchiving(url)


async def archive(database: Archivable, to: Path, *, before: Instant, tell: Tell) -> Archived:
    """Let the entries that were made before an instant go into a file. The database may be served meanwhile.

    Raises BadInput if there is such a file, StoreFault if it can't be written, its books do not add up, or the database
    fails; Taken if another archive was made meanwhile. Nothing is lost then, and repeating is safe. Where the file stays, the
    database failed at the very moment when it was to forget these entries: it may hold them still.
    """
    with _partial(to) as partial:
        await _shed(database, tell)
        contents = await _apart(lambda tell: _write(database, before, partial, tell), tell)
        if not contents.entries:
            return Archived(entries=0, first=None, last=None, records=0, size=0)
        auditor = await _apart(lambda tell: archive_file.fold(partial, tell=tell, of=contents.entries), tell)
        _refuse_unbalanced(auditor, to)
        records, pieces = await _lay(database, auditor, contents.last, tell)
        os.link(partial, to)  # unlike a rename, it does not replace what came there meanwhile
        sync_directory(to.parent)
    with _kept_unless_taken(to):
        seqs = {shard: seq for shard, (seq, _) in contents.last.items()}
        await database.begin_behind(seqs, pieces, begun=contents.begun)
    await _shed(database, tell)
    return Archived(
        entries=contents.entries,
        first=contents.first,
        last=max(at for _, at in contents.last.values()),
        records=records,
        size=contents.size,
    )


def _write(database: Archivable, before: Instant, to: Path, tell: Tell) -> Contents:
    with closing(database.old_entries(before)) as items:  # here, in the thread: it may have a loop of its own
        return archive_file.write(items, to, tell=tell)


async def _apart(work: Callable[[Tell], T], tell: Tell) -> T:
    """Work in a thread, which ends with the next thing it tells if nobody waits for it any more."""
    awaited = True

    def told(what: str, done: int, of: int) -> None:
        if not awaited:
            raise StoreFault("nobody waits for this archive any more")
        tell(what, done, of)

    try:
        return await asyncio.to_thread(work, told)
    finally:
        awaited = False


@contextmanager
def _partial(to: Path) -> Iterator[Path]:
    """An archive's name until it is whole, ours alone. Raises BadInput if the archive exists, StoreFault for what a disk says."""
    if to.exists():
        raise BadInput(f"{to} exists; an archive is never written over anything: name another file", field="to")
    partial = to.with_name(f"{to.name}.{os.getpid()}.partial")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        yield partial
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreFault(f"the archive {to} could not be written: {why}; the database is as it was") from error
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _kept_unless_taken(to: Path) -> Iterator[None]:
    try:
        yield
    except Taken:
        to.unlink()
        raise


def _refuse_unbalanced(auditor: Auditor, to: Path) -> None:
    auditor.check_owners()
    if auditor.problems:
        raise StoreFault(
            f"the books up to there do not add up, so {to} was not kept and the database is as it was: "
            f"{auditor.problems[0]}. Ask `qanat audit`."
        )


async def _lay(
    database: Archivable, auditor: Auditor, last: Mapping[Shard, tuple[int, Instant]], tell: Tell
) -> tuple[int, int]:
    """Write what was recomputed, to count from when the shards begin there; return how many records and pieces."""
    shards = _by_shard(auditor, last, database.shard_of)
    openings = _openings(auditor, shards, last)
    pieces, records = 0, sum(map(len, shards.values()))
    while chunk := list(islice(openings, _LAID_AT_ONCE)):
        await database.lay(chunk)
        pieces += len(chunk)
        tell("records brought forward", min(pieces * _PIECE, records), records)
    return records, pieces


def _by_shard(
    auditor: Auditor, last: Mapping[Shard, object], shard_of: Callable[[Owner], Shard]
) -> dict[Shard, list[Record]]:
    shards: dict[Shard, list[Record]] = {shard: [] for shard in last}
    for record in auditor.records.values():
        shard = shard_of(record.owner)
        if shard in shards:
            shards[shard].append(record)
    return shards


def _openings(
    auditor: Auditor, shards: Mapping[Shard, list[Record]], last: Mapping[Shard, tuple[int, Instant]]
) -> Iterator[Opening]:
    """Yield at least one piece of each shard: it says where the shard begins."""
    for shard, records in shards.items():
        seq, at = last[shard]
        for number, begin in enumerate(range(0, max(1, len(records)), _PIECE)):
            put = records[begin : begin + _PIECE]
            accounts = (f"{record.owner}:{balance.id}" for record in put for balance in record.balances)
            postings = [(account, auditor.sum_of(account)) for account in accounts if auditor.sum_of(account)]
            yield Opening(shard, seq, number, at, encode(Entry(postings=postings, put=put)))


async def _shed(database: Archivable, tell: Tell) -> None:
    removed = 0
    while gone := await database.shed(_SHED_AT_ONCE):
        removed += gone
        tell("entries removed", removed, 0)
