"""``qanat bench settlement``: a period of many trades among many operators, settled with a file for each operator.

The records are made first, through the store like any other, and are not part of the time. Measured is what ``qanat
settle`` does: read all records in order, number them into the operators' files, net all positions.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from qanat.bench.machine import rss_mb
from qanat.exchange.clearing import ClearingRecord, clearing_owner
from qanat.exchange.settlement import preserves
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.names import subscriber_owner
from qanat.server.settling import settle
from qanat.store.store import Store, open_store
from qanat.system import SystemClock
from qanat.units import Octets

_PERIOD: Final = "2026-10"
_AT_ONCE: Final = 1000
_BETWEEN_ROWS: Final = 50
"""Decisions after which the rows are waited for, so that making the records takes no memory either."""


class SettlementFigures(msgspec.Struct, frozen=True, kw_only=True):
    trades: int
    operators: int
    seconds: float
    trades_per_s: int
    rss_before_mb: int
    rss_after_mb: int
    transfers: int
    preserved: bool
    """Netting left every operator with exactly what it had to get or to pay."""


async def bench_settlement(database: str, directory: Path, *, trades: int, operators: int) -> SettlementFigures:
    """Make the records, settle and close the period. Raises StoreFault."""
    store = await open_store(database, SystemClock())
    try:
        await _fill(store, trades=trades, operators=operators)
        before, begun = rss_mb(), time.perf_counter()
        settled = await settle(store, _PERIOD, close=True, directory=directory)
        elapsed = time.perf_counter() - begun
        assert not isinstance(settled, Refused), settled
        transfers = settled.clearing.transfers()
        return SettlementFigures(
            trades=settled.clearing.records,
            operators=operators,
            seconds=round(elapsed, 2),
            trades_per_s=int(settled.clearing.records / elapsed),
            rss_before_mb=before,
            rss_after_mb=rss_mb(),
            transfers=len(transfers),
            preserved=preserves(settled.clearing.positions(), transfers),
        )
    finally:
        await store.close()


async def _fill(store: Store, *, trades: int, operators: int) -> None:
    for place, start in enumerate(range(0, trades, _AT_ONCE)):
        await store.decide(partial(_put, first=start, last=min(start + _AT_ONCE, trades), operators=operators))
        if place % _BETWEEN_ROWS == 0:
            await store.find(ClearingRecord, limit=1)
    await store.find(ClearingRecord, limit=1)


def _put(work: Work, first: int, last: int, operators: int) -> None:
    for number in range(first, last):
        work.put(_record(work, number, operators))


def _record(work: Work, number: int, operators: int) -> ClearingRecord:
    """Make up a record; the multipliers are primes, so that operators meet in all combinations."""
    octets = Octets(1_000_000 + number * 7919 % 100_000_000)
    id = f"trd-{number:012d}:1"
    return ClearingRecord(
        owner=clearing_owner(id, subscriber_owner(f"subscriber-{number % 5000}")),
        id=id,
        period=_PERIOD,
        trade=f"trd-{number:012d}",
        booking=1,
        supplier_operator=f"operator-{number * 31 % operators:02d}",
        demander_operator=f"operator-{number * 37 // operators % operators:02d}",
        station_operator=f"operator-{number * 41 // 7 % operators:02d}",
        supplier=f"subscriber-{number % 5000}",
        demander=f"subscriber-{number * 13 % 5000}",
        base_station=f"bst-{number % 300}",
        octets=octets,
        unit="octets" if number % 3 else "EUR",
        amount=octets if number % 3 else octets // 1_000_000,
        opened_at=work.now,
        booked_at=work.now,
        cause="final",
    )
