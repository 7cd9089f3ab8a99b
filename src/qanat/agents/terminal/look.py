"""What a terminal's counters say at this moment, read from beside the agent; nothing is changed by it.

A source is what the journal's epoch names: a kernel gate's meter, or the interface itself where that is what is charged by.
"""

from __future__ import annotations

from contextlib import closing

from qanat.agents.holding import Totals
from qanat.agents.kernel.link import Links, NoSuchInterface, boot_id
from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.kernel.nft import Nft
from qanat.agents.terminal.gate_table import meter_in, table_for
from qanat.errors import BadInput


def readings(interface: str) -> list[Totals]:
    """Return what can be read here and now: of the gate that stands, if this process may, and of the interface."""
    return [found for found in (of_gate(interface), _of_interface(interface)) if found is not None]


def of_gate(interface: str) -> Totals | None:
    """Return what the gate that stands has charged, whether or not the interface is there."""
    try:
        table = table_for(interface)
        with closing(Nft()) as nft:
            meter, counters = meter_in(nft.comment(table)), nft.counters(table)
    except (KernelFault, BadInput):
        return None
    if meter is None:
        return None
    return Totals(source=meter, up=counters["passed_up"].octets, down=counters["passed_down"].octets)


def _of_interface(interface: str) -> Totals | None:
    with closing(Links()) as links:
        try:
            link = links.find(interface)
            passed = links.octets(link)
        except NoSuchInterface:
            return None
    return Totals(source=f"{boot_id()}/{link.index}", up=passed.up, down=passed.down)
