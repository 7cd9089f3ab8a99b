"""The lab's map: which hosts there are and how they are wired.

    terminal ─cell0── cell ───────┐
        └────wifi0── wifi ───────┤
       phone ─cell0── cell ───────┤ core ├── server      10.5.0.1
       guest ─lan0─┐              ├──────┴── internet    10.6.0.1
      laptop ─lan0─┴ base-station ┘

Each wire is a pair of interfaces whose ends know each other's link addresses for good, without IPv6 and without
super-packets: so interface counters carry the traffic that is meant and nothing else. The server too has a link address at
the outer ends, that of the router there: a connection bound to an interface that has just lost its route takes the server
for a neighbour, and would ask for it by ARP, which an interface counts and no gate, and keep back what the gate has counted.

A wire leads from a host to the one nearer to the core; wire N has the addresses 10.N.0.1 (outer end) and 10.N.0.2. What hangs
on the base station shares one net, as at any access point: its wires end in ports of a bridge. A host that joins the lab is
a line or two in ``WIRES``.
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
    place: int = 1
    """Differs where wires share a net."""
    bridge: str = ""
    """The inner end is a port of this bridge, which holds the address."""

    @property
    def network(self) -> str:
        return f"10.{self.net}.0.0/24"

    @property
    def outer_address(self) -> str:
        return f"10.{self.net}.0.{self.place}"

    @property
    def inner_address(self) -> str:
        return f"10.{self.net}.0.2"

    @property
    def facing(self) -> str:
        """The inner interface as packets see it."""
        return self.bridge or self.inner_interface


ACCESS: Final = "br0"
UPLINK: Final = "wan0"
WIRES: Final = (
    Wire(1, "terminal", "cell0", "cell", "radio0"),
    Wire(2, "terminal", "wifi0", "wifi", "radio0", metric=200),
    Wire(3, "cell", "core0", "core", "cell0"),
    Wire(4, "wifi", "core0", "core", "wifi0"),
    Wire(5, "server", "core0", "core", "server0"),
    Wire(6, "internet", "core0", "core", "internet0"),
    Wire(7, "phone", "cell0", "cell", "radio1"),
    Wire(8, "base-station", UPLINK, "core", "station0"),
    Wire(9, "guest", "lan0", "base-station", "port1", place=11, bridge=ACCESS),
    Wire(9, "laptop", "lan0", "base-station", "port2", place=12, bridge=ACCESS),
)
HOSTS: Final = tuple(dict.fromkeys(name for wire in WIRES for name in (wire.outer, wire.inner)))
SERVER: Final = "10.5.0.1"
INTERNET: Final = "10.6.0.1"
PORTAL: Final = "10.9.0.2"
"""Where the base station talks to those on its access side."""


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
        self[wire.inner].ip(f"link set {wire.inner_interface} up", *_neighbours(wire, inner=True))

    def leave(self, interface: str) -> None:
        """Have the terminal go over to its next network, as a person does in the settings."""
        self["terminal"].ip(f"route delete {_default(_wire(interface))}")

    def come_back(self, interface: str) -> None:
        self["terminal"].ip(f"route add {_default(_wire(interface))}")

    def _pairs(self) -> Iterator[str]:
        for wire in WIRES:
            yield (
                f"link add {wire.outer_interface} netns {self[wire.outer].name} address {_hardware(wire)} type veth "
                f"peer name {wire.inner_interface} netns {self[wire.inner].name} address {_hardware(wire, inner=True)}"
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
    # So often it tries: for minutes, where the default of 15 would be as many seconds.
    host.set("ipv4/tcp_retries2", 255)


def _wired(name: str) -> Iterator[str]:
    """Yield the commands that give a host its ends of wires."""
    for bridge, wire in {wire.bridge: wire for wire in WIRES if wire.bridge and wire.inner == name}.items():
        yield f"link add {bridge} address {_hardware(wire, inner=True)} type bridge mcast_snooping 0"
        yield f"address add {wire.inner_address}/24 dev {bridge}"
        yield f"link set {bridge} up"
    for wire in WIRES:
        if wire.outer == name:
            yield f"address add {wire.outer_address}/24 dev {wire.outer_interface}"
            yield from _quiet(wire, wire.outer_interface, inner=False)
        if wire.inner == name:
            yield (
                f"link set {wire.inner_interface} master {wire.bridge}"
                if wire.bridge
                else f"address add {wire.inner_address}/24 dev {wire.inner_interface}"
            )
            yield from _quiet(wire, wire.inner_interface, inner=True)


def _quiet(wire: Wire, interface: str, *, inner: bool) -> Iterator[str]:
    # A real wire carries no super-packets; veth would hand them over whole.
    yield f"link set {interface} gso_max_segs 1 up"
    yield from _neighbours(wire, inner=inner)


def _routes(name: str) -> Iterator[str]:
    """Yield the commands that show a host the way: outward wire by wire, everything else toward the core."""
    for wire in WIRES:
        if wire.outer == name:
            yield f"route add {_default(wire)}"
        if wire.inner == name:
            for network in dict.fromkeys(beyond.network for beyond in _beyond(wire)):
                yield f"route add {network} via {wire.outer_address} dev {wire.inner_interface}"


def _beyond(wire: Wire) -> Iterator[Wire]:
    for further in WIRES:
        if further.inner == wire.outer:
            yield further
            yield from _beyond(further)


def _default(wire: Wire) -> str:
    return f"default via {wire.inner_address} dev {wire.outer_interface} metric {wire.metric}"


def _neighbours(wire: Wire, *, inner: bool) -> Iterator[str]:
    """Yield the commands that tell one end who is at the other."""
    interface = wire.facing if inner else wire.outer_interface
    for address in (wire.outer_address,) if inner else (wire.inner_address, SERVER):
        yield f"neigh replace {address} lladdr {_hardware(wire, inner=not inner)} dev {interface} nud permanent"


def _hardware(wire: Wire, *, inner: bool = False) -> str:
    return f"02:00:00:00:{wire.net:02x}:{2 if inner else wire.place:02x}"


def _wire(interface: str) -> Wire:
    return next(wire for wire in WIRES if wire.outer == "terminal" and wire.outer_interface == interface)
