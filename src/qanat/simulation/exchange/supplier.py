"""A supplier in a simulated exchange: buys octets, offers them on terms that change, and takes its consent back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from qanat.errors import StoreFault
from qanat.exchange import recall
from qanat.exchange.orders import SupplyOrder, find_supply, open_supply
from qanat.ledger.work import Work
from qanat.registry.names import subscriber_owner
from qanat.registry.subscribers import Subscriber, find_subscriber
from qanat.registry.wallets import top_up
from qanat.simulation.agenda import Agenda
from qanat.simulation.exchange.market import Market
from qanat.units import HOUR, MINUTE, Millis, Octets, later

BETWEEN_ORDERS_MS: Final = 2 * HOUR
BETWEEN_STOPS_MS: Final = 90 * MINUTE
ENOUGH: Final = 2_000_000_000


class Supplier:
    def __init__(self, name: str, operator: str, market: Market, agenda: Agenda, random: Random) -> None:
        self.name = name
        self._operator = operator
        self._market = market
        self._agenda = agenda
        self._random = random
        self._orders: list[str] = []
        self._is_over = False

    def begin(self) -> None:
        self._offer_now_and_then()
        self._later(BETWEEN_STOPS_MS, self._stop_now_and_then)

    def be_generous(self) -> None:
        """At the end there is enough for everybody, in one order: crumbs of old ones would attract them all."""
        self._is_over = True
        for id in self._orders:
            self._market.decide(partial(_stop, supplier=self.name, id=id))
        self._buy(ENOUGH)
        self._offer(ENOUGH)

    def _offer_now_and_then(self) -> None:
        try:
            self._buy(self._random.choice((700_000, 12_345_678, 60_000_000, 400_000_000)))
            self._offer(self._random.choice((1_000, 3_000_000, 30_000_000, 200_000_000)))
        except StoreFault:
            pass  # the operator's desk is closed: another time
        self._later(BETWEEN_ORDERS_MS, self._offer_now_and_then)

    def _stop_now_and_then(self) -> None:
        try:
            if self._orders:
                id = self._random.choice(self._orders)
                self._market.decide(partial(_stop, supplier=self.name, id=id))
        except StoreFault:
            pass
        self._later(BETWEEN_STOPS_MS, self._stop_now_and_then)

    def _buy(self, octets: int) -> None:
        subscriber = self._market.desk.decide(partial(find_subscriber, name=self.name))
        assert isinstance(subscriber, Subscriber), "founded"
        days = self._random.choice((1, 1, 30))
        bucket = f"b{self._agenda.now}"
        self._market.decide(
            partial(top_up, subscriber=subscriber, octets=Octets(octets), valid_days=days, bucket=bucket)
        )

    def _offer(self, octets: int) -> None:
        id = f"ord-{self.name}-{len(self._orders) + 1}"
        until = None if self._is_over or self._random.random() < 0.5 else self._random.randrange(HOUR, 6 * HOUR)
        order = SupplyOrder(
            owner=subscriber_owner(self.name),
            id=id,
            operator=self._operator,
            total=Octets(octets),
            per_day=None if self._is_over else self._random.choice((None, Octets(10_000_000))),
            until=None if until is None else later(self._agenda.now, Millis(until)),
            opened_at=self._agenda.now,
        )
        self._market.decide(partial(open_supply, order=order))
        self._orders.append(id)

    def _later(self, mean_ms: int, act: Callable[[], None]) -> None:
        self._agenda.after(int(self._random.expovariate(1 / mean_ms)), lambda: None if self._is_over else act())


def _stop(work: Work, supplier: str, id: str) -> None:
    order = find_supply(work, supplier, id)
    if isinstance(order, SupplyOrder) and order.stopped_at is None:
        recall.stop(work, order)
