"""Network interfaces: which there are, and what has passed over them.

Counts are octets of the network layer: what a driver counts on an Ethernet-like interface holds 14 octets of frame
header for each packet, what it counts on a raw-IP one (a mobile modem) holds none, and a bridge counts them one way only.
What WireGuard counts holds its own headers and padding, which nobody can take off again.
Sources: linux/if_link.h (RTM_GETSTATS); linux/if_arp.h; RFC 2863 §3.1.14 (operational states); measured, for each kind.
"""

from __future__ import annotations

import errno
import struct
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from qanat.agents.kernel import netlink
from qanat.agents.kernel.netlink import KernelFault, Message
from qanat.errors import Fault
from qanat.units import Octets

ETHERNET: Final = 1
LINK_GROUP: Final = 1
"""The multicast group that tells of every change of an interface."""

_FRAME_HEADER: Final = 14
_GET_LINK, _SET_LINK = 18, 19
_GET_STATS: Final = 94
_IF_UP: Final = 0x1
_IFINFO: Final = struct.Struct("=BxHiII")
_STATS: Final = struct.Struct("=QQQQ")
_ANSWERS_UP: Final = (0, 6)  # RFC 2863: unknown (drivers that never say), up
_COUNTED_OTHERWISE: Final = {
    "bridge": (_FRAME_HEADER, 0),
    "vlan": (_FRAME_HEADER, 0),  # not measured; Linux, net/8021q: vlan_dev_hard_start_xmit, vlan_do_receive
    "vxlan": (0, 0),
}
"""Of the frame header, up and down: these kinds count before it is put on, or after it is taken off."""


class NoSuchInterface(Fault):
    """The interface is not there (any more)."""


class OperState(Enum):
    """RFC 2863 §3.1.14, as the kernel numbers it."""

    UNKNOWN = 0
    NOT_PRESENT = 1
    DOWN = 2
    LOWER_LAYER_DOWN = 3
    TESTING = 4
    DORMANT = 5
    UP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    index: int
    name: str
    hardware: int
    """ARPHRD type."""
    state: OperState
    is_up: bool
    """Switched on by the administrator and able to carry traffic."""
    mtu: int
    gso_max_segs: int
    master: int = 0
    """Index of the bridge or bond it is a port of; 0 for none."""
    kind: str = ""
    """What `ip link add` calls the type; empty for what stands for a device."""

    @property
    def frame_headers(self) -> tuple[int, int]:
        """Octets of frame header within what is counted of each packet: up, down."""
        if self.hardware != ETHERNET:
            return 0, 0
        return _COUNTED_OTHERWISE.get(self.kind, (_FRAME_HEADER, _FRAME_HEADER))


@dataclass(frozen=True, slots=True)
class UpDown:
    """Octets in both directions, seen from the terminal: up is sent, down is received."""

    up: Octets
    down: Octets

    @property
    def total(self) -> Octets:
        return Octets(self.up + self.down)


class Links:
    """Asks about interfaces in the network namespace it was made in."""

    def __init__(self) -> None:
        self._netlink = netlink.Netlink(netlink.ROUTE)

    def find(self, name: str) -> Link:
        """Return the interface of that name. Raises NoSuchInterface."""
        try:
            (answer,) = self._netlink.ask(Message(_GET_LINK, _ifinfo(0) + netlink.text(3, name)))
        except KernelFault as fault:
            raise _missing(fault, f"interface {name!r}") from fault
        return link_of(answer.payload)

    def all(self) -> list[Link]:
        return [link_of(answer.payload) for answer in self._netlink.dump(Message(_GET_LINK, _ifinfo(0)))]

    def octets(self, link: Link) -> UpDown:
        """Return what has passed over the interface since it was made, at the network layer. Raises NoSuchInterface."""
        try:
            (answer,) = self._netlink.ask(Message(_GET_STATS, struct.pack("=BBHII", 0, 0, 0, link.index, 1)))
        except KernelFault as fault:
            raise _missing(fault, f"interface {link.name!r} (index {link.index})") from fault
        return octets_of(answer.payload, link.frame_headers)

    def set_gso_max_segs(self, link: Link, segments: int) -> None:
        """Bound how many segments one packet of the stack may stand for; 1 makes each packet one frame."""
        self._netlink.ask(Message(_SET_LINK, _ifinfo(link.index) + netlink.u32(40, segments)))

    def close(self) -> None:
        self._netlink.close()


def require_interfaces(*names: str) -> None:
    """Raise NoSuchInterface for the first that is not there."""
    with closing(Links()) as links:
        for name in names:
            links.find(name)


def forwards(link: Link) -> bool:
    """Return whether the kernel passes IPv4 packets on that come in here; yes where it doesn't say."""
    try:
        return Path("/proc/sys/net/ipv4/conf", link.name, "forwarding").read_text().strip() != "0"
    except OSError:
        return True


def boot_id() -> str:
    """Return the kernel's name for this boot; another one means that every kernel counter began at 0 again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def link_of(payload: bytes) -> Link:
    if len(payload) < _IFINFO.size:
        raise netlink.Malformed(f"link answer of {len(payload)} octets")
    _family, hardware, index, flags, _change = _IFINFO.unpack_from(payload)
    found = netlink.attributes(payload[_IFINFO.size :])
    number = netlink.number_of(found.get(16, b"\0"), "=B")
    state = OperState(number) if number <= 6 else OperState.UNKNOWN
    return Link(
        index=index,
        name=netlink.text_of(found[3]),
        hardware=hardware,
        state=state,
        is_up=bool(flags & _IF_UP) and state.value in _ANSWERS_UP,
        mtu=netlink.number_of(found.get(4, bytes(4)), "=I"),
        gso_max_segs=netlink.number_of(found.get(40, bytes(4)), "=I"),
        master=netlink.number_of(found.get(10, bytes(4)), "=I"),
        kind=netlink.text_of(netlink.attributes(found.get(18, b"")).get(1, b"")),
    )


def octets_of(payload: bytes, frame_headers: tuple[int, int]) -> UpDown:
    """Read an RTM_NEWSTATS answer, without so many octets of frame header for each packet up and down."""
    header_up, header_down = frame_headers
    stats = netlink.attributes(payload[12:])[1]
    if len(stats) < _STATS.size:
        raise netlink.Malformed(f"interface statistics of {len(stats)} octets")
    packets_down, packets_up, down, up = _STATS.unpack_from(stats)
    return UpDown(
        up=Octets(up - packets_up * header_up),
        down=Octets(down - packets_down * header_down),
    )


def _ifinfo(index: int) -> bytes:
    return _IFINFO.pack(0, 0, index, 0, 0)


def _missing(fault: KernelFault, what: str) -> Fault:
    if fault.code not in (errno.ENODEV, errno.ENXIO):
        return fault
    return NoSuchInterface(f"there is no {what}: `ip link` lists those there are")
