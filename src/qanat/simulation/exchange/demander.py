"""A demander's terminal in a simulated exchange: goes to base stations, presents itself, uses, wanders off, counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qanat.registry.terminals import Terminal, find_terminal
from qanat.server.http import translate_trades as translate
from qanat.simulation.exchange.market import Market
from qanat.simulation.exchange.station import Station, Surroundings
from qanat.simulation.truth import Discrepancy
from qanat.units import MINUTE, SECOND, Instant
from qanat.wire.agent import Problem
from qanat.wire.base_station import Admission, Presentation, TradeCount, Wish, sign_presentation

STEP_MS: Final = 250
RATES: Final = (20_000, 400_000, 3_000_000, 20_000_000)
"""Octets per second."""
PACKETS: Final = (60, 576, 1420, 1500)
PAUSE_MS: Final = 4 * MINUTE
BURST_MS: Final = 6 * SECOND
BETWEEN_VISITS_MS: Final = 15 * MINUTE


class Demander:
    def __init__(
        self,
        number: int,
        *,
        key: Ed25519PrivateKey,
        own: tuple[str, str],
        stations: list[tuple[Station, str]],
        suppliers: list[str],
        market: Market,
        around: Surroundings,
    ) -> None:
        self.name = f"trm-{number}"
        self._number = number
        self._key = key
        self._own = own
        self._stations = stations
        self._suppliers = suppliers
        self._market = market
        self._around = around
        self._link_address = bytes((2, 0, 0, 0, number // 256, number % 256))
        self._station, self._station_code = stations[0]
        self._moves = 0
        self._rate = 0
        self._packet = 1500
        self._burst = 0
        self._is_over = False
        self._passed = 0
        self._moment = Instant(0)
        """Of the last presentation: each is later than the one before."""

    def begin(self) -> None:
        self._later(BETWEEN_VISITS_MS, self._visit_now_and_then)
        self._later(PAUSE_MS, self._use_now_and_then)

    def end(self) -> None:
        self._is_over = True
        self._rate = 0
        self._burst += 1

    def prove_life(self) -> None:
        """Go online at some base station, if need be after having left another one."""
        self._passed = 0
        self._leave_all()
        self._around.agenda.after(MINUTE, lambda: self._present(None))
        self._around.agenda.after(2 * MINUTE, partial(self._use, rate=100_000))

    def check_alive(self, least: int) -> None:
        if self._passed < least:
            raise Discrepancy(f"{self.name} is stuck: only {self._passed} octets passed", terminal=self.name)

    def go_home(self) -> None:
        self.end()
        self._leave_all()

    def tell_counts(self) -> None:
        """Tell what was counted in each trade; what was sent in vain is in it."""
        terminal = self._market.desk.decide(partial(find_terminal, id=self.name))
        assert isinstance(terminal, Terminal), "enrolled"
        for trade, passed in self._around.truth.passed.items():
            up = self._around.truth.up[trade]
            message = TradeCount(trade=trade, up=up + 1_000_000, down=passed - up)
            self._market.desk.decide(partial(translate.terminal_count, terminal=terminal, message=message))

    # Going about

    def _visit_now_and_then(self) -> None:
        """Present itself somewhere, maybe while it is still admitted elsewhere, or at another address."""
        random = self._around.random
        if random.random() < 0.4:
            self._station.leave(self._address)
        if random.random() < 0.5:
            self._station, self._station_code = random.choice(self._stations)
        if random.random() < 0.3:
            self._moves += 1
        self._present(random.choice([None, None, *self._suppliers]))
        self._later(BETWEEN_VISITS_MS, self._visit_now_and_then)

    def _present(self, supplier: str | None) -> None:
        terminal, subscriber = self._own
        self._moment = Instant(max(self._around.agenda.now, self._moment + 1))
        said = Presentation(
            terminal=terminal,
            subscriber=subscriber,
            base_station=self._station_code,
            wish=Wish(supplier=supplier),
            at=self._moment,
        )
        asked = Admission(presentation=sign_presentation(self._key, said))
        self._station.admit(asked, self._address, self._link_address, self._heard)

    def _heard(self, refusal: Problem | None) -> None:
        self._around.tally.count("admissions" if refusal is None else f"refused: {refusal.reason}")

    def _leave_all(self) -> None:
        for station, _ in self._stations:
            for move in range(self._moves + 1):
                station.leave(self._address_of(move))

    def _use_now_and_then(self) -> None:
        random = self._around.random
        self._packet = random.choice(PACKETS)
        self._use(rate=random.choice(RATES))
        span = int(random.expovariate(1 / BURST_MS))
        burst = self._burst
        self._around.agenda.after(span, lambda: self._rest(burst))
        self._later(PAUSE_MS, self._use_now_and_then)

    def _use(self, *, rate: int) -> None:
        self._burst += 1
        self._rate = rate
        self._step(self._burst)

    def _rest(self, burst: int) -> None:
        if burst == self._burst:
            self._rate = 0

    def _step(self, burst: int) -> None:
        if burst != self._burst or not self._rate:
            return
        packets = max(1, self._rate * STEP_MS // (1000 * self._packet))
        up = packets // 8
        for is_up, count in ((True, up), (False, packets - up)):
            passed = self._station.pass_packets(
                self._address, self._link_address, up=is_up, packets=count, size=self._packet
            )
            self._passed += passed * self._packet
        self._around.agenda.after(STEP_MS, lambda: self._step(burst))

    @property
    def _address(self) -> str:
        return self._address_of(self._moves)

    def _address_of(self, move: int) -> str:
        return f"10.{self._number // 250}.{self._number % 250}.{1 + move % 250}"

    def _later(self, mean_ms: int, act: Callable[[], None]) -> None:
        span = int(self._around.random.expovariate(1 / mean_ms))
        self._around.agenda.after(span, lambda: None if self._is_over else act())
