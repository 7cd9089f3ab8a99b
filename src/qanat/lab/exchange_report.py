"""The reckoning of the exchange: for each trade what the base station, the demander's terminal and the ledger counted.

Pure arithmetic. The ledger has booked exactly what the base station counted; the terminal may have received a little less,
since what was forwarded last may not have arrived: within the tolerance of ``exchange.disputes``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qanat.agents.kernel.link import UpDown
from qanat.exchange.disputes import Ways, tolerated
from qanat.lab.report import Difference, Row
from qanat.units import Instant, Octets, format_amount, format_instant


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
        return self.ledger == self.base_station.total and not self.excess and self.terminal_agrees

    @property
    def terminal_agrees(self) -> bool:
        """Within the tolerance, in the server's judgement too."""
        if self.terminal is None:
            return True
        return self.agreed is True and tolerated(forwarded=_ways(self.base_station), seen=_ways(self.terminal))


def rows(trades: Iterable[TradeCounts]) -> Iterator[Row]:
    for trade in trades:
        counted = trade.base_station
        yield Row(counter=trade.who)
        yield Row(counter="  base station", up=counted.up, down=counted.down, total=counted.total)
        if trade.terminal is not None:
            own = trade.terminal
            yield Row(
                counter="  terminal",
                up=own.up,
                down=own.down,
                total=own.total,
                difference=own.total - counted.total,
                against="base station",
            )
        yield Row(
            counter="  ledger",
            total=trade.ledger,
            difference=trade.ledger - counted.total,
            against="base station",
        )


def differences(trades: Iterable[TradeCounts]) -> Iterator[Difference]:
    """Yield the differences that are not 0, each with what it means."""
    for trade in trades:
        counted = trade.base_station.total
        if trade.terminal is not None and trade.terminal.total != counted:
            yield Difference(
                octets=trade.terminal.total - counted, because=_why(trade), promised=not trade.terminal_agrees
            )
        if trade.ledger != counted:
            yield Difference(
                octets=trade.ledger - counted, because="the ledger has not booked what the base station counted"
            )


def positions(settlement: Mapping[str, Any]) -> Iterator[str]:
    """Say in sentences what each operator may claim and owes, and what is left of it after netting."""
    for one in settlement["positions"]:
        claims, owes, net = (format_amount(one[key], one["unit"]) for key in ("claims", "owes", "net"))
        plus = "+" if one["net"] >= 0 else ""
        yield f"{one['operator']}, {one['unit']}: may claim {claims}, owes {owes}; net {plus}{net}."


def periods(ended: Iterable[str], *, now: Instant) -> list[str]:
    """Return the months in which trades that ended then can have been booked by now (UTC)."""
    return sorted({moment[:7] for moment in (*ended, format_instant(now))})


def is_settled(settlement: Mapping[str, Any]) -> bool:
    """Tell whether netting left every operator with its total, and all of them together with nothing."""
    net: Counter[str] = Counter()
    for one in settlement["positions"]:
        net[one["unit"]] += one["net"]
    return bool(settlement["preserved"]) and not any(net.values())


def _ways(counted: UpDown) -> Ways:
    return Ways(counted.up, counted.down)


def _why(trade: TradeCounts) -> str:
    if not trade.terminal_agrees:
        return f"terminal and base station count {trade.who} differently, beyond the tolerance: a dispute"
    more = "the terminal also counts what met a shut gate, and the base station's answers to that"
    less = "the last packets were forwarded and did not arrive any more"
    sent_more = trade.terminal is not None and trade.terminal.total > trade.base_station.total
    return f"{more if sent_more else less}; within the tolerance"
