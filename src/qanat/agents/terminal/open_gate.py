"""No gate at all: without permission to change the network, and on the loopback, the terminal only meters, and says so."""

from __future__ import annotations

from collections.abc import Collection

from qanat.agents.kernel.link import Links, boot_id
from qanat.agents.kernel.offloads import still_merging
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.gate import GateEvent, Reading, uncounted
from qanat.units import Octets


class OpenGate:
    """Reads the interface's counters."""

    def __init__(self, interface: str, *, because: str) -> None:
        """``because`` says why nothing better is to be had, and the cure. Raises NoSuchInterface."""
        self._links = Links()
        self._link = self._links.find(interface)
        self._because = because
        self._offloads = still_merging(self._link)
        self._meter = f"{boot_id()}/{self._link.index}"
        self._ceiling = self._links.octets(self._link).total
        self._is_over = True

    @property
    def interface(self) -> str:
        return self._link.name

    @property
    def meter(self) -> str:
        return self._meter

    @property
    def stays_shut(self) -> bool:
        return False

    @property
    def ceiling(self) -> Octets:
        return self._ceiling

    def raise_to(self, ceiling: Octets) -> None:
        """Remember the ceiling; nothing enforces it."""
        assert ceiling >= self._ceiling, "a ceiling only rises; close() lowers it"
        self._ceiling = ceiling
        self._is_over = self.reading().passed.total >= ceiling

    def reading(self) -> Reading:
        return Reading(passed=self._links.octets(self._link))

    def close(self) -> Reading:
        """Return the count so far; traffic goes on."""
        final = self.reading()
        self._ceiling = final.passed.total
        self._is_over = True
        return final

    def allow_signalling(self, servers: Collection[Endpoint]) -> None:
        """Everything is let through as it is."""

    def fileno(self) -> None:
        return None

    def take_events(self) -> list[GateEvent]:
        """Say once that the ceiling has been reached."""
        was_over, self._is_over = self._is_over, self.reading().passed.total >= self._ceiling
        return [GateEvent.SHUT] if self._is_over and not was_over else []

    def describe(self) -> str:
        return (
            f"{self.interface} is metered, but nothing stops it at the end of a quota, because {self._because}"
            f"{uncounted(self._offloads)}"
        )

    def detach(self) -> None:
        self._links.close()

    def remove(self) -> None:
        self.detach()
