"""The lab's map: which hosts there are and how they are wired.

    terminal ─cell0── cell ──┐
        └────wifi0── wifi ──┤ core ├── server      10.5.0.1
                             └──────┴── internet    10.6.0.1

Each wire is a pair of interfaces whose ends know each other's link addresses for good, without IPv6 and without super-packets: so
interface counters carry the traffic that is meant and nothing else. A wire leads from a host to the one nearer to the
core; wire N has the addresses 10.N.0.1 (outer end) and 10.N.0.2. A host that joins the lab is a line or two in ``WIRES``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from qanat.lab.namespaces import Host, run


@dataclass(frozen=True, slots=True)
class Wire:
    net: int
    outer: str
    outer_interface: str
    inner: str
    inner_interface: str
    metric: int = 100
    """A host with several ways out prefers the lower one."""

    @property
    def outer_address(self) -> str:
        return f"10.{self.net}.0.1"

    @property
    def inner_address(self) -> str:
        return f"10.{self.net}.0.2"


WIRES: Final = (
    Wire(1, "terminal", "cell0", "cell", "radio0"),
    Wire(2, "terminal", "wifi0", "wifi", "radio0", metric=200),
    Wire(3, "cell", "core0", "core", "cell0"),
    Wire(4, "wifi", "core0", "core", "wifi0"),
    Wire(5, "server", "core0", "core", "server0"),
    Wire(6, "internet", "core0", "core", "internet0"),
)
HOSTS: Final = tuple(dict.fromkeys(name for wire in WIRES for name in (wire.outer, wire.inner)))
SERVER: Final = "10.5.0.1"
INTERNET: Final = "10.6.0.1"


class Lab:
    """The laid lab. Repeating ``lay`` or ``clear`` is safe; ``prefix`` keeps labs of one machine apart."""

    def __init__(self, prefix: str = "qanat") -> None:
        self.hosts: Final = {name: Host(f"{prefix}-{name}") for name in HOSTS}

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    @property
    def stands(self) -> bool:
        return all(host.exists for host in self.hosts.values())

    def lay(self) -> None:
        """Make all hosts and wires, or none. Raises LabFault."""
        self.clear()
        try:
            for host in self.hosts.values():
                host.add()
                _settle(host)
            run(["ip", "-batch", "-"], text="\n".join(self._pairs()))
            for name, host in self.hosts.items():
                host.ip(*_wired(name), *_routes(name))
        except BaseException:
            self.clear()
            raise

    def clear(self) -> None:
        for host in self.hosts.values():
            host.remove()

    def cut(self, interface: str) -> None:
        """Take the far end of one of the terminal's interfaces away: no signal any more."""
        wire = _wire(interface)
        self[wire.inner].ip(f"link set {wire.inner_interface} down")

    def mend(self, interface: str) -> None:
        wire = _wire(interface)
        # A link that was switched off has forgotten its neighbour, however permanent.
        self[wire.inner].ip(f"link set {wire.inner_interface} up", _neighbour(wire, inner=True))

    def leave(self, interface: str) -> None:
        """Have the terminal go over to its next network, as a person does in the settings."""
        self["terminal"].ip(f"route delete {_default(_wire(interface))}")

    def come_back(self, interface: str) -> None:
        self["terminal"].ip(f"route add {_default(_wire(interface))}")

    def _pairs(self) -> Iterator[str]:
        for wire in WIRES:
            yield (
                f"link add {wire.outer_interface} netns {self[wire.outer].name} address {_hardware(wire, 1)} type veth "
                f"peer name {wire.inner_interface} netns {self[wire.inner].name} address {_hardware(wire, 2)}"
            )


def _settle(host: Host) -> None:
    """Make a quiet router of it."""
    host.set("ipv4/ip_forward", 1)
    for scope in ("all", "default"):
        host.set(f"ipv4/conf/{scope}/rp_filter", 0)
        host.set(f"ipv6/conf/{scope}/disable_ipv6", 1, if_known=True)
    # A way out without signal fails at once, as with a network manager, and does not swallow packets.
    host.set("ipv4/conf/all/ignore_routes_with_linkdown", 1)
    # A download that met a shut gate goes on within a second of its opening (Linux 6.15 and later).
    host.set("ipv4/tcp_rto_max_ms", 1000, if_known=True)


def _wired(name: str) -> Iterator[str]:
    """Yield the commands that give a host its ends of wires."""
    for wire in WIRES:
        for inner, owner, interface, address in (
            (False, wire.outer, wire.outer_interface, wire.outer_address),
            (True, wire.inner, wire.inner_interface, wire.inner_address),
        ):
            if owner == name:
                yield f"address add {address}/24 dev {interface}"
                # A real wire carries no super-packets; veth would hand them over whole.
                yield f"link set {interface} gso_max_segs 1 up"
                yield _neighbour(wire, inner=inner)


def _routes(name: str) -> Iterator[str]:
    """Yield the commands that show a host the way: outward wire by wire, everything else toward the core."""
    for wire in WIRES:
        if wire.outer == name:
            yield f"route add {_default(wire)}"
        if wire.inner == name:
            for beyond in _beyond(wire):
                yield f"route add 10.{beyond.net}.0.0/24 via {wire.outer_address} dev {wire.inner_interface}"


def _beyond(wire: Wire) -> Iterator[Wire]:
    for further in WIRES:
        if further.inner == wire.outer:
            yield further
            yield from _beyond(further)


def _default(wire: Wire) -> str:
    return f"default via {wire.inner_address} dev {wire.outer_interface} metric {wire.metric}"


def _neighbour(wire: Wire, *, inner: bool) -> str:
    interface, address, end = (
        (wire.inner_interface, wire.outer_address, 1) if inner else (wire.outer_interface, wire.inner_address, 2)
    )
    return f"neigh replace {address} lladdr {_hardware(wire, end)} dev {interface} nud permanent"


def _hardware(wire: Wire, end: int) -> str:
    return f"02:00:00:00:{wire.net:02x}:{end:02x}"


def _wire(interface: str) -> Wire:
    return next(wire for wire in WIRES if wire.outer == "terminal" and wire.outer_interface == interface)
