"""What a terminal's counters and gate say at this moment, read from beside the agent; nothing is changed by it.

A source is what the journal's epoch names: a kernel gate's meter, or the interface itself where that is what is charged by.
"""

from __future__ import annotations

from contextlib import closing, suppress

from qanat.agents.holding import Totals
from qanat.agents.kernel.link import Links, NoSuchInterface, boot_id
from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.kernel.nft import Nft
from qanat.agents.kernel.route import PARKED, Routes
from qanat.agents.release import stays_shut
from qanat.agents.terminal.choose_gate import FORBIDDEN
from qanat.agents.terminal.gate_table import laid_in, meter_in, table_for
from qanat.errors import BadInput, Fault


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


def standing(interface: str) -> str:
    """Say in a sentence what stands in the kernel without an agent, as the last one or the boot left it."""
    try:
        is_shut = _has_parked_routes(interface) or _is_table_shut(interface)
    except Fault as fault:
        if isinstance(fault, KernelFault) and fault.code in FORBIDDEN:
            return "not known: looking is not permitted (CAP_NET_ADMIN): run as root"
        return f"not known: {fault}"
    if is_shut is None:
        return f"none: nothing meters or stops {interface}"
    if is_shut:
        return stays_shut(interface, device="terminal")
    return f"the kernel lets pass on {interface} what is left of the quota, and then nothing"


def _is_table_shut(interface: str) -> bool | None:
    """Tell whether the gate that stands lets nothing pass; None when none stands."""
    table = table_for(interface)
    with closing(Nft()) as nft:
        if laid_in(nft, table) is None:
            return None
        return all(quota.depleted for quota in nft.quotas(table).values())


def _has_parked_routes(interface: str) -> bool:
    with closing(Links()) as links, closing(Routes()) as routes, suppress(NoSuchInterface):
        return bool(routes.defaults(links.find(interface), table=PARKED))
    return False


def _of_interface(interface: str) -> Totals | None:
    with closing(Links()) as links:
        try:
            link = links.find(interface)
            passed = links.octets(link)
        except NoSuchInterface:
            return None
    return Totals(source=f"{boot_id()}/{link.index}", up=passed.up, down=passed.down)
