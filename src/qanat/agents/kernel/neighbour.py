"""The neighbour table: which link address answers for which IP address on one interface.

An entry that is *pinned* stays as it is whatever its neighbours say on the wire, so nobody draws another's traffic to
himself by answering in its place. Source: linux/neighbour.h; RFC 826; RFC 4861 §7.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from qanat.agents.kernel import netlink
from qanat.agents.kernel.link import Link
from qanat.agents.kernel.netlink import EventsLost, KernelFault, Message

Address = IPv4Address | IPv6Address
LinkAddress = bytes
"""Six octets."""

_NEW, _DELETE, _GET = 28, 29, 30
_GROUP: Final = 3
_NDMSG: Final = struct.Struct("=BxHiHBB")
_DESTINATION, _LINK_ADDRESS = 1, 2
_FAMILY: Final = {4: 2, 6: 10}
_STALE: Final = 0x04
_PERMANENT: Final = 0x80
_KNOWN: Final = 0x02 | _STALE | 0x08 | 0x10 | _PERMANENT


class Neighbours:
    """One interface's neighbours, as the kernel knows them now. Raises KernelFault."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._events = netlink.Events(netlink.ROUTE, [_GROUP])
        self._netlink = netlink.Netlink(netlink.ROUTE)
        self._of: dict[Address, LinkAddress] = {}
        self._read_all()

    def fileno(self) -> int:
        return self._events.fileno()

    def take(self) -> list[tuple[Address, LinkAddress]]:
        """Hear what changed since the last time; return the addresses that are new or have moved. Never waits."""
        try:
            return self._learn(self._events.take())
        except EventsLost:
            return self._read_all()

    def link_address(self, address: Address) -> LinkAddress | None:
        """Return what answers for the address, as far as ``take`` has heard."""
        return self._of.get(address)

    def addresses(self, link_address: LinkAddress) -> list[Address]:
        """Return what this link address answers for, without what never leaves its link (RFC 4291 §2.5.6)."""
        return [each for each, owner in self._of.items() if owner == link_address and not each.is_link_local]

    def pin(self, address: Address, link_address: LinkAddress) -> None:
        self._set(address, link_address, _PERMANENT)

    def unpin(self, address: Address, link_address: LinkAddress) -> None:
        self._set(address, link_address, _STALE)

    def close(self) -> None:
        self._events.close()
        self._netlink.close()

    def _read_all(self) -> list[tuple[Address, LinkAddress]]:
        self._of.clear()
        return self._learn(self._netlink.dump(Message(_GET, _NDMSG.pack(0, 0, self._link.index, 0, 0, 0))))

    def _learn(self, messages: Iterable[Message]) -> list[tuple[Address, LinkAddress]]:
        fresh = []
        for message in messages:
            said = entry_of(message, self._link.index)
            if said is None:
                continue
            address, owner = said
            if owner is None:
                self._of.pop(address, None)
            elif self._of.get(address) != owner:
                self._of[address] = owner
                fresh.append((address, owner))
        return fresh

    def _set(self, address: Address, link_address: LinkAddress, state: int) -> None:
        head = _NDMSG.pack(_FAMILY[address.version], 0, self._link.index, state, 0, 0)
        body = netlink.attribute(_DESTINATION, address.packed) + netlink.attribute(_LINK_ADDRESS, link_address)
        try:
            self._netlink.ask(Message(_NEW, head + body, netlink.CREATE | netlink.REPLACE))
        except KernelFault as fault:
            if fault.code != errno.ENODEV:  # an interface that is gone has no neighbours
                raise


def entry_of(message: Message, interface: int) -> tuple[Address, LinkAddress | None] | None:
    """Read one entry of this interface: the address, and who answers for it; None for what is no such entry."""
    if message.kind not in (_NEW, _DELETE) or len(message.payload) < _NDMSG.size:
        return None
    family, _, index, state, _, _ = _NDMSG.unpack_from(message.payload)
    found = netlink.attributes(message.payload[_NDMSG.size :])
    if index != interface or family not in _FAMILY.values() or _DESTINATION not in found:
        return None
    address = ip_address(found[_DESTINATION])
    is_known = message.kind == _NEW and state & _KNOWN and len(found.get(_LINK_ADDRESS, b"")) == 6
    return address, found[_LINK_ADDRESS] if is_known else None
