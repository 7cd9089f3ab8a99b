"""The demander's own count of a trade: what its interface carried while it was online at a base station.

The gate that meters a cloud SIM counts here too: signalling and the base station's own services are left out, as the base
station leaves them out. It stands open: the limit is the base station's, and a gate that refused what was forwarded
would make the counts differ. Without permission to have a gate the interface's counters must do, and say more.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from qanat.agents.channel import Server, ipv4_address
from qanat.agents.kernel.link import Links, UpDown
from qanat.agents.log import Log
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.choose_gate import choose_gate
from qanat.agents.terminal.meter import Meter
from qanat.errors import Unreachable
from qanat.units import Octets

_ENDLESS: Final = 1 << 60


class OwnCount:
    """Counts from when it is made until ``finish``; nothing passes before ``open``. Raises what ``choose_gate`` raises.

    ``look`` now and then: what another program does to the gate in between is made good by the interface's counters,
    which know no difference between signalling and service.
    """

    def __init__(self, interface: str, *, free: Collection[Endpoint], log: Log) -> None:
        self._meter = Meter(lambda carried: choose_gate(interface, signalling=free, carried=carried), log)
        with closing(Links()) as links:
            self._meter.follow(links.find(interface))
        self._base = self._newest = UpDown(Octets(0), Octets(0))
        self._base = self.look()

    def open(self) -> None:
        self._meter.raise_to(Octets(self._base.total + _ENDLESS))

    def look(self) -> UpDown:
        """Return the running totals; of an interface that is gone, the last that were seen."""
        reading = self._meter.reading()
        if reading is not None:
            self._newest = UpDown(reading.up, reading.down)
        return self._newest

    def finish(self) -> UpDown:
        """Return what was counted, and leave the interface as it was found."""
        last = self.look()
        self._meter.remove()
        return UpDown(Octets(last.up - self._base.up), Octets(last.down - self._base.down))


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
