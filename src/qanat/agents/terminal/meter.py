"""The gate of one interface as a holder sees it: it may vanish with its interface, and come back."""

from __future__ import annotations

from collections.abc import Callable

from qanat.agents.holding import Reading
from qanat.agents.kernel.link import Link, NoSuchInterface
from qanat.agents.terminal.gate import Gate, GateEvent
from qanat.units import Octets


class Meter:
    """Opens the gate when the interface is there, and anew when the interface was made anew."""

    def __init__(self, open_gate: Callable[[], Gate]) -> None:
        self._open_gate = open_gate
        self._index: int | None = None
        self.gate: Gate | None = None

    def follow(self, link: Link) -> bool:
        """Have a gate on this interface; return whether it had to be opened. Raises what ``choose_gate`` raises."""
        if self.gate is not None and self._index == link.index:
            return False
        self.close()
        self.gate = self._open_gate()
        self._index = link.index
        return True

    def reading(self) -> Reading | None:
        """Return the charge so far; None when there is nothing to read it from."""
        if self.gate is None:
            return None
        try:
            passed = self.gate.reading().passed
        except NoSuchInterface:
            return None
        return Reading(source=self.gate.meter, up=passed.up, down=passed.down)

    def take_events(self) -> list[GateEvent]:
        """Do what the kernel asks for and tell what happened. Raises TableGone."""
        if self.gate is None:
            return []
        try:
            return self.gate.take_events()
        except NoSuchInterface:
            return []

    def raise_to(self, ceiling: Octets) -> None:
        """Let octets pass up to here. Where nothing can stop the traffic, more may have passed by now."""
        if self.gate is not None:
            self.gate.raise_to(Octets(max(ceiling, self.gate.ceiling)))

    def shut(self) -> Reading | None:
        if self.gate is None:
            return None
        try:
            passed = self.gate.close().passed
        except NoSuchInterface:
            return None
        return Reading(source=self.gate.meter, up=passed.up, down=passed.down)

    def close(self) -> None:
        if self.gate is not None:
            self.gate.detach()
            self.gate = None
