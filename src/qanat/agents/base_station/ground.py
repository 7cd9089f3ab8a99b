"""What sessions at a base station stand on: objects in a kernel, neighbours on a link, slots on a disk.

``Gateway``, ``Neighbours`` and ``Slots`` are the real ones; the simulator lays another ground for the same code.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from qanat.agents.base_station.ruleset import LABEL, collections, down, up
from qanat.agents.base_station.slots import Slot
from qanat.agents.kernel import climb
from qanat.agents.kernel.ladder import Key, label_of
from qanat.agents.kernel.link import UpDown
from qanat.agents.kernel.neighbour import Address, LinkAddress
from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.kernel.nft import Counter, Quota, Table


@dataclass(slots=True)
class Standing:
    """What stands in the kernel under one label."""

    keys: list[Key] = field(default_factory=list)
    link_address: bytes = b""
    quotas: dict[str, Quota] = field(default_factory=dict)


class Objects(climb.Objects, Protocol):
    """The part of ``Nft`` that sessions are read with. Raises KernelFault."""

    def counter(self, table: Table, name: str) -> Counter: ...

    def counters(self, table: Table) -> dict[str, Counter]: ...

    def elements(self, table: Table, collection: str) -> dict[bytes, str | None]: ...


class Laid(ABC):
    """A table that was laid with ``ruleset``, and what can be read in it."""

    table: Table
    nft: Objects
    meter: str
    """The name of these counters: another one when the table was laid anew."""
    merging: list[str]
    """Offloads that could not be switched off: with any of them some headers go uncounted."""

    @property
    @abstractmethod
    def mtu(self) -> int:
        """The largest packet on the access side."""

    def reading(self, label: str) -> UpDown | None:
        """Return what has passed under a label, read by name; None when it has no counters."""
        try:
            counted = (self.nft.counter(self.table, name) for name in (up(label), down(label)))
            return UpDown(*(counter.octets for counter in counted))
        except KernelFault as fault:
            if fault.code == errno.ENOENT:
                return None
            raise

    def readings(self) -> dict[str, UpDown]:
        """Return what has passed under every label, in one pass over the table."""
        counters = self.nft.counters(self.table)
        found = {}
        for name, way_up in counters.items():
            way_down = counters.get(down(name[2:]))
            if way_down is not None and name.startswith("u_") and LABEL.fullmatch(name):
                found[name[2:]] = UpDown(way_up.octets, way_down.octets)
        return found

    def standing(self) -> dict[str, Standing]:
        """Return what the kernel holds, by label: how a restart finds its sessions again."""
        found: dict[str, Standing] = {label: Standing() for label in self.readings()}
        owner: dict[tuple[str, bytes], str] = {}
        for name in collections("up_of"):
            for element, target in self.nft.elements(self.table, name).items():
                match = LABEL.fullmatch(target or "")
                if match:
                    found[match[1]].keys.append(Key(name[-1], element))
                    owner[name[-1], element] = match[1]
        for name in collections("bound"):
            for element in self.nft.elements(self.table, name):
                label = owner.get((name[-1], element[8:]))
                if label is not None:
                    found[label].link_address = element[:6]
        for name, quota in self.nft.quotas(self.table).items():
            label = label_of(name)
            if label in found:
                found[label].quotas[name] = quota
        return found


class Neighbourhood(Protocol):
    def addresses(self, link_address: LinkAddress) -> Sequence[Address]: ...

    def pin(self, address: Address, link_address: LinkAddress) -> None: ...

    def unpin(self, address: Address, link_address: LinkAddress) -> None: ...


class Shelf(Protocol):
    """Slots that outlive the agent. Raises JournalFault."""

    def load(self) -> list[Slot]: ...

    def take(self) -> Slot: ...

    def put(self, slot: Slot) -> None: ...

    def free(self, slot: Slot) -> None: ...
