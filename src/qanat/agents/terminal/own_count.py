"""The demander's own count of a trade: what its interface carried while it was online at a base station.

The gate that meters a cloud SIM counts here too: signalling and the base station's own services are left out, as the base
station leaves them out. It stands open: the limit is the base station's, and a gate that refused what was forwarded
would make the counts differ. Without permission to have a gate the interface's counters must do, and say more.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from qanat.agents.channel import Server, ipv4_address
from qanat.agents.kernel.link import UpDown
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.choose_gate import choose_gate
from qanat.errors import Unreachable
from qanat.units import Octets

_ENDLESS: Final = 1 << 60


class OwnCount:
    """Counts from when it is made until ``finish``; nothing passes before ``open``."""

    def __init__(self, interface: str, *, free: Collection[Endpoint]) -> None:
        self._gate = choose_gate(interface, signalling=free)
        self._base = self._gate.reading().passed

    def describe(self) -> str:
        return self._gate.describe()

    def open(self) -> None:
        self._gate.raise_to(Octets(max(self._gate.ceiling, self._base.total + _ENDLESS)))

    def counted(self) -> UpDown:
        passed = self._gate.reading().passed
        return UpDown(Octets(passed.up - self._base.up), Octets(passed.down - self._base.down))

    def finish(self) -> UpDown:
        counted = self.counted()
        self._gate.remove()
        return counted


def interface_towards(server: Server) -> str:
    """Return the interface that the way to this server leaves through. Raises Unreachable."""
    for family, address in server.addresses():
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, server.port))
            except OSError:
                continue
            own = ip_address(probe.getsockname()[0])
        for _, name in socket.if_nameindex():
            if own in (ipv4_address(name), *_ipv6_addresses(name)):
                return name
    raise Unreachable(f"no interface leads to {server.authority}: name one with --interface")


def _ipv6_addresses(interface: str) -> list[IPv4Address | IPv6Address]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return []
    fields = (line.split() for line in lines)
    return [ip_address(bytes.fromhex(each[0])) for each in fields if each[5] == interface]
