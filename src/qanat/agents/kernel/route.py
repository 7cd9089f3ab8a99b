"""Routes through one interface: where they lead, and default routes parked out of use and put back.

A parked route stands in a routing table of its own that no rule consults, so it survives the death of whoever parked it
and comes back exactly as it was. Source: linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from qanat.agents.kernel import netlink
from qanat.agents.kernel.link import Link
from qanat.agents.kernel.netlink import KernelFault, Message

PARKED: Final = 0x5141
"""The table of parked routes."""

_MAIN: Final = 254
_UNSPECIFIED: Final = 0
_NEW_ROUTE, _DELETE_ROUTE, _GET_ROUTE = 24, 25, 26
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
_DST, _OIF, _PRIORITY, _CACHE, _TABLE = 1, 4, 6, 12, 15
_ON_LINK: Final = 4
_FIB_MATCH: Final = 0x2000
_UNICAST: Final = 1
_UNREACHABLE: Final = 7
_STATIC: Final = 4
_DISCARD: Final = (IPv4Address("192.0.0.8"), IPv6Address("100::"))  # RFC 7600, RFC 6666
_VERSION: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Route:
    family: int
    prefix: int
    table: int
    protocol: int
    scope: int
    flags: int
    interface: int
    rest: tuple[tuple[int, bytes], ...] = field(repr=False)
    """Every other attribute, as the kernel gave it: gateway, metric, preferred source."""

    @property
    def is_default(self) -> bool:
        return self.prefix == 0

    @property
    def metric(self) -> int:
        """The lower one is preferred."""
        return netlink.number_of(dict(self.rest).get(_PRIORITY, bytes(4)), "=I")


class Routes:
    """Asks and changes in the network namespace it was made in. Raises KernelFault."""

    def __init__(self) -> None:
        self._netlink = netlink.Netlink(netlink.ROUTE)

    def defaults(self, link: Link, *, table: int = _MAIN) -> list[Route]:
        """Return the default routes of both families that leave through the interface."""
        return [route for route in self.all_defaults(table=table) if route.interface == link.index]

    def all_defaults(self, *, table: int = _MAIN) -> list[Route]:
        """Return the default routes of both families, through whichever interface."""
        answers = (
            answer
            for family in _VERSION.values()
            for answer in self._netlink.dump(Message(_GET_ROUTE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)))
        )
        found = (route_of(answer.payload) for answer in answers)
        # A kernel without IPv6 answers for IPv4 again, hence the dict.
        return list(
            dict.fromkeys(
                route
                for route in found
                if route and route.is_default and route.family in _VERSION.values() and route.table == table
            )
        )

    def leads_to(self, link: Link, host: IPv4Address | IPv6Address) -> bool:
        """Tell whether a route leads to the host through this interface.

        For a socket bound to an interface the kernel takes whatever has no route there for a neighbour; that is no way.
        """
        head = _RTMSG.pack(_VERSION[host.version], host.max_prefixlen, 0, 0, 0, 0, 0, 0, _FIB_MATCH)
        asked = head + netlink.attribute(_DST, host.packed) + netlink.u32(_OIF, link.index)
        try:
            self._netlink.ask(Message(_GET_ROUTE, asked))
        except KernelFault as fault:
            if fault.code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                return False
            raise
        return True

    def park(self, link: Link, *, keep: Sequence[IPv4Address | IPv6Address] = ()) -> bool:
        """Take the interface's default routes out of use, but keep a way to these hosts. Repeating is safe.

        Returns whether there was anything to take down.
        """
        serving = self.defaults(link)
        for route in serving:
            for host in _reached_by(route, keep):
                self._add(_to_host(route, host))
            self._add(replace(route, table=PARKED))
            self._delete(route)
        return bool(serving)

    def restore(self, link: Link, *, kept: Sequence[IPv4Address | IPv6Address] = ()) -> bool:
        """Put parked routes back. Repeating is safe. Returns whether there was anything to put back."""
        parked = self.defaults(link, table=PARKED)
        for route in parked:
            self._add(replace(route, table=_MAIN))
            self._delete(route)
            for host in _reached_by(route, kept):
                self._delete(_to_host(replace(route, table=_MAIN), host))
        return bool(parked)

    def refresh(self) -> None:
        """Let open connections look their route up again, and with it how large their packets may be.

        Any change of the table does that; this one adds a discard address and takes it away. IPv6 connections within
        the interface's own network keep their old route.
        """
        for host in _DISCARD:
            head = _RTMSG.pack(_VERSION[host.version], host.max_prefixlen, 0, 0, _MAIN, _STATIC, 0, _UNREACHABLE, 0)
            where = netlink.attribute(_DST, host.packed)
            with suppress(KernelFault):  # a kernel without this family has no connections of it
                self._netlink.ask(Message(_NEW_ROUTE, head + where, netlink.CREATE | netlink.REPLACE))
                self._netlink.ask(Message(_DELETE_ROUTE, head + where))

    def close(self) -> None:
        self._netlink.close()

    def _add(self, route: Route) -> None:
        self._netlink.ask(Message(_NEW_ROUTE, pack_route(route), netlink.CREATE | netlink.REPLACE))

    def _delete(self, route: Route) -> None:
        try:
            self._netlink.ask(Message(_DELETE_ROUTE, pack_route(route)))
        except KernelFault as fault:
            if fault.code != errno.ESRCH:
                raise


def route_of(payload: bytes) -> Route | None:
    """Read a route; None for one that leaves through no single interface (multipath, blackhole, next-hop objects)."""
    if len(payload) < _RTMSG.size:
        raise netlink.Malformed(f"route answer of {len(payload)} octets")
    family, prefix, _src, _tos, table, protocol, scope, kind, flags = _RTMSG.unpack_from(payload)
    found = list(netlink.attribute_list(payload[_RTMSG.size :]))
    known = netlink.Attributes(found)
    if kind != _UNICAST or _OIF not in known:
        return None
    return Route(
        family=family,
        prefix=prefix,
        table=netlink.number_of(known[_TABLE], "=I") if _TABLE in known else table,
        protocol=protocol,
        scope=scope,
        flags=flags & _ON_LINK,
        interface=netlink.number_of(known[_OIF], "=I"),
        rest=tuple((key, value) for key, value in found if key not in (_TABLE, _OIF, _CACHE)),
    )


def pack_route(route: Route) -> bytes:
    head = _RTMSG.pack(
        route.family, route.prefix, 0, 0, _UNSPECIFIED, route.protocol, route.scope, _UNICAST, route.flags
    )
    where = netlink.u32(_TABLE, route.table) + netlink.u32(_OIF, route.interface)
    return head + where + b"".join(netlink.attribute(key, value) for key, value in route.rest)


def _reached_by(route: Route, hosts: Sequence[IPv4Address | IPv6Address]) -> list[IPv4Address | IPv6Address]:
    return [host for host in hosts if _VERSION[host.version] == route.family]


def _to_host(default: Route, host: IPv4Address | IPv6Address) -> Route:
    """Return the route to one host that goes the way of this default route."""
    return replace(default, prefix=host.max_prefixlen, rest=(*default.rest, (_DST, host.packed)))
