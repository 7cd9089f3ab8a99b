"""nftables objects over raw netlink: quotas, counters, and the map elements that point at them.

A static ruleset is laid once with ``nft -f``; everything that moves goes through here, because one commit costs
microseconds here and 20 ms through the command. Writing verbs *build* messages; ``Nft.commit`` carries them out as one
transaction. Tested against ``nft -j list ruleset``. Source: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from qanat.agents.kernel import netlink
from qanat.agents.kernel.netlink import Message
from qanat.errors import Fault
from qanat.units import Octets

NO_OCTETS: Final = Octets(0)

INET: Final = 1
IP: Final = 2

_SUBSYSTEM: Final = 10
EVENT_GROUP: Final = 7  # NFNLGRP_NFTABLES

_GET_TABLE, _DELETE_TABLE = 0x0A01, 0x0A02
_NEW_ELEMENT, _GET_ELEMENT, _DELETE_ELEMENT = 0x0A0C, 0x0A0D, 0x0A0E
_NEW_OBJECT, _GET_OBJECT, _DELETE_OBJECT = 0x0A12, 0x0A13, 0x0A14

_COUNTER: Final = 1
_COUNTED: Final = struct.Struct("!4sQ4sQ")
_COUNTED_HEADS: Final = (struct.pack("=HH", 12, 1), struct.pack("=HH", 12, 2))
"""How kernels write a counter's octets and packets, one behind the other; any other order is read all the same."""
_QUOTA: Final = 2
_DEPLETED: Final = 2


class Counter(NamedTuple):
    octets: Octets
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A quota object. ``used`` is charged for dropped packets too and stops at the limit: never account with it."""

    limit: Octets
    used: Octets
    depleted: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table by name, and the messages that change what is in it."""

    family: int
    name: str

    def add_quota(self, name: str, *, limit: Octets, used: Octets = NO_OCTETS) -> Message:
        data = netlink.be64(1, limit) + netlink.be32(2, 0) + netlink.be64(4, used)
        return self._object(_NEW_OBJECT, _QUOTA, name, netlink.nested(4, data), flags=netlink.CREATE | netlink.EXCL)

    def delete_quota(self, name: str) -> Message:
        return self._object(_DELETE_OBJECT, _QUOTA, name)

    def add_counter(self, name: str) -> Message:
        zero = netlink.nested(4, netlink.be64(1, 0), netlink.be64(2, 0))
        return self._object(_NEW_OBJECT, _COUNTER, name, zero, flags=netlink.CREATE | netlink.EXCL)

    def delete_counter(self, name: str) -> Message:
        return self._object(_DELETE_OBJECT, _COUNTER, name)

    def add_element(self, collection: str, key: bytes, *, target: str | None = None) -> Message:
        """Build a set element, or with ``target`` a map element that points at that quota or counter."""
        pointer = b"" if target is None else netlink.text(9, target)
        return self._element(_NEW_ELEMENT, collection, _key(key) + pointer, flags=netlink.CREATE | netlink.EXCL)

    def delete_element(self, collection: str, key: bytes) -> Message:
        return self._element(_DELETE_ELEMENT, collection, _key(key))

    def delete(self) -> Message:
        return Message(_DELETE_TABLE, self._frame() + netlink.text(1, self.name))

    def _frame(self) -> bytes:
        return struct.pack("!BBH", self.family, 0, 0)

    def _object(self, verb: int, kind: int, name: str, *rest: bytes, flags: int = 0) -> Message:
        head = netlink.text(1, self.name) + netlink.text(2, name) + netlink.be32(3, kind)
        return Message(verb, self._frame() + head + b"".join(rest), flags)

    def _element(self, verb: int, collection: str, element: bytes, *, flags: int = 0) -> Message:
        where = netlink.text(1, self.name) + netlink.text(2, collection)
        return Message(verb, self._frame() + where + netlink.nested(3, netlink.nested(1, element)), flags)


