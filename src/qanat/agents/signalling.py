"""Signalling: traffic with a Qanat server, known by the server's address and port; always allowed, never charged.

A terminal's own questions to the DNS, where its server is, are signalling too; ``terminal/asker`` asks them.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

from qanat.agents.channel import Server
from qanat.agents.kernel.nft import Nft, Table, service_key
from qanat.agents.log import Log
from qanat.errors import Unreachable

Endpoint = tuple[IPv4Address | IPv6Address, int]
"""Address and TCP port of a server."""


def endpoints_of(server: Server) -> list[Endpoint]:
    """Resolve a server. Raises Unreachable."""
    return [(ip_address(address), server.port) for _, address in server.addresses()]


def endpoints_known(server: Server) -> list[Endpoint]:
    """Return where the server was when it was last resolved; asks nobody, and so never waits."""
    return [(ip_address(address), server.port) for _, address in server.known]


def endpoints_now(server: Server, log: Log) -> list[Endpoint]:
    """Resolve a server; none, and the log says so, when its name has no address now."""
    try:
        return endpoints_of(server)
    except Unreachable as fault:
        log("server has no address", sentence=str(fault))
        return []


def let_through(nft: Nft, table: Table, endpoints: Collection[Endpoint]) -> None:
    """Have a table let these through and no others: our rulesets look them up in ``servers4`` and ``servers6``."""
    for version in (4, 6):
        wanted = {service_key(*endpoint) for endpoint in endpoints if endpoint[0].version == version}
        nft.make_hold(table, f"servers{version}", wanted)
