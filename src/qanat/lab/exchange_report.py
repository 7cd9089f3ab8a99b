"""The reckoning of the exchange: for each trade what the base station, the demander's terminal and the ledger counted.

Pure arithmetic. The ledger has booked exactly what the base station counted; the terminal may have received a little less,
since what was forwarded last may not have arrived: within the tolerance of ``exchange.disputes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qanat.agents.kernel.link import UpDown
from qanat.exchange.disputes import tolerated
from qanat.lab.report import Row
from qanat.units import Octets


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeCounts:
    who: str
    base_station: UpDown
    terminal: UpDown | None
    """None for a plain browser, which has no meter of its own."""
    agreed: bool | None
    """What the server said about these two."""
    ledger: Octets
    excess: Octets
    """Reported beyond what was granted."""

    @property
    def adds_up(self) -> bool:
        return self.ledger == self.base_station.total and not self.excess and self._terminal_agrees

    @property
    def _terminal_agrees(self) -> bool:
        if self.terminal is None:
            return True
        return self.agreed is True and tolerated(forwarded=self.base_station.total, received=self.terminal.total)


def rows(trades: Iterable[TradeCounts]) -> Iterator[Row]:
    for trade in trades:
        counted = trade.base_station
        yield Row(counter=trade.who)
        yield Row(counter="  base station", up=counted.up, down=counted.down, total=counted.total)
        if trade.terminal is not None:
            own = trade.terminal
            yield Row(
                counter="  demander's terminal",
                up=own.up,
                down=own.down,
                total=own.total,
                difference=own.total - counted.total,
                against="base station",
            )
        yield Row(
            counter="  ledger: booked",
            total=trade.ledger,
            difference=trade.ledger - counted.total,
            against="base station",
        )
