"""Moving to another database: bring the source up, copy it, audit both, compare what they come to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from qanat.errors import BadInput, StoreFault
from qanat.ledger.audit import Verdict
from qanat.store.address import file_at, is_postgres
from qanat.store.audit import audit
from qanat.store.backup import is_held
from qanat.store.copying import Copied, Tell, copy
from qanat.store.port import Log, Taken
from qanat.store.store import open_log, open_store
from qanat.system import SystemClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    copied: Copied
    verdict: Verdict
    """Of the target."""


async def move(source: str, target: str, *, tell: Tell) -> Moved:
    """Copy the database at one address to another, or go on with it. Repeating is safe.

    Raises BadInput for addresses that can't be copied between, a source that is served, now or in the end, a target that
    holds something else; StoreFault if a database fails or the books of either do not add up to the same.
    """
    _check(source, target)
    await _refuse_served(source)
    store = await open_store(source, SystemClock())
    await store.close()  # brings the rows up behind the entries
    async with AsyncExitStack() as stack:
        one, two = await open_log(source), await open_log(target)
        stack.push_async_callback(one.close)
        stack.push_async_callback(two.close)
        try:
            copied = await copy(one, two, tell=tell)
        except Taken as taken:
            raise BadInput(f"somebody else writes to {target}: stop its server ({taken})", field="to") from taken
        tell("audits", 0, 2)
        before = await _audited(one, source)
        tell("audits", 1, 2)
        after = await _audited(two, target)
    await _refuse_served(source)
    _compare(before, after, copied)
    return Moved(copied=copied, verdict=after)


def _check(source: str, target: str) -> None:
    if source == target:
        raise BadInput(f"{source} can't be copied into itself", field="to")
    for url, field in ((source, "from"), (target, "to")):
        if url == "memory:":
            raise BadInput("memory: forgets everything when the command ends: name a database that stays", field=field)
    file = file_at(source)
    if file is not None and not file.is_file():
        raise BadInput(f"there is no database at {file}", field="from")


async def _refuse_served(source: str) -> None:
    """Raises BadInput if a server has the source open, be it idle: what it is asked to write would be missing."""
    name, served, file = source, False, file_at(source)
    if file is not None:
        name, served = str(file), await asyncio.to_thread(is_held, file)
    elif is_postgres(source):
        from qanat.store.postgres_link import is_connected, named  # noqa: PLC0415 - only for PostgreSQL

        name, served = named(source), await is_connected(source)
    if served:
        raise BadInput(f"a server holds {name}: stop it first, or what it writes would be missing", field="from")


async def _audited(log: Log, url: str) -> Verdict:
    verdict = await asyncio.to_thread(audit, log)
    if not verdict.balanced:
        raise StoreFault(f"the books of {url} do not add up: {verdict.problems[0]}")
    return verdict


def _compare(before: Verdict, after: Verdict, copied: Copied) -> None:
    if before.entries != copied.entries:
        raise StoreFault(
            f"the source grew from {copied.entries} to {before.entries} entries meanwhile: stop its server and repeat"
        )
    if (before.accounts, before.totals) != (after.accounts, after.totals):
        raise StoreFault(f"the totals differ, {before.totals} and {after.totals}; do not serve the copy")
