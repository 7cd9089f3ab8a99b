"""The witness: what the interface itself counted, held against what the gate says.

Both count octets of the network layer: interface = passed + signalling + upkeep + refused (down only: what is refused on
the way up never left). The interface is read before and after the gate, so traffic in between is no difference. What
netfilter never sees is one: ARP, a DHCP client's first request, the further headers of datagrams that are cut up after
the gate. Hence the tolerance.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from typing import Final

import msgspec

from qanat.agents.kernel.link import Link, Links, NoSuchInterface, UpDown, boot_id
from qanat.agents.terminal.gate import Carried, Gate, Reading
from qanat.units import Octets

TOLERANCE_OCTETS: Final = 65_536
TOLERANCE_PER_MILLE: Final = 1


class Testimony(msgspec.Struct, frozen=True, kw_only=True):
    """Two counts of the same stretch of time, and where both began."""

    meter: str
    source: str
    interface: int
    gate: int
    apart: int
    """What only the interface saw, in both directions; below zero what only the gate saw."""
    interface_base: int
    gate_base: int

    @property
    def tolerance(self) -> int:
        return TOLERANCE_OCTETS + max(self.interface, self.gate) * TOLERANCE_PER_MILLE // 1000

    @property
    def is_credible(self) -> bool:
        return abs(self.apart) <= self.tolerance


class Witness:
    """Watches one interface beside its gate. Goes on from an earlier testimony about the same counters of both."""

    def __init__(self, link: Link, gate: Gate, *, earlier: Testimony | None) -> None:
        self._link = link
        self._source = f"{boot_id()}/{link.index}"
        with ExitStack() as sockets:
            self._links = sockets.enter_context(closing(Links()))
            self._interface = self._links.octets(link)
            self._reading = gate.reading()
            sockets.pop_all()
        goes_on = earlier is not None and (earlier.meter, earlier.source) == (gate.meter, self._source)
        self._bases = (
            (earlier.interface_base, earlier.gate_base)
            if earlier is not None and goes_on
            else (self._interface.total, on_the_wire(self._reading))
        )

    def read(self, gate: Gate) -> Reading:
        """Read the gate, and the interface beside it if it is still there. Raises what ``Gate.reading`` raises."""
        self._reading = gate.reading()
        with suppress(NoSuchInterface):
            self._interface = self._links.octets(self._link)
        return self._reading

    def testify(self, gate: Gate) -> Testimony | None:
        """Compare; None where the gate charges by the interface's own counters, so that there is no second opinion."""
        if gate.meter == self._source:
            return None
        before = self._links.octets(self._link).total
        counted = on_the_wire(self.read(gate)) - self._bases[1]
        least, most = before - self._bases[0], self._interface.total - self._bases[0]
        return Testimony(
            meter=gate.meter,
            source=self._source,
            interface=most,
            gate=counted,
            apart=max(0, least - counted) + min(0, most - counted),
            interface_base=self._bases[0],
            gate_base=self._bases[1],
        )

    def carry(self, gate: Gate) -> Carried:
        """Say where the counts of a gate that is gone must go on: what passed since the last look is service.

        Of a gate that was shut only its counts are carried: what came in since was refused for the most part.
        """
        seen = self._interface
        was_open = gate.ceiling > self._reading.passed.total
        now = self._links.octets(self._link) if was_open else seen
        passed = self._reading.passed
        grown = UpDown(Octets(passed.up + now.up - seen.up), Octets(passed.down + now.down - seen.down))
        return Carried(
            meter=gate.meter,
            reading=Reading(
                passed=grown,
                signalling=self._reading.signalling,
                upkeep=self._reading.upkeep,
                refused=self._reading.refused,
            ),
        )

    def close(self) -> None:
        self._links.close()


def on_the_wire(reading: Reading) -> int:
    """Return what the interface must have counted."""
    refused = reading.refused.down
    return reading.passed.total + reading.signalling.total + reading.upkeep.total + refused
