"""The gate where nftables is missing: at the ceiling the interface's default routes are taken out of use.

It acts when it is asked for a reading, so what passes between two readings passes: it overshoots by the line rate times
the polling interval. A way to the Qanat servers is kept; it is counted with the rest, interface counters can't tell
them apart. A router advertisement may bring an IPv6 default route back; the next reading parks it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import ExitStack, closing

from qanat.agents.kernel.link import Links, boot_id
from qanat.agents.kernel.offloads import OffloadState, make_countable, put_back
from qanat.agents.kernel.route import Routes
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.gate import GateEvent, Reading, uncounted
from qanat.units import Octets


class RouteGate:
    """Adopts what stands: a parked route is a shut gate. Raises NoSuchInterface, KernelFault."""

    def __init__(self, interface: str, *, signalling: Iterable[Endpoint], because: str) -> None:
        self._servers = [address for address, _ in signalling]
        self._because = because
        self._is_open = False
        with ExitStack() as sockets:
            self._links = sockets.enter_context(closing(Links()))
            self._link = self._links.find(interface)
            self._routes = sockets.enter_context(closing(Routes()))
            # The first thing that needs permission: without it this raises before anything has been changed.
            self._links.set_gso_max_segs(self._link, self._link.gso_max_segs)
            self._found = OffloadState.of(self._link)
            self._offloads = make_countable(self._links, self._link)
            self._meter = f"{boot_id()}/{self._link.index}"
            self._ceiling = self._links.octets(self._link).total
            self._routes.park(self._link, keep=self._servers)
            self._sockets = sockets.pop_all()

    @property
    def interface(self) -> str:
        return self._link.name

    @property
    def meter(self) -> str:
        return self._meter

    @property
    def stays_shut(self) -> bool:
        return True

    @property
    def ceiling(self) -> Octets:
        return self._ceiling

    def raise_to(self, ceiling: Octets) -> None:
        """Let octets pass until a reading finds this running total reached."""
        assert ceiling >= self._ceiling, "a ceiling only rises; close() lowers it"
        self._ceiling = ceiling
        if not self._is_open and self._links.octets(self._link).total < ceiling:
            self._routes.restore(self._link, kept=self._servers)
            self._is_open = True

    def reading(self) -> Reading:
        """Read the interface's counters, and shut the gate when they have reached the ceiling."""
        passed = self._links.octets(self._link)
        if passed.total >= self._ceiling:
            self._shut()
        return Reading(passed=passed)

    def close(self) -> Reading:
        self._shut()
        final = Reading(passed=self._links.octets(self._link))
        self._ceiling = final.passed.total
        return final

    def allow_signalling(self, servers: Collection[Endpoint]) -> None:
        before, self._servers = self._servers, [address for address, _ in servers]
        if not self._is_open and self._servers != before:
            self._routes.restore(self._link, kept=before)
            self._routes.park(self._link, keep=self._servers)

    def fileno(self) -> None:
        return None

    def take_events(self) -> list[GateEvent]:
        was_open = self._is_open
        self.reading()
        return [GateEvent.SHUT] if was_open and not self._is_open else []

    def describe(self) -> str:
        return (
            f"the default route of {self.interface} is taken out of use when a reading finds the quota used up; "
            f"what passes between two readings passes, because {self._because}{uncounted(self._offloads)}"
        )

    def detach(self) -> None:
        self._sockets.close()

    def remove(self) -> None:
        self._routes.restore(self._link, kept=self._servers)
        put_back(self._links, self._link, self._found)
        self.detach()

    def _shut(self) -> None:
        self._routes.park(self._link, keep=self._servers)
        self._is_open = False
