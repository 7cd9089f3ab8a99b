"""The road between base stations and the server: it loses, repeats and delays, in either direction."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, Literal

import msgspec

from qanat.errors import StoreFault
from qanat.simulation.agenda import Agenda
from qanat.simulation.exchange.market import Answer, Market
from qanat.simulation.road import TIMEOUT_MS, Weather
from qanat.simulation.tally import Tally
from qanat.units import MINUTE
from qanat.wire.agent import Interrogation, UsageReport
from qanat.wire.base_station import Admission

Kind = Literal["admit", "interrogate", "report", "recalls"]
Message = Admission | Interrogation | UsageReport | None
LATEST_MS: Final = 90 * MINUTE


class Road:
    def __init__(self, agenda: Agenda, random: Random, market: Market, tally: Tally) -> None:
        self.weather = Weather()
        self._agenda = agenda
        self._random = random
        self._market = market
        self._tally = tally

    def ask(
        self,
        kind: Kind,
        station: str,
        message: Message,
        *,
        is_open: Callable[[], bool],
        answered: Callable[[Answer], None],
        unreachable: Callable[[], None],
    ) -> None:
        """Bring a message and its answer; exactly one of the two is called, once."""
        body = msgspec.json.encode(message)
        if not is_open():
            self._agenda.after(1, unreachable)
            return
        if self._happens(self.weather.repeated + self.weather.strayed):
            self._tally.count("repeated messages")
            self._agenda.after(self._random.randrange(100, LATEST_MS), lambda: self._stray(kind, station, body))
        if self._happens(self.weather.lost):
            self._tally.count("lost messages")
            self._agenda.after(TIMEOUT_MS, unreachable)
            return
        self._agenda.after(self._short(), lambda: self._arrive(kind, station, body, answered, unreachable))

    def _arrive(
        self,
        kind: Kind,
        station: str,
        body: bytes,
        answered: Callable[[Answer], None],
        unreachable: Callable[[], None],
    ) -> None:
        answer = self._taken(kind, station, body)
        if answer is None or self._happens(self.weather.answers_lost):
            self._tally.count("lost messages")
            self._agenda.after(TIMEOUT_MS, unreachable)
        else:
            self._agenda.after(self._short(), lambda: answered(answer))

    def _stray(self, kind: Kind, station: str, body: bytes) -> None:
        """Arrive when nobody waits for the answer any more."""
        self._taken(kind, station, body)

    def _taken(self, kind: Kind, station: str, body: bytes) -> Answer | None:
        """Have the server take it; None when it is down, or went down over it."""
        if not self._market.is_up:
            return None
        try:
            match kind:
                case "admit":
                    return self._market.admit(station, msgspec.json.decode(body, type=Admission))
                case "interrogate":
                    return self._market.interrogate(station, msgspec.json.decode(body, type=Interrogation))
                case "report":
                    return self._market.report(station, msgspec.json.decode(body, type=UsageReport))
                case "recalls":
                    return self._market.recalls(station)
        except StoreFault:
            self._tally.count("requests the server could not finish")
            return None

    def _happens(self, per_mille: int) -> bool:
        return self._random.randrange(1000) < per_mille

    def _short(self) -> int:
        return self._random.randrange(5, 400)
