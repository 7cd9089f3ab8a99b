"""``qanat bench ledger``: durable interrogations through the store, client and store in one process.

Each request posts what was used, releases the rest and reserves anew (RFC 8506 intermediate interrogations in sessions of
ten). At the end the octets that were acknowledged are held against the ledger and the audit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from qanat.bench.figures import Figures, figures
from qanat.bench.machine import cpu_s, rss_mb
from qanat.charging.credit_control import interrogate
from qanat.charging.interrogation import Ask, Interrogation, Use
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Event
from qanat.ids import Owner, SessionId
from qanat.ledger.book import Account, open_bucket
from qanat.ledger.work import Work
from qanat.store.store import Store, open_store
from qanat.system import SystemClock, fresh_id, tune
from qanat.units import Octets

_BUCKET: Final = 10**15
_USED: Final = Octets(900_000)
_ASK: Final = (Ask(wanted=Octets(1_000_000)),)
_SESSION: Final = 10
"""Interrogations in a session: one first, eight intermediate, one final."""


@dataclass(slots=True)
class _Load:
    store: Store
    policy: Policy
    subscribers: int
    until: float
    run: str
    latencies: list[float] = field(default_factory=list)
    acknowledged: int = 0


async def bench_ledger(database: str, *, seconds: float, in_flight: int, subscribers: int = 2000) -> Figures:
    """Measure for some seconds, with so many requests in flight. Raises StoreFault."""
    tune()
    store = await open_store(database, SystemClock())
    try:
        run = fresh_id("bench")
        await asyncio.gather(*(store.decide(_fund(_subscriber(run, n))) for n in range(subscribers)))
        begun, cpu_before = time.perf_counter(), cpu_s()
        load = _Load(store, Policy(), subscribers, begun + seconds, run)
        await asyncio.gather(*(_Holder(load, place).ended for place in range(in_flight)))
        elapsed, cpu = time.perf_counter() - begun, cpu_s() - cpu_before
        return figures(
            load.latencies,
            seconds=elapsed,
            server_cpu_s=cpu,
            server_rss_mb=rss_mb(),
            conserved=await _conserved(load),
        )
    finally:
        await store.close()


class _Holder:
    """Holds one session after another until time is up; every session is ended. One request at a time, as fronts ask."""

    def __init__(self, load: _Load, place: int) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._place = place
        self._serial = -1
        self._number = _SESSION - 1
        self._request: Interrogation
        self._ask_next()

    def __call__(self, work: Work) -> Answer:
        return interrogate(work, self._load.policy, self._request)

    def settled(self, answer: Answer) -> None:  # noqa: ARG002 - its octets are held against the ledger at the end
        load, uses = self._load, self._request.uses
        load.latencies.append(time.perf_counter() - self._begun)
        if uses:
            load.acknowledged += uses[0].octets
        self._ask_next()

    def failed(self, error: Exception) -> None:
        self.ended.set_exception(error)

    def _ask_next(self) -> None:
        self._number += 1
        if self._number == _SESSION and not self._begin():
            self.ended.set_result(None)
            return
        self._request = _request(self._owner, self._session, self._number)
        self._begun = time.perf_counter()
        self._load.store.submit(self, self)

    def _begin(self) -> bool:
        """Begin another session, if there is time left."""
        load = self._load
        self._serial += 1
        self._number = 0
        self._owner = _subscriber(load.run, (self._place * 131 + self._serial * 17) % load.subscribers)
        self._session = SessionId(f"{load.run}-{self._place}-{self._serial}")
        return time.perf_counter() < load.until


def _request(owner: Owner, session: SessionId, number: int) -> Interrogation:
    last = number == _SESSION - 1
    return Interrogation(
        session=session,
        owner=owner,
        event=Event.FIRST if number == 0 else Event.FINAL if last else Event.INTERMEDIATE,
        number=number,
        digest=number,
        front="bench",
        holder="bench",
        uses=(Use(octets=_USED, ends=True),) if number else (),
        asks=() if last else _ASK,
    )


async def _conserved(load: _Load) -> bool:
    verdict = await load.store.audit()
    posted = 0
    for place in range(load.subscribers):
        owner = _subscriber(load.run, place)
        used = await load.store.decide(lambda work, owner=owner: work.get(Account, owner, "used"))  # type: ignore[misc]
        posted += used.balance if used else 0
    return verdict.balanced and posted == load.acknowledged


def _subscriber(run: str, place: int) -> Owner:
    return Owner(f"subscriber/{run}-{place}")


def _fund(owner: Owner) -> Callable[[Work], None]:
    bucket = Account(owner=owner, id="b", role="bucket", operator="bench", size=_BUCKET)
    return lambda work: open_bucket(work, bucket)
