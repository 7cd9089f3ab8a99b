"""The pulse: live sessions and their rates, looked at every other second for everybody who watches.

Looked at once for all watchers, and only while there is one, so that nobody pays for what nobody looks at. A session's
rate is what was measured between its last reports; one that has said nothing for a while counts as still.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import structlog

from qanat.charging.session import LIVE, Session
from qanat.clock import Clock
from qanat.errors import Fault
from qanat.registry.access import Caller, caller_may_serve
from qanat.server.listing import every
from qanat.server.ownership import Ownership
from qanat.store.store import Store
from qanat.units import MINUTE, Instant

PERIOD_S: Final = 2.0
WATCHERS: Final = 100
"""More are told to come back later: each costs a connection."""
WATCHERS_EACH: Final = 10
"""Of one person, so that no one keeps the others out."""
_SILENT_MS: Final = 5 * MINUTE
_LOOKED_AT: Final = 10_000
"""Live sessions of one beat; past them the figures say that there are more."""
_SHARE: Final = 20
"""Looking takes at most one twentieth of the time."""
_KEPT: Final = 450
"""Beats remembered for a plot: a quarter of an hour."""

_log: Final = structlog.get_logger("pulse")


@dataclass(slots=True)
class Beat:
    """Live sessions at one moment, the fastest first, and sums for each operator."""

    at: Instant
    complete: bool
    sessions: list[tuple[Session, str]]
    """Each with the operator it belongs to."""
    live: Counter[str] = field(default_factory=Counter)
    rates: Counter[str] = field(default_factory=Counter)
    reserved: Counter[str] = field(default_factory=Counter)

    def total(self, sums: Counter[str], caller: Caller) -> int:
        """Return a sum over the operators that the caller may look at."""
        return sum(amount for operator, amount in sums.items() if caller_may_serve(caller, operator))


class Pulse:
    def __init__(self, store: Store, clock: Clock, ownership: Ownership) -> None:
        self._store = store
        self._clock = clock
        self._ownership = ownership
        self._watchers: Counter[str] = Counter()
        self._next: asyncio.Future[Beat | None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self.past: deque[Beat] = deque(maxlen=_KEPT)
        """Sums of earlier beats, without their sessions."""

    @property
    def full(self) -> bool:
        return self._watchers.total() >= WATCHERS

    def watches_enough(self, who: str) -> bool:
        """Tell whether this person watches as often as anybody may."""
        return self._watchers[who] >= WATCHERS_EACH

    @contextmanager
    def watched_by(self, who: str) -> Iterator[None]:
        """Count this person as watching."""
        self._watchers[who] += 1
        try:
            yield
        finally:
            self._watchers -= Counter([who])

    async def beats(self) -> AsyncIterator[Beat]:
        """Yield a beat at once and then every other second, until the server stops; for who is counted as watching."""
        yield await self.look()
        while not self._closed:
            beat = await asyncio.shield(self._awaited())
            if beat is None:
                return
            yield beat

    async def look(self, *, by_operator: bool = True) -> Beat:
        """Look now; all sums in one where nobody needs to know whose they are. Raises StoreFault."""
        sessions, complete = await every(self._store, Session, prefix=LIVE, at_most=_LOOKED_AT)
        now = self._clock.now()
        operators = await self._ownership.operators_of(one.owner for one in sessions) if by_operator else {}
        owned = [(one, operators.get(one.owner, "")) for one in sessions]
        owned.sort(key=lambda one: (-rate_of(one[0], now), one[0].id))
        beat = Beat(now, complete, owned)
        for session, operator in owned:
            beat.live[operator] += 1
            beat.rates[operator] += rate_of(session, now)
            beat.reserved[operator] += sum(octets for _, octets in session.reservations)
        return beat

    def close(self) -> None:
        """Let every watcher go: the server stops."""
        self._closed = True
        self._tell(None)
        if self._looking is not None:
            self._looking.cancel()

    def _awaited(self) -> asyncio.Future[Beat | None]:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), name="pulse")
        return self._next

    def _tell(self, beat: Beat | None) -> None:
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
            waiting.set_result(beat)

    async def _look_on(self) -> None:
        """Beat while somebody watches; a database that does not answer is asked again."""
        pause_s = PERIOD_S
        while self._watchers and not self._closed:
            await asyncio.sleep(pause_s)
            begun = perf_counter()
            try:
                beat = await self.look()
            except Fault as fault:
                _log.warning("live sessions could not be read", fault=str(fault))
                continue
            pause_s = max(PERIOD_S, _SHARE * (perf_counter() - begun))
            self.past.append(Beat(beat.at, beat.complete, [], beat.live, beat.rates, beat.reserved))
            self._tell(beat)


def rate_of(session: Session, now: Instant) -> int:
    """Return octets a second, as last measured; 0 for a session that has been silent."""
    return 0 if now - session.last_at > _SILENT_MS else session.rate
