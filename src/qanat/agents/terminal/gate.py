"""What stands between the metered interface and the terminal: the words that all gates share.

A gate lets service octets pass up to a *ceiling*, a running total on the same scale as ``Reading.passed``. The caller
writes into its journal "reserved up to R" and only then raises the gate to R, so the journal is never behind the truth.
What a gate can promise depends on the machine; ``describe`` says it in words. The gates: ``kernel_gate``,
``route_gate``, ``open_gate``; ``choose_gate`` picks one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from qanat.agents.kernel.link import UpDown
from qanat.agents.signalling import Endpoint
from qanat.units import Octets

NOTHING: Final = UpDown(Octets(0), Octets(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Octets of the network layer since the meter began; each figure only grows."""

    passed: UpDown
    """Service octets that passed: what is charged."""
    signalling: UpDown = NOTHING
    """To and from the Qanat server, and what the agent asks the DNS: always allowed, never charged."""
    upkeep: UpDown = NOTHING
    """What the link itself needs, allowed within a rate and not charged: neighbour discovery and its
    multicast membership, packet-too-big."""
    refused: UpDown = NOTHING
    """What was dropped for want of quota. Down: it did come over the interface. Up: it never left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The counts with which a gate is laid that another program deleted: its meter goes on under the same name."""

    meter: str
    reading: Reading


class GateEvent(Enum):
    LOWER = "lower"
    """A rung ran dry and the next one serves: raise the ceiling soon."""
    SHUT = "shut"
    """Everything up to the ceiling has passed, but for less than one packet. Nothing passes until it is raised."""


class Gate(Protocol):
    @property
    def interface(self) -> str: ...

    @property
    def meter(self) -> str:
        """Names the counters behind ``reading``: another name means that they began again, at a base of their own."""
        ...

    @property
    def stays_shut(self) -> bool:
        """Whether nothing passes after this program has ended."""
        ...

    @property
    def ceiling(self) -> Octets:
        """What may pass at most, on the scale of ``reading().passed.total``."""
        ...

    def raise_to(self, ceiling: Octets) -> None:
        """Let octets pass up to this running total, and not one more than the gate can promise."""
        ...

    def reading(self) -> Reading: ...

    def close(self) -> Reading:
        """Let no service octet pass any more; return the final count. The ceiling comes down to what has passed."""
        ...

    def allow_signalling(self, servers: Collection[Endpoint]) -> None:
        """Let these servers be reached from now on, and no others."""
        ...

    def fileno(self) -> int | None:
        """Readable when ``take_events`` has something to do; None when the gate has to be polled."""
        ...

    def take_events(self) -> list[GateEvent]:
        """Do what the kernel's events ask for and tell the caller what happened; never waits for an event.

        Raises TableGone or NoSuchInterface when the gate or its interface is no more: choose a gate again.
        """
        ...

    def describe(self) -> str:
        """Say in a sentence what this gate can promise, and why it is not a better one."""
        ...

    def detach(self) -> None:
        """Let go of the gate and leave it standing: the next process adopts it."""
        ...

    def remove(self) -> None:
        """Take the gate down and leave the interface as it was found."""
        ...


def uncounted(offloads: Sequence[str]) -> str:
    """Say behind ``describe`` what merges packets here in spite of us, if anything does."""
    return f"; with {', '.join(offloads)} on, some packet headers go uncounted" if offloads else ""
