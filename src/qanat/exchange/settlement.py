"""Settlement: what operators owe each other for a period, netted over all of them, and the records that prove it.

Multilateral: every operator has one net position in each unit, the sum of all it may claim less all it owes, and a few
transfers bring all positions to zero. Netting changes who pays whom, never what an operator pays or gets in all; both
sums are kept side by side, so that anybody can see it. Memory holds one figure for each pair of operators, however many
records there are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from qanat.exchange.clearing import ClearingRecord
from qanat.units import Instant, format_instant

FIELDS: Final = (
    "localSequenceNumber",
    "recordType",
    "nodeID",
    "chargingID",
    "recordSequenceNumber",
    "recordOpeningTime",
    "recordClosureTime",
    "causeForRecClosing",
    "dataTotalVolume",
    "supplierOperator",
    "demanderOperator",
    "baseStationOperator",
    "supplier",
    "demander",
    "unit",
    "amount",
)
"""The columns of an operator's file. Names of 3GPP TS 32.298 where it has one; ``localSequenceNumber`` is gap-free."""
_RECORD_TYPE: Final = "qanatExchange"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Who pays whom to bring all positions to zero."""

    unit: str
    debtor: str
    creditor: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where one operator stands in one unit. ``net`` is what it gets; negative is what it pays."""

    operator: str
    unit: str
    claims: int
    owes: int

    @property
    def net(self) -> int:
        return self.claims - self.owes


@dataclass(slots=True)
class Clearing:
    """Fold a period's records in the order of their names, then ask."""

    records: int = 0
    concerning: Counter[str] = field(default_factory=Counter)
    """How many of them concern each operator."""
    _gross: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(unit, debtor, creditor) → amount."""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, record: ClearingRecord, text: str) -> None:
        """Take the next record, whose ``line`` is ``text``."""
        self.records += 1
        self.concerning.update(record.operators())
        self._digest.update(text.encode())
        for unit, debtor, creditor, amount in record.claims():
            self._gross[unit, debtor, creditor] += amount

    @property
    def digest(self) -> str:
        """SHA-256 over the lines of all records."""
        return self._digest.hexdigest()

    def positions(self) -> list[Position]:
        claims: Counter[tuple[str, str]] = Counter()
        owes: Counter[tuple[str, str]] = Counter()
        for (unit, debtor, creditor), amount in self._gross.items():
            claims[unit, creditor] += amount
            owes[unit, debtor] += amount
        return [
            Position(operator=operator, unit=unit, claims=claims[unit, operator], owes=owes[unit, operator])
            for unit, operator in sorted(claims.keys() | owes.keys())
        ]

    def transfers(self) -> list[Transfer]:
        return net(self.positions())


def net(positions: list[Position]) -> list[Transfer]:
    """Return transfers that bring every position to zero: in each unit fewer than there are operators."""
    transfers: list[Transfer] = []
    for unit in sorted({position.unit for position in positions}):
        transfers += _net_one(unit, {p.operator: p.net for p in positions if p.unit == unit and p.net})
    return transfers


def moved(transfers: list[Transfer]) -> Counter[tuple[str, str]]:
    """Return what the transfers bring each (operator, unit); negative is what it pays."""
    brought: Counter[tuple[str, str]] = Counter()
    for one in transfers:
        brought[one.creditor, one.unit] += one.amount
        brought[one.debtor, one.unit] -= one.amount
    return brought


def preserves(positions: list[Position], transfers: list[Transfer]) -> bool:
    """Tell whether netting left every operator with exactly what it had to get or to pay."""
    brought = moved(transfers)
    return all(brought[one.operator, one.unit] == one.net for one in positions)


def line(record: ClearingRecord) -> str:
    """Return a record as operators' files have it, without its number. Names can't hold a comma, so none is quoted."""
    return (
        f"{_RECORD_TYPE},{record.base_station},{record.trade},{record.booking},"
        f"{_time(record.opened_at // 1000)},{_time(record.booked_at // 1000)},{record.cause},{record.octets},"
        f"{record.supplier_operator},{record.demander_operator},{record.station_operator},"
        f"{record.supplier},{record.demander},{record.unit},{record.amount}\n"
    )


def trailer(*, records: int, digest: str) -> str:
    """Return the last line of a file: how many records, and the SHA-256 of every line above it."""
    return f"trailer,{records},sha-256:{digest}\n"


@lru_cache(maxsize=4096)
def _time(second: int) -> str:
    return format_instant(Instant(second * 1000))


def _net_one(unit: str, nets: dict[str, int]) -> Iterator[Transfer]:
    """Let who owes most pay whom most is owed, until nothing is left: each step settles at least one of them."""
    while nets:
        debtor = min(nets, key=lambda operator: (nets[operator], operator))
        creditor = max(nets, key=lambda operator: (nets[operator], operator))
        amount = min(-nets[debtor], nets[creditor])
        assert amount > 0, f"positions in {unit} do not sum to zero: {nets}"
        yield Transfer(unit, debtor, creditor, amount)
        nets[debtor] += amount
        nets[creditor] -= amount
        nets = {operator: left for operator, left in nets.items() if left}
