"""The sweeper: asks what is due and has it swept, at a bounded pace.

Losing a sweep is harmless: what is due stays due. So a fault is logged and the next look tries again.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from qanat.errors import Fault
from qanat.server.metrics import Metrics
from qanat.server.settings import Sweeper
from qanat.server.trading import sweep_owner
from qanat.store.store import Store

_log: Final = structlog.get_logger("sweeper")


async def sweep_for_ever(store: Store, settings: Sweeper, metrics: Metrics) -> None:
    """Look every ``interval_s`` until cancelled."""
    while True:
        try:
            await sweep_once(store, settings, metrics)
        except Fault as fault:
            metrics.faults.labels(type(fault).__name__).inc()
            _log.warning("sweep interrupted", fault=str(fault))
        await asyncio.sleep(settings.interval_s)


async def sweep_once(store: Store, settings: Sweeper, metrics: Metrics) -> int:
    """Sweep the owners that are due now, one after the other, and return how many records that concerned."""
    swept = 0
    for owner in await store.due_owners(settings.batch):
        try:
            swept += await sweep_owner(store, owner)
        except AssertionError as mistake:
            # One owner's broken record must not keep all others from being swept.
            _log.error("mistake of ours", owner=owner, exc_info=mistake)
    metrics.swept.inc(swept)
    return swept