class Nft:
    """Reads and commits, in the network namespace it was made in. Raises KernelFault."""

    def __init__(self) -> None:
        self._netlink = netlink.Netlink(netlink.NETFILTER)

    def commit(self, messages: Sequence[Message]) -> None:
        """Carry out all of it as one transaction, or nothing."""
        self._netlink.batch(messages, subsystem=_SUBSYSTEM)

    def comment(self, table: Table) -> str:
        """Return the comment the table was laid with, empty when it has none."""
        (answer,) = self._netlink.ask(Message(_GET_TABLE, table._frame() + netlink.text(1, table.name)))
        return comment_of(netlink.attributes(answer.payload[4:]).get(6, b""))

    def comments(self, family: int) -> list[tuple[str, str]]:
        """Return every table of a family by name, with its comment."""
        answers = self._netlink.dump(Message(_GET_TABLE, Table(family, "")._frame()))
        found = (netlink.attributes(answer.payload[4:]) for answer in answers)
        return [(netlink.text_of(each[1]), comment_of(each.get(6, b""))) for each in found]

    def counters(self, table: Table) -> dict[str, Counter]:
        return {name: counter_of(data) for name, data in self._objects(table, _COUNTER)}

    def counter(self, table: Table, name: str) -> Counter:
        return counter_of(self._object_data(table, _COUNTER, name))

    def quotas(self, table: Table) -> dict[str, Quota]:
        return {name: quota_of(data) for name, data in self._objects(table, _QUOTA)}

    def quota(self, table: Table, name: str) -> Quota:
        return quota_of(self._object_data(table, _QUOTA, name))

    def elements(self, table: Table, collection: str) -> dict[bytes, str | None]:
        """Return the keys of a set or map, each with the object it points at."""
        where = table._frame() + netlink.text(1, table.name) + netlink.text(2, collection)
        return {
            key: target
            for answer in self._netlink.dump(Message(_GET_ELEMENT, where))
            for key, target in elements_of(answer.payload)
        }

    def make_hold(self, table: Table, collection: str, wanted: set[bytes]) -> None:
        """Make a set hold these elements and no others, in one transaction."""
        present = set(self.elements(table, collection))
        removed = [table.delete_element(collection, key) for key in sorted(present - wanted)]
        self.commit(removed + [table.add_element(collection, key) for key in sorted(wanted - present)])

    def make_hold_too(self, table: Table, collection: str, key: bytes) -> None:
        """Make a set hold this element beside what it holds."""
        self.make_hold(table, collection, {key, *self.elements(table, collection)})

    def close(self) -> None:
        self._netlink.close()

    def _objects(self, table: Table, kind: int) -> list[tuple[str, bytes]]:
        wanted = table._frame() + netlink.text(1, table.name) + netlink.be32(3, kind)
        answers = self._netlink.dump(Message(_GET_OBJECT, wanted))
        return list(names_and_data(answer.payload for answer in answers))

    def _object_data(self, table: Table, kind: int, name: str) -> bytes:
        (answer,) = self._netlink.ask(table._object(_GET_OBJECT, kind, name))
        return netlink.attributes(answer.payload[4:])[4]


class TableGone(Fault):
    """Somebody deleted the table, as a firewall does that reloads its rules: nothing is stopped any more."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"nftables table {table.name} was deleted by another program: lay the gate anew")


class Depletions:
    """Hears which quotas of one table ran dry, as the kernel says it: once for each quota object."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._events = netlink.Events(netlink.NETFILTER, [EVENT_GROUP])

    def fileno(self) -> int:
        return self._events.fileno()

    def take(self) -> list[str]:
        """Return the names of the quotas that ran dry since the last time; never waits.

        Raises EventsLost; and TableGone, so that nobody goes on believing in a gate that is not there.
        """
        heard = self._events.take()
        if any(_deletes(message, self._table) for message in heard):
            raise TableGone(self._table)
        return [name for message in heard if (name := depleted_in(message, self._table)) is not None]

    def close(self) -> None:
        self._events.close()


