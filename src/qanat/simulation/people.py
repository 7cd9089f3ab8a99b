"""What people do in a simulated world: use the link, leave it, buy, and what an operator does to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final, TypeVar

from qanat.errors import StoreFault
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.subscribers import Subscriber, find_subscriber, set_status
from qanat.registry.terminals import find_terminal, revoke
from qanat.registry.wallets import buy, pay_into_wallet, top_up
from qanat.simulation.agenda import Agenda
from qanat.simulation.device import Device
from qanat.simulation.server import Server
from qanat.simulation.tally import Tally
from qanat.units import HOUR, MINUTE, SECOND, MinorUnits, Octets

T = TypeVar("T")
LINK_UP_MS: Final = 6 * MINUTE
LINK_AWAY_MS: Final = 4 * HOUR
PAUSE_MS: Final = 90 * SECOND
BURST_MS: Final = 4 * SECOND
BETWEEN_PURCHASES_MS: Final = 5 * HOUR
RATES: Final = (2_000, 50_000, 400_000, 3_000_000, 40_000_000)
"""Octets per second: telemetry, a page, a call, a film, a download."""
PACKETS: Final = (60, 576, 1420, 1500, 65_226)
PLANS: Final = ("crumb", "day", "large", "whole")
CURRENCY: Final = "EUR"


class People:
    def __init__(self, agenda: Agenda, random: Random, server: Server, tally: Tally) -> None:
        self.revoked: set[str] = set()
        self._agenda = agenda
        self._random = random
        self._server = server
        self._tally = tally
        self._is_over = False
        self._purchases = 0
        self._visits: dict[str, int] = {}
        """How often each device went online: what was planned for an earlier visit is off."""

    def begin(self, devices: list[Device], subscribers: list[str]) -> None:
        for device in devices:
            self._later(LINK_AWAY_MS // 4, partial(self._go_online, device))
        for name in subscribers:
            self._later(BETWEEN_PURCHASES_MS // 4, partial(self._buy, name))
            self._later(60 * HOUR, partial(self._suspend, name))
        for device in devices:
            self._later(400 * HOUR, partial(self._revoke, device.name))

    def end(self) -> None:
        self._is_over = True

    def _later(self, mean_ms: int, act: Callable[[], None]) -> None:
        self._agenda.after(int(self._random.expovariate(1 / mean_ms)), lambda: None if self._is_over else act())

    # With the link

    def _go_online(self, device: Device) -> None:
        if device.holds_still:
            self._later(LINK_AWAY_MS, partial(self._go_online, device))
            return
        device.set_link(up=True)
        visit = self._visits[device.name] = self._visits.get(device.name, 0) + 1
        self._later(PAUSE_MS // 4, partial(self._use, device, visit))
        self._later(LINK_UP_MS, partial(self._go_away, device))

    def _go_away(self, device: Device) -> None:
        device.set_link(up=False)
        self._later(LINK_AWAY_MS if self._random.random() < 0.7 else 5 * SECOND, partial(self._go_online, device))

    def _use(self, device: Device, visit: int) -> None:
        if visit != self._visits[device.name] or not device.link:
            return
        device.want(octets_per_s=self._random.choice(RATES), packet=self._random.choice(PACKETS))
        self._later(BURST_MS, partial(self._rest, device, visit))

    def _rest(self, device: Device, visit: int) -> None:
        device.want(octets_per_s=0, packet=1500)
        self._later(PAUSE_MS, partial(self._use, device, visit))

    # With the operator

    def _buy(self, name: str) -> None:
        self._later(BETWEEN_PURCHASES_MS, partial(self._buy, name))
        self._purchases += 1
        bucket = f"b{self._purchases}"
        if self._random.random() < 0.2:
            octets = Octets(self._random.randrange(1, 100_000_000))
            self._try(lambda work: self._top_up(work, name, octets, bucket))
        else:
            plan = self._random.choice(PLANS)
            self._try(lambda work: self._pay_and_buy(work, name, plan, bucket))

    def _top_up(self, work: Work, name: str, octets: Octets, bucket: str) -> None:
        top_up(work, subscriber_named(work, name), octets=octets, valid_days=1, bucket=bucket)

    def _pay_and_buy(self, work: Work, name: str, plan: str, bucket: str) -> None:
        pay_into_wallet(work, subscriber_named(work, name), amount=MinorUnits(100), currency=CURRENCY)
        if isinstance(buy(work, subscriber_named(work, name), plan=plan, bucket=bucket), Refused):
            self._tally.count("purchases refused")

    def _suspend(self, name: str) -> None:
        self._try(lambda work: set_status(work, subscriber_named(work, name), "suspended"))
        self._later(2 * HOUR, partial(self._set_active, name))

    def _set_active(self, name: str) -> None:
        if not self._try(lambda work: set_status(work, subscriber_named(work, name), "active")):
            self._later(MINUTE, partial(self._set_active, name))

    def _revoke(self, terminal: str) -> None:
        def decide(work: Work) -> None:
            found = find_terminal(work, terminal)
            assert found is not None, "every device was enrolled"
            revoke(work, found)

        if self._try(decide):
            self.revoked.add(terminal)

    def _try(self, decision: Callable[[Work], object]) -> bool:
        """Do something at the operator's, if the server is there and its disk takes it."""
        try:
            if self._server.is_up:
                self._server.decide(decision)
                return True
        except StoreFault:
            self._tally.count("writes the server's disk refused")
        return False


def subscriber_named(work: Work, name: str) -> Subscriber:
    found = find_subscriber(work, name)
    assert found is not None, "every subscriber was created at the beginning"
    return found


def owner_named(name: str) -> Owner:
    return Owner(f"subscriber/{name}")
