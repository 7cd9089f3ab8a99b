"""``qanat station release``: after a stop the access side stays shut; this opens it again, unmetered, as it was found.

What everybody has used by then goes into the journal first and is reported by the next ``qanat station run``.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from qanat.agents.base_station import identity as identities
from qanat.agents.base_station.assemble import slots_path
from qanat.agents.base_station.found import found
from qanat.agents.base_station.gateway import inscribed
from qanat.agents.base_station.ground import Laid
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.ruleset import address_of, table_for
from qanat.agents.base_station.session import holder_of, source_of
from qanat.agents.base_station.slots import Slot, Slots
from qanat.agents.claim import claim
from qanat.agents.holding import Totals
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.agents.kernel.link import Link, Links, require_interfaces
from qanat.agents.kernel.neighbour import Neighbours
from qanat.agents.kernel.nft import Nft, Table
from qanat.agents.kernel.offloads import put_back
from qanat.agents.notebook import Notebook
from qanat.agents.release import Released, settle
from qanat.clock import Clock
from qanat.units import Octets


class _Left(Laid):
    """The table as it was left, whether or not its interfaces are there."""

    mtu = 0

    def __init__(self, nft: Nft, table: Table, meter: str) -> None:
        self.nft: Nft = nft
        self.table = table
        self.meter = meter
        self._everybody = [Metered.adopt(self, label, remains) for label, remains in self.standing().items()]

    def shut(self) -> None:
        """Let nothing pass any more; what is counted afterwards is exact."""
        for metered in self._everybody:
            metered.shut()
        wait_for_packets_in_flight()

    def final(self, slot: Slot) -> Totals | None:
        counted = self.reading(slot.label)
        return None if counted is None else Totals(source=source_of(slot, self.meter), up=counted.up, down=counted.down)

    def unpin(self, access: Link) -> None:
        with closing(Neighbours(access)) as neighbours:
            for metered in self._everybody:
                for key in metered.keys:
                    neighbours.unpin(address_of(key), metered.link_address)

    def remove(self) -> None:
        """Take the table down, and leave the ports as they were found."""
        as_found = found(self.nft, self.table)
        with closing(Links()) as links:
            for port in links.all():
                if port.index in as_found:
                    put_back(links, port, as_found[port.index])
        self.nft.commit([self.table.delete()])


def release(state: Path, *, access: str | None, clock: Clock) -> Released:
    """Take the gate down, also that of an access side that is away: it comes back open.

    Raises JournalInUse or InterfaceInUse while an agent runs, and NoSuchInterface where there is neither interface nor gate.
    """
    name = access or identities.load(state).access
    table = table_for(name)
    with closing(Slots(slots_path(state))) as slots, claim("station", name), closing(Nft()) as nft:
        in_use = slots.load()
        laid, link = inscribed(nft, table), _link_of(name)
        if laid is None:
            require_interfaces(name)
        else:
            left = _Left(nft, table, laid.meter)
            left.shut()
            for slot in in_use:
                settle(holder_of(slot), clock.now(), left.final(slot), commit=partial(_put, slots, slot))
            if link is not None:
                left.unpin(link)
            left.remove()
    unreported = Octets(sum(Notebook(slot.snapshot).unreported for slot in in_use))
    return Released(interface=name, is_there=link is not None, unreported=unreported)


def _link_of(name: str) -> Link | None:
    with closing(Links()) as links:
        return next((link for link in links.all() if link.name == name), None)


def _put(slots: Slots, slot: Slot, _: object) -> None:
    slots.put(slot)
