"""What a settlement shows of a period that many operators traded in."""

from __future__ import annotations

from itertools import permutations

from tests.exchange.cleared import OPERATORS, PERIOD, record

from qanat.exchange.settlement import Clearing, Transfer, line
from qanat.registry.access import Caller
from qanat.server.http.views.clearing import SettlementView
from qanat.server.settling import Settled
from qanat.units import Instant


class Counting(Clearing):
    """Counts how often it is netted, which takes the longer the more operators there are."""

    nettings = 0

    def transfers(self) -> list[Transfer]:
        self.nettings += 1
        return super().transfers()


def test_a_period_is_netted_once_for_everybody_it_is_shown_of() -> None:
    clearing = Counting()
    for number, (supplier, demander) in enumerate(permutations(OPERATORS, 2)):
        made = record(number, supplier=supplier, demander=demander, station=supplier, octets=10**number)
        clearing.add(made, line(made))
    settled = Settled(period=PERIOD, closed=None, clearing=clearing, files=())
    shown = SettlementView.of(settled, Caller(who="admin", role="administrator"), now=Instant(0))
    assert shown.preserved
    assert {one.operator for one in shown.positions} == set(OPERATORS)
    assert [one.by_transfers for one in shown.positions] == [one.net for one in shown.positions]
    assert clearing.nettings == 1
