"""Clearing records: what one booking means between operators, as it stands in their common accounts.

A record is on a page of its own and belongs to a period, the calendar month (UTC) in which it was booked, or the first
one after it that is still open. Once a period is closed no record joins it.
Where several servers write, a booking under way may have read that it is open: a *fence* in its shard waits for it or
has it decided again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from qanat.ids import Owner, Shard, shard_of
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.units import DAY, Instant, Octets, format_instant

CARRIED: Final = "carried-octets"
"""What a base station's operator forwarded for the demander's operator."""


class ClearingRecord(Record, frozen=True, kw_only=True):
    period: str
    trade: str
    booking: int
    supplier_operator: str
    demander_operator: str
    station_operator: str
    supplier: str
    demander: str
    base_station: str
    octets: Octets
    unit: str
    """What the demander's operator owes the supplier's: octets, or a currency."""
    amount: int
    opened_at: Instant
    booked_at: Instant
    cause: str

    @property
    def label(self) -> str:
        return f"{self.period}/{self.id}"

    def claims(self) -> list[tuple[str, str, str, int]]:
        """Return (unit, debtor, creditor, amount) between different operators."""
        found = [
            (self.unit, self.demander_operator, self.supplier_operator, self.amount),
            (CARRIED, self.demander_operator, self.station_operator, self.octets),
        ]
        return [claim for claim in found if claim[1] != claim[2]]

    def operators(self) -> list[str]:
        return sorted({self.supplier_operator, self.demander_operator, self.station_operator})


class Period(Record, frozen=True, kw_only=True):
    """A period that is closed: what its settlement said."""

    closed_at: Instant
    records: int = 0
    digest: str = ""
    """SHA-256 over all its records in order; empty until they were all read."""


def period_owner(period: str) -> Owner:
    return Owner(f"period/{period}")


def clearing_owner(id: str, beside: Owner) -> Owner:
    """Return the page of a clearing record: its own, in the shard of the supplier that it is booked with."""
    return Owner(f"clearing/{id}#{shard_of(beside)}")


def period_of(at: Instant) -> str:
    return _period_of_day(at // DAY)


@lru_cache(maxsize=64)
def _period_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY / 1000, UTC).strftime("%Y-%m")


def after(period: str) -> str:
    year, month = map(int, period.split("-"))
    return f"{year + month // 12:04d}-{month % 12 + 1:02d}"


def open_period(work: Work, at: Instant) -> str:
    """Return the period in which something that is booked at this instant belongs."""
    period = period_of(at)
    while closed_period(work, period) is not None:
        period = after(period)
    return period


def closed_period(work: Work, period: str) -> Period | None:
    return work.get(Period, period_owner(period), period)


def close_period(work: Work, period: str) -> Period | Refused:
    """Let no record join a period any more. Refused when that was done before, and before the period has begun."""
    held = closed_period(work, period)
    if held is not None:
        return Refused(Refusal.PERIOD_CLOSED, {"period": period, "at": format_instant(held.closed_at)})
    if period > period_of(work.now):
        return Refused(Refusal.PERIOD_NOT_BEGUN, {"period": period, "now": period_of(work.now)})
    closed = Period(owner=period_owner(period), id=period, closed_at=work.now)
    work.put(closed)
    work.act = "period closed"
    return closed


def fence(work: Work, period: str, shard: Shard) -> None:
    """Write in a shard, once the closing is durable, what leaves nothing behind.

    Whoever booked there before is committed by then, and whoever books there afterwards knows that the period is closed.
    """
    work.drop(Period(owner=Owner(f"{period_owner(period)}#{shard}"), id=period, closed_at=work.now))
    work.act = "period closed"