def depleted_in(message: Message, table: Table) -> str | None:
    """Return the quota of this table that an event says is dry, None for every other event."""
    if message.kind != _NEW_OBJECT:
        return None
    # The family in the event's head is that of the packet, not of the table: only the name tells the table.
    found = netlink.attributes(message.payload[4:])
    if netlink.text_of(found.get(1, b"")) != table.name or netlink.number_of(found[3], "!I") != _QUOTA:
        return None
    return netlink.text_of(found[2]) if quota_of(found[4]).depleted else None


def _deletes(message: Message, table: Table) -> bool:
    if message.kind != _DELETE_TABLE or message.payload[0] != table.family:
        return False
    return netlink.text_of(netlink.attributes(message.payload[4:])[1]) == table.name


class _Layout(NamedTuple):
    """Where name and data of an object stand in a payload, and the heads of these two attributes.

    Objects of one kind in one table differ in nothing else, so a base station that reads tens of thousands at once
    takes one payload of each length apart and looks for the same heads at the same places in the others.
    """

    name: slice
    name_kind: bytes
    data: slice
    data_head: bytes

    def fits(self, payload: bytes) -> bool:
        name, data = self.name.start, self.data.start
        return payload[name - 2 : name] == self.name_kind and payload[data - 4 : data] == self.data_head


def names_and_data(payloads: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Read objects out of the payloads of a dump. Raises Malformed."""
    known: dict[int, _Layout] = {}
    for payload in payloads:
        layout = known.get(len(payload))
        if layout is None or not layout.fits(payload):
            layout = known[len(payload)] = _layout_of(payload)
        yield payload[layout.name].rstrip(b"\0").decode(errors="replace"), payload[layout.data]


def _layout_of(payload: bytes) -> _Layout:
    places = {kind: slice(4 + begin, 4 + end) for kind, begin, end in netlink.attribute_places(payload[4:])}
    if not places.keys() >= {2, 4}:
        raise netlink.Malformed("netlink object without name or data")
    name, data = places[2], places[4]
    padded = slice(name.start, name.start + (name.stop - name.start + 3 & ~3))
    return _Layout(padded, payload[name.start - 2 : name.start], data, payload[data.start - 4 : data.start])


def counter_of(data: bytes) -> Counter:
    if len(data) == _COUNTED.size:
        first, octets, second, packets = _COUNTED.unpack(data)
        if (first, second) == _COUNTED_HEADS:
            return Counter(octets, packets)
    found = netlink.attributes(data)
    return Counter(Octets(netlink.number_of(found[1], "!Q")), netlink.number_of(found[2], "!Q"))


def quota_of(data: bytes) -> Quota:
    found = netlink.attributes(data)
    return Quota(
        limit=Octets(netlink.number_of(found[1], "!Q")),
        used=Octets(netlink.number_of(found[4], "!Q")),
        depleted=bool(netlink.number_of(found[2], "!I") & _DEPLETED),
    )


def elements_of(payload: bytes) -> list[tuple[bytes, str | None]]:
    """Read the elements that one answer to a set dump carries."""
    listed = netlink.attribute_list(netlink.attributes(payload[4:]).get(3, b""))
    found = (netlink.attributes(data) for _, data in listed)
    return [
        (netlink.attributes(each[1])[1], netlink.text_of(each[9]) if 9 in each else None) for each in found if 1 in each
    ]


def comment_of(userdata: bytes) -> str:
    """Read the comment out of a table's user data: type, length, text (the layout of libnftnl)."""
    place = 0
    while place + 2 <= len(userdata):
        kind, length = userdata[place], userdata[place + 1]
        if kind == 0:
            return netlink.text_of(userdata[place + 2 : place + 2 + length])
        place += 2 + length
    return ""


def service_key(address: IPv4Address | IPv6Address, port: int) -> bytes:
    """Pack an element of a set of ``address . inet_service``; nftables fills each part up to four octets."""
    return address.packed + struct.pack("!Hxx", port)


def port_key(port: int) -> bytes:
    """Pack an element of a set of ``inet_service``."""
    return struct.pack("!H", port)


def interface_key(index: int) -> bytes:
    """Pack an element of a set of ``iface_index``."""
    return struct.pack("=I", index)


def _key(key: bytes) -> bytes:
    return netlink.nested(1, netlink.attribute(1, key))
