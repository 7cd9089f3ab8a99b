"""The reckoning at the end: what four independent counters say about the same octets, and what is between them.

Pure arithmetic. With the gate in the kernel every difference here is 0, also after a crash; the one exception is what
was handed to a wire in the moment in which it was cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from qanat.agents.kernel.link import UpDown
from qanat.agents.terminal.gate import Reading
from qanat.units import Octets, number_of

_PACKET_MAX: Final = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted from the agent's first start to its last stop."""

    kernel: UpDown
    lost_packets: int
    """Packets that the interface dropped on the way out: its wire had just been cut."""
    gate: Reading | None
    """None where there is no gate."""
    journal: UpDown
    unreported: Octets
    bought: Octets
    used: Octets
    available: Octets
    reserved: Octets
    debt: Octets


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    counter: str
    up: Octets | None = None
    down: Octets | None = None
    total: Octets | None = None
    difference: int | None = None
    """Against the row that ``against`` names."""
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One promise: this difference is 0."""

    octets: int
    because: str
    """What it means when it is not 0."""
    promised: bool = True

    @property
    def is_broken(self) -> bool:
        return self.promised and self.octets != 0


def on_the_wire(gate: Reading) -> UpDown:
    """What the interface must have counted: refused packets did arrive, but those going out never left."""
    return UpDown(
        up=Octets(gate.passed.up + gate.signalling.up + gate.upkeep.up),
        down=Octets(gate.passed.down + gate.signalling.down + gate.upkeep.down + gate.refused.down),
    )


def rows(counts: Counts) -> Iterator[Row]:
    yield _directed("kernel: interface", counts.kernel)
    if counts.gate is not None:
        gate = counts.gate
        yield _directed("gate: all of it", on_the_wire(gate), against="kernel", base=counts.kernel.total)
        yield _directed("  service (charged)", gate.passed)
        yield _directed("  signalling (free)", gate.signalling)
        if gate.upkeep.total:
            yield _directed("  upkeep (free)", gate.upkeep)
        yield Row(counter="  refused (dropped)", down=gate.refused.down, total=gate.refused.down)
    passed = counts.kernel if counts.gate is None else counts.gate.passed
    yield _directed(
        "journal: charged",
        counts.journal,
        against="kernel" if counts.gate is None else "service",
        base=passed.total,
    )
    yield Row(
        counter="ledger: used",
        total=counts.used,
        difference=counts.used - counts.journal.total,
        against="journal",
    )
    yield Row(
        counter="  still available",
        total=Octets(counts.available + counts.reserved),
        difference=counts.used + counts.available + counts.reserved - counts.debt - counts.bought,
        against="bought",
    )


def differences(counts: Counts) -> Iterator[Difference]:
    if counts.gate is None:
        yield Difference(
            octets=counts.journal.total - counts.kernel.total,
            because="loopback carries the traffic of every program, also before the agent began and after it ended",
            promised=False,
        )
    else:
        yield _between_gate_and_wire(on_the_wire(counts.gate), counts)
        yield Difference(
            octets=counts.journal.total - counts.gate.passed.total,
            because="octets passed the gate that the journal has not charged, or the reverse",
        )
    yield Difference(
        octets=counts.used - counts.journal.total,
        because="the server has not booked what the journal charged, or booked it twice",
    )
    yield Difference(octets=counts.unreported, because="the terminal still holds usage that was not confirmed")
    yield Difference(
        octets=counts.used + counts.available + counts.reserved - counts.debt - counts.bought,
        because="what was bought is not what was used and what is left",
    )


def adds_up(counts: Counts) -> bool:
    return not any(difference.is_broken for difference in differences(counts))


def _between_gate_and_wire(gate: UpDown, counts: Counts) -> Difference:
    """The gate counts before the driver sends: what was handed to a cut wire was counted and never left."""
    up, down = gate.up - counts.kernel.up, gate.down - counts.kernel.down
    is_explained = down == 0 and 0 < up <= counts.lost_packets * _PACKET_MAX
    packets = number_of(counts.lost_packets, "packet")
    lost = f"{packets} went to a wire that had just been cut: the gate counted that, the wire did not"
    unknown = "the gate counted something else than the interface: a packet passed around it"
    return Difference(octets=up + down, because=lost if is_explained else unknown, promised=not is_explained)


def _directed(counter: str, octets: UpDown, *, against: str = "", base: int = 0) -> Row:
    return Row(
        counter=counter,
        up=octets.up,
        down=octets.down,
        total=octets.total,
        difference=octets.total - base if against else None,
        against=against,
    )
