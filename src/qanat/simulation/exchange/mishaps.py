"""What goes wrong at base stations and at the server of a simulated exchange; every fault is drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from qanat.simulation.agenda import Agenda
from qanat.simulation.exchange.market import Market
from qanat.simulation.exchange.station import Station
from qanat.units import HOUR, MINUTE, SECOND

BETWEEN_MISHAPS_MS: Final = 40 * MINUTE
BETWEEN_SERVER_MISHAPS_MS: Final = 3 * HOUR
WRITES: Final = 12


class Mishaps:
    def __init__(self, agenda: Agenda, random: Random, market: Market) -> None:
        self._agenda = agenda
        self._random = random
        self._market = market
        self._is_over = False
        self._of_stations: Final[list[tuple[int, Callable[[Station], None]]]] = [
            (4, self._kill),
            (12, self._kill_between_writes),
            (2, self._cut_power),
            (1, Station.flush),
            (4, self._fill_disk),
            (4, self._cut_off),
        ]

    def begin(self, stations: list[Station]) -> None:
        for station in stations:
            self._later(BETWEEN_MISHAPS_MS, partial(self._befall, station))
        self._later(BETWEEN_SERVER_MISHAPS_MS, self._befall_server)

    def end(self) -> None:
        self._is_over = True

    def _befall(self, station: Station) -> None:
        weights = [weight for weight, _ in self._of_stations]
        _, mishap = self._random.choices(self._of_stations, weights)[0]
        mishap(station)
        self._later(BETWEEN_MISHAPS_MS, partial(self._befall, station))

    def _kill(self, station: Station) -> None:
        station.kill()
        self._agenda.after(self._span(self._random.choice((SECOND, 5 * MINUTE))), station.start)

    def _kill_between_writes(self, station: Station) -> None:
        station.dies_after = self._random.randrange(1, WRITES)

    def _cut_power(self, station: Station) -> None:
        station.cut_power()
        self._agenda.after(self._span(MINUTE), station.start)

    def _fill_disk(self, station: Station) -> None:
        station.disk.is_full = True
        self._agenda.after(self._span(MINUTE), partial(_empty, station))

    def _cut_off(self, station: Station) -> None:
        station.is_cut_off = True
        self._agenda.after(self._span(self._random.choice((MINUTE, HOUR))), partial(_reconnect, station))

    def _befall_server(self) -> None:
        """It dies between two decisions that belong together, and is away for a while."""
        self._market.dies_after = self._random.randrange(6)
        self._agenda.after(self._span(self._random.choice((10 * SECOND, 10 * MINUTE, HOUR))), self._market.restart)
        self._later(BETWEEN_SERVER_MISHAPS_MS, self._befall_server)

    def _later(self, mean_ms: int, act: Callable[[], None]) -> None:
        self._agenda.after(int(self._random.expovariate(1 / mean_ms)), lambda: None if self._is_over else act())

    def _span(self, mean_ms: int) -> int:
        return 1 + int(self._random.expovariate(1 / mean_ms))


def _empty(station: Station) -> None:
    station.disk.is_full = False


def _reconnect(station: Station) -> None:
    station.is_cut_off = False
