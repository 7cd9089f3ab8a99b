"""Bookings between four operators, as settlement nets them."""

from __future__ import annotations

from qanat.exchange.clearing import ClearingRecord, clearing_owner
from qanat.registry.names import subscriber_owner
from qanat.units import Instant, Octets

OPERATORS = ("north", "south", "west", "east")
PERIOD = "2023-11"
"""Where ``ManualClock`` begins."""


def record(
    number: int, *, supplier: str, demander: str, station: str, octets: int, unit: str = "octets"
) -> ClearingRecord:
    id = f"trd-{number:06d}:1"
    return ClearingRecord(
        owner=clearing_owner(id, subscriber_owner("alice")),
        id=id,
        period=PERIOD,
        trade=f"trd-{number:06d}",
        booking=1,
        supplier_operator=supplier,
        demander_operator=demander,
        station_operator=station,
        supplier="alice",
        demander="bob",
        base_station="bst-1",
        octets=Octets(octets),
        unit=unit,
        amount=octets,
        opened_at=Instant(0),
        booked_at=Instant(0),
        cause="final",
    )
