"""The gate of one interface as a holder sees it: it may vanish with its interface, and come back.

A gate that another program deletes is laid again at once: its counts go on where the interface's counters say, and it is
open as far as it was before, which the journal already holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from qanat.agents.holding import Totals
from qanat.agents.kernel.lay import says_gone, until_it_stands
from qanat.agents.kernel.link import Link, NoSuchInterface
from qanat.agents.log import Log
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.gate import Carried, Gate, GateEvent, Reading
from qanat.agents.terminal.witness import Testimony, Witness
from qanat.errors import Fault
from qanat.units import Octets

T = TypeVar("T")


class Meter:
    """Opens the gate when the interface is there, and anew when the interface was made anew."""

    def __init__(
        self, open_gate: Callable[[Carried | None], Gate], log: Log, *, earlier: Testimony | None = None
    ) -> None:
        self._open_gate = open_gate
        self._log = log
        self._earlier = earlier
        self._link: Link | None = None
        self._witness: Witness | None = None
        self._was_credible = True
        self.gate: Gate | None = None

    def follow(self, link: Link) -> None:
        """Have a gate on this interface. Raises what ``choose_gate`` raises."""
        if self.gate is not None and self._link is not None and self._link.index == link.index:
            return
        self.close()
        self._link = link
        self.gate, self._witness = until_it_stands(lambda _: self._open(link))

    def reading(self) -> Totals | None:
        """Return the charge so far; None when there is nothing to read it from."""
        return self._charge(lambda gate: self._witness.read(gate) if self._witness else gate.reading())

    def take_events(self) -> list[GateEvent]:
        """Do what the kernel asks for and tell what happened."""
        return self._at_gate(lambda gate: gate.take_events()) or []

    def raise_to(self, ceiling: Octets) -> None:
        """Let octets pass up to here. Where nothing can stop the traffic, more may have passed by now."""
        self._at_gate(lambda gate: gate.raise_to(Octets(max(ceiling, gate.ceiling))))

    def shut(self) -> Totals | None:
        return self._charge(lambda gate: gate.close())

    def allow_signalling(self, servers: Collection[Endpoint]) -> None:
        self._at_gate(lambda gate: gate.allow_signalling(servers))

    def testify(self) -> Testimony | None:
        """Compare gate and interface, and say it once when they do not agree."""
        witness = self._witness
        if witness is None:
            return None
        said = self._at_gate(witness.testify)
        if said is not None:
            if self._was_credible and not said.is_credible:
                self._log("gate and interface differ", apart=said.apart, gate=said.gate, interface=said.interface)
            self._was_credible = said.is_credible
        return said

    def remove(self) -> None:
        """Take the gate down, if there is one, and leave the interface as it was found."""
        self._at_gate(lambda gate: gate.remove())
        self.close()

    def close(self) -> None:
        """Let go of the gate and leave it standing."""
        if self._witness is not None:
            self._witness.close()
            self._witness = None
        if self.gate is not None:
            self.gate.detach()
            self.gate = None

    def _charge(self, read: Callable[[Gate], Reading]) -> Totals | None:
        found = self._at_gate(read)
        if found is None or self.gate is None:
            return None
        return Totals(source=self.gate.meter, up=found.passed.up, down=found.passed.down)

    def _at_gate(self, action: Callable[[Gate], T]) -> T | None:
        """Do it; None without a gate or interface. A gate that was deleted is laid again, and again if need be."""

        def attempt(gone: Fault | None) -> T | None:
            if gone is not None:
                self._lay_again(str(gone))
            return None if self.gate is None else action(self.gate)

        try:
            return until_it_stands(attempt)
        except NoSuchInterface:
            return None
        except Fault as fault:
            if says_gone(fault):
                self.close()
            raise

    def _open(self, link: Link) -> tuple[Gate, Witness]:
        gate = self._open_gate(None)
        try:
            return gate, Witness(link, gate, earlier=self._earlier)
        except BaseException:
            gate.detach()
            raise

    def _lay_again(self, because: str) -> None:
        """Lay it where its counts go on. Until that is done the one that is gone says how far it was open."""
        assert self.gate is not None, "only a gate that was there can be gone"
        assert self._witness is not None, "every gate has its witness"
        try:
            carried = self._witness.carry(self.gate)
            self.gate.detach()
            laid = self._open_gate(carried)
        except NoSuchInterface:
            self.close()
            return
        try:
            laid.raise_to(Octets(max(self.gate.ceiling, laid.ceiling)))
        except BaseException:
            laid.detach()
            raise
        self.gate = laid
        self._log("gate laid again", sentence=because, passed=carried.reading.passed.total)
