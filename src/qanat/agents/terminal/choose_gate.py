"""Picks the best gate that this machine allows, and keeps the reason why it is not a better one."""

from __future__ import annotations

import errno
from collections.abc import Collection
from typing import Final

from qanat.agents.kernel.lay import NftMissing
from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.gate import Carried, Gate
from qanat.agents.terminal.gate_table import LOOPBACK, OTHERS_NEED_IT, lay_in_advance
from qanat.agents.terminal.kernel_gate import KernelGate
from qanat.agents.terminal.open_gate import OpenGate
from qanat.agents.terminal.route_gate import RouteGate

FORBIDDEN: Final = (errno.EPERM, errno.EACCES)
_NOT_PERMITTED: Final = "changing the network is not permitted (CAP_NET_ADMIN)"
_MAY_METER_ONLY: Final = f"{_NOT_PERMITTED}: run as root, or inside a user and network namespace"
_NO_NFTABLES: Final = (errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL)


def choose_gate(
    interface: str,
    *,
    signalling: Collection[Endpoint],
    asks_from: Collection[int] = (),
    carried: Carried | None = None,
) -> Gate:
    """Open the gate of this interface, or go on with the one that stands. It is shut until it is raised.

    ``asks_from`` are ports that the caller holds and asks the DNS from. With ``carried`` a gate that has to be laid goes on
    with these counts.

    Raises NoSuchInterface, BadInput and ForeignTable: what no other gate could cure.
    """
    if interface == LOOPBACK:
        return OpenGate(interface, because=OTHERS_NEED_IT)
    try:
        return KernelGate(interface, signalling=signalling, asks_from=asks_from, carried=carried)
    except NftMissing as fault:
        because = str(fault)
    except KernelFault as fault:
        if fault.code in FORBIDDEN:
            return OpenGate(interface, because=_MAY_METER_ONLY)
        if fault.code not in _NO_NFTABLES:
            raise
        because = f"this kernel has no nftables ({fault})"
    try:
        return RouteGate(interface, signalling=signalling, because=because)
    except KernelFault as fault:
        if fault.code not in FORBIDDEN:
            raise
        return OpenGate(interface, because=_MAY_METER_ONLY)


def shut_in_advance(interface: str) -> bool:
    """Have a shut gate stand for whatever comes up under this name; return whether none stood.

    Raises NeverGated, BadInput and ForeignTable; and NftMissing and KernelFault on a machine that can have none.
    """
    try:
        return lay_in_advance(interface)
    except KernelFault as fault:
        if fault.code not in FORBIDDEN:
            raise
        raise not_permitted() from fault


def not_permitted() -> KernelFault:
    return KernelFault(f"{_NOT_PERMITTED}: run as root", code=errno.EPERM)
