"""What a settlement shows of a period that many operators traded in."""

from __future__ import annotations

from itertools import permutations

from qanat.exchange.clearing import ClearingRecord, clearing_owner
from qanat.exchange.settlement import Clearing, Transfer, line
from qanat.registry.access import Caller
from qanat.registry.names import subscriber_owner
from qanat.server.http.views.clearing import SettlementView
from qanat.server.settling import Settled
from qanat.units import Instant, Octets

OPERATORS = ("north", "south", "west", "east")


class Counting(Clearing):
    """Counts how often it is netted, which takes the longer the more operators there are."""

    nettings = 0

    def transfers(self) -> list[Transfer]:
        self.nettings += 1
        return super().transfers()


def test_a_period_is_netted_once_for_everybody_it_is_shown_of() -> None:
    clearing = Counting()
    for number, (supplier, demander) in enumerate(permutations(OPERATORS, 2)):
        record = _record(f"trd-{number}:1", supplier=supplier, demander=demander, octets=10**number)
        clearing.add(record, line(record))
    settled = Settled(period="2023-11", closed=None, clearing=clearing, files=())
    shown = SettlementView.of(settled, Caller(who="admin", role="administrator"), now=Instant(0))
    assert shown.preserved
    assert {one.operator for one in shown.positions} == set(OPERATORS)
    assert [one.by_transfers for one in shown.positions] == [one.net for one in shown.positions]
    assert clearing.nettings == 1


def _record(id: str, *, supplier: str, demander: str, octets: int) -> ClearingRecord:
    return ClearingRecord(
        owner=clearing_owner(id, subscriber_owner("alice")),
        id=id,
        period="2023-11",
        trade=id.partition(":")[0],
        booking=1,
        supplier_operator=supplier,
        demander_operator=demander,
        station_operator=supplier,
        supplier="alice",
        demander="bob",
        base_station="bst-1",
        octets=Octets(octets),
        unit="octets",
        amount=octets,
        opened_at=Instant(0),
        booked_at=Instant(0),
        cause="final",
    )
