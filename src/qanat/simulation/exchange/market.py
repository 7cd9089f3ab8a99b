"""The server of a simulated exchange: the real decisions in their real order, on a desk that may fail between any two.

What several decisions make up (``server/trading``) is run as it is; its store answers at once, or the server dies there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from qanat.charging.quota import Policy
from qanat.clock import Clock
from qanat.errors import StoreFault
from qanat.exchange.orders import SupplyOrder
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.names import name_of
from qanat.server import trading
from qanat.server.http import translate_trades as translate
from qanat.server.http.problems import STATUS
from qanat.simulation.server import WatchedDesk
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Truth
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport
from qanat.wire.base_station import Admission, Admitted, Recalls

T = TypeVar("T")
RECALLS_AGAIN_MS: Final = 1000
Answer = InterrogationAnswer | UsageConfirmation | Admitted | Recalls | Problem


class Done(Awaitable[T]):
    """What is there already."""

    def __init__(self, result: T) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, None, T]:
        return self._result
        yield


class Market:
    """Answers base stations; whatever it answers is durable. Raises StoreFault when it died or its disk is full."""

    def __init__(self, clock: Clock, policy: Policy, tally: Tally, *, one_commit: bool) -> None:
        self.is_up = True
        self.dies_after: int | None = None
        """So many more decisions."""
        self._clock = clock
        self._policy = policy
        self._tally = tally
        self._trades = 0
        self._truth = Truth(tally)
        self.desk = WatchedDesk(clock, self._truth, one_commit=one_commit)

    def restart(self) -> None:
        """Begin again with nothing but the entries that were committed."""
        self.desk = WatchedDesk(self._clock, self._truth, self.desk.entries, one_commit=self.desk.one_commit)
        self.is_up, self.dies_after = True, None

    def decide(self, decision: Callable[[Work], T]) -> Done[T]:
        """Decide as the store does."""
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self.is_up, self.dies_after = False, None
                self._tally.count("server crashes")
        if not self.is_up:
            raise StoreFault("the server died")
        return Done(self.desk.decide(decision))

    def decide_all(self, decisions: Iterable[Callable[[Work], object]]) -> Done[None]:
        for decision in decisions:
            self.decide(decision)
        return Done(None)

    def admit(self, station: str, asked: Admission) -> Admitted | Problem:
        self._trades += 1
        id = f"trd-{self._trades}"
        offers = sorted(
            (order.label, name_of(order.owner)) for order in self._orders() if order.label.startswith("open/")
        )
        offered_by = tuple(dict.fromkeys(supplier for _, supplier in offers))
        decision = partial(
            translate.admission, policy=self._policy, base_station=station, asked=asked, id=id, offered_by=offered_by
        )
        return _said(run(_awaited(self.decide(decision))))

    def interrogate(self, station: str, message: Interrogation) -> InterrogationAnswer | Problem:
        return _said(run(trading.interrogate(self, self._policy, station, message)))

    def report(self, station: str, message: UsageReport) -> UsageConfirmation | Problem:
        return _said(run(trading.take_usage(self, station, message)))

    def recalls(self, station: str) -> Recalls | Problem:
        decision = partial(translate.recalls, base_station=station, ask_again_ms=RECALLS_AGAIN_MS)
        return _said(run(_awaited(self.decide(decision))))

    def sweep(self) -> None:
        """Do what is due; what a crash interrupts stays due."""
        owners = deque(self.desk.due_owners())
        try:
            while owners and self.is_up:
                run(trading.sweep_owner(self, owners.popleft()))
        except StoreFault:
            return

    def _orders(self) -> list[SupplyOrder]:
        return [order for owner in self.desk.owners() for order in self.desk.all(SupplyOrder, owner)]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end what never has to wait."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("a desk answers at once")


async def _awaited(done: Awaitable[T]) -> T:
    return await done


def _said(outcome: T | Refused) -> T | Problem:
    """Return it as it comes out of the wire."""
    if isinstance(outcome, Refused):
        return Problem(
            status=STATUS[outcome.reason], detail=outcome.sentence, reason=outcome.reason.value, cure=outcome.cure
        )
    return msgspec.json.decode(msgspec.json.encode(outcome), type=type(outcome))
