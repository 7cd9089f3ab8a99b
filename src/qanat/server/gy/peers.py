"""The peers we know and the strangers we saw: who may connect, with which quirks, and what became of it.

Accepted peers are records in the registry; here is their image in memory, since a connection asks without waiting.
Strangers are only remembered here, the last hundred, so that nobody fills the database by knocking.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

from qanat.clock import Clock
from qanat.ids import Owner
from qanat.registry.peers import AcceptedPeer
from qanat.server.gy.quirks import DEFAULT, PROFILES, Quirks
from qanat.store.store import Store
from qanat.units import Instant

_STRANGERS: Final = 100
_MANY: Final = 10_000


@dataclass(slots=True)
class Stranger:
    """Somebody who was turned away."""

    origin_host: str
    origin_realm: str
    last_at: Instant
    times: int = 0

    def add(self, other: Stranger) -> None:
        self.last_at, self.times = max(self.last_at, other.last_at), self.times + other.times


@dataclass(slots=True)
class Standing:
    """How a gateway stands with us since the server started."""

    connections: int = 0
    told: int = 0
    """Re-authorisations it acknowledged."""
    followed: int = 0
    """Those after which it came back with a request, as it should (RFC 8506 §5.5)."""
    ignored: int = 0
    """Those after which it did not."""

    def add(self, other: Standing) -> None:
        self.connections += other.connections
        self.told += other.told
        self.followed += other.followed
        self.ignored += other.ignored


@dataclass(slots=True, kw_only=True)
class Picture:
    """Strangers, and how gateways stand with us."""

    strangers: list[Stranger]
    standings: dict[str, Standing]


class Roster:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._accepted: dict[str, AcceptedPeer] = {}
        self._strangers: OrderedDict[str, Stranger] = OrderedDict()
        self._standing: dict[str, Standing] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called when somebody may be connected who is not accepted any more, or is with another profile."""

    async def load(self) -> None:
        """Read who is accepted."""
        self._accepted = {peer.id: peer for peer in await self._store.find(AcceptedPeer, limit=_MANY)}

    async def look(self, owner: Owner, id: str) -> None:
        """Take up what was decided about a peer: accepted, changed or removed."""
        peer = await self._store.decide(lambda work: work.get(AcceptedPeer, owner, id))
        if peer is None:
            self._accepted.pop(id, None)
            self.on_change()
            return
        self._accepted[id] = peer
        self.on_change()
        for host in [host for host in self._strangers if peer.covers(host)]:
            del self._strangers[host]

    async def look_again(self) -> None:
        """Take up what was decided about peers on other hosts."""
        before = self._accepted
        await self.load()
        if before != self._accepted:
            self.on_change()

    def picture(self) -> Picture:
        """Return what is only remembered here."""
        return Picture(strangers=list(self._strangers.values()), standings=self._standing)

    def with_others(self, pictures: Sequence[Picture]) -> Picture:
        """Return what is remembered here and by the other workers: strangers newest first, standings summed."""
        strangers: dict[str, Stranger] = {}
        standings: dict[str, Standing] = {}
        for picture in (self.picture(), *pictures):
            for one in picture.strangers:
                if one.origin_host in strangers:
                    strangers[one.origin_host].add(one)
                else:
                    strangers[one.origin_host] = copy(one)
            for host, standing in picture.standings.items():
                standings.setdefault(host, Standing()).add(standing)
        newest = sorted(strangers.values(), key=lambda one: one.last_at, reverse=True)
        return Picture(strangers=newest, standings=standings)

    def knows(self, origin_host: str) -> bool:
        return self.covering(origin_host) is not None

    def quirks_of(self, origin_host: str) -> Quirks:
        peer = self.covering(origin_host)
        return PROFILES[peer.profile if peer else DEFAULT]

    def standing_of(self, origin_host: str) -> Standing:
        return self._standing.setdefault(origin_host, Standing())

    def turned_away(self, origin_host: str, origin_realm: str) -> None:
        stranger = self._strangers.pop(origin_host, None) or Stranger(origin_host, origin_realm, Instant(0))
        stranger.last_at = self._clock.now()
        stranger.times += 1
        self._strangers[origin_host] = stranger
        if len(self._strangers) > _STRANGERS:
            self._strangers.popitem(last=False)

    @property
    def known(self) -> list[AcceptedPeer]:
        return sorted(self._accepted.values(), key=lambda peer: peer.id)

    def covering(self, origin_host: str) -> AcceptedPeer | None:
        """Return the record that accepts somebody: its own, else the longest that covers it."""
        own = self._accepted.get(origin_host)
        if own is not None:
            return own
        covering = [peer for peer in self._accepted.values() if peer.covers(origin_host)]
        return max(covering, key=lambda peer: len(peer.id), default=None)
