"""The way to the server for everything a base station says: many questions at once, each in a thread.

Once the server could not be reached, questions of the next two seconds are told so at once: ten thousand holders must not
each find out for themselves. Who repeats a question, and when, is the holder's (``outbox``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, ParamSpec, TypeVar

from qanat.agents.reporter import NoAnswer, Reporter
from qanat.clock import Clock
from qanat.units import SECOND, Instant, Millis, later
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageConfirmation, UsageReport
from qanat.wire.base_station import Admission, Admitted, Recalls

INTERROGATIONS: Final = "/v1/station/interrogations"
USAGE: Final = "/v1/station/usage"
ADMISSIONS: Final = "/v1/station/admissions"
RECALLS: Final = "/v1/station/recalls"
_AWAY_FOR: Final = Millis(2 * SECOND)

P = ParamSpec("P")
T = TypeVar("T")


class Office:
    """Every call may raise NoAnswer or Rejected; repeating any is safe."""

    def __init__(self, reporter: Reporter, clock: Clock) -> None:
        self._reporter = reporter
        self._clock = clock
        self._away_until = Instant(0)
        self._because = ""

    @property
    def is_away(self) -> bool:
        return self._clock.now() < self._away_until

    async def interrogate(self, message: Interrogation) -> InterrogationAnswer:
        return await self._asked(self._reporter.interrogate, INTERROGATIONS, message)

    async def report(self, message: UsageReport) -> UsageConfirmation:
        return await self._asked(self._reporter.report, USAGE, message)

    async def admit(self, message: Admission) -> Admitted:
        return await self._asked(self._reporter.post, ADMISSIONS, message, Admitted)

    async def recalls(self) -> Recalls:
        return await self._judged(asyncio.to_thread(self._reporter.get, RECALLS, Recalls))

    async def _asked(self, ask: Callable[P, T], *what: P.args, **more: P.kwargs) -> T:
        if self.is_away:
            raise NoAnswer(self._because)
        return await self._judged(asyncio.to_thread(ask, *what, **more))

    async def _judged(self, asked: Coroutine[None, None, T]) -> T:
        try:
            return await asked
        except NoAnswer as fault:
            self._away_until, self._because = later(self._clock.now(), _AWAY_FOR), str(fault)
            raise
