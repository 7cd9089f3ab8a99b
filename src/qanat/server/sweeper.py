"""The sweeper: asks what is due and has it swept, at a bounded pace.

Losing a sweep is harmless: what is due stays due. So a fault is logged and the next look tries again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from qanat.errors import Fault, Outdated
from qanat.ids import Owner
from qanat.registry.leases import give_up, take
from qanat.server.clock_watch import ClockWatch
from qanat.server.metrics import Metrics
from qanat.server.settings import Sweeper
from qanat.server.trading import sweep_owner
from qanat.store.store import Store

_log: Final = structlog.get_logger("sweeper")
_TASK: Final = "sweeper"
_AT_ONCE: Final = 64
"""Owners swept at once: they share a commit. More would keep requests waiting for theirs."""


async def sweep_for_ever(store: Store, settings: Sweeper, metrics: Metrics, *, server: str, watch: ClockWatch) -> None:
    """Look every ``interval_s`` until cancelled; of several servers on one database only one does at a time.

    Raises Outdated, whether it is our turn or not: whoever serves must stop then.
    """
    try:
        while True:
            watch.look()
            try:
                await store.check_version()
                if await _is_ours(store, server):
                    await sweep_once(store, settings, metrics)
            except Outdated:
                raise
            except Fault as fault:
                metrics.faults.labels(type(fault).__name__).inc()
                _log.warning("sweep interrupted", fault=str(fault))
            await asyncio.sleep(settings.interval_s)
    finally:
        if store.is_shared:
            with suppress(Fault):  # then it runs out
                await store.decide(lambda work: give_up(work, _TASK, holder=server))


async def _is_ours(store: Store, server: str) -> bool:
    return not store.is_shared or await store.decide(lambda work: take(work, _TASK, holder=server))


async def sweep_once(store: Store, settings: Sweeper, metrics: Metrics) -> int:
    """Sweep the owners that are due now, some at a time, and return how many records that concerned."""
    owners, swept = await store.due_owners(settings.batch), 0
    for first in range(0, len(owners), _AT_ONCE):
        swept += sum(await asyncio.gather(*(_sweep(store, owner) for owner in owners[first : first + _AT_ONCE])))
    metrics.swept.inc(swept)
    return swept


async def _sweep(store: Store, owner: Owner) -> int:
    try:
        return await sweep_owner(store, owner)
    except Fault:
        raise
    except Exception as mistake:
        # One owner's broken record must not keep all others from being swept.
        _log.error("mistake of ours", owner=owner, exc_info=mistake)
        return 0
