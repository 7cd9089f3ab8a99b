"""A base station's kernel in the simulated world: the ladder's objects, and packets that meet them.

It takes the very messages that the kernel would, whole batches or nothing, and charges packets as the rules do: bound
addresses only, the serving grant before the waiting one, a quota for what it refuses too, the counters for what passes.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar

from qanat.agents.base_station.ground import Laid
from qanat.agents.base_station.ruleset import bound_key, table_for
from qanat.agents.kernel import netlink
from qanat.agents.kernel.ladder import Key, label_of
from qanat.agents.kernel.netlink import KernelFault, Message
from qanat.agents.kernel.nft import Counter, Quota, Table, TableGone, elements_of
from qanat.units import Octets

MTU: Final = 1500
_NEW_ELEMENT, _DELETE_ELEMENT, _NEW_OBJECT, _DELETE_OBJECT = 0x0A0C, 0x0A0E, 0x0A12, 0x0A14
_COUNTER: Final = 1

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Held:
    """A quota object; what it refuses is charged too, and it says once that it is dry."""

    limit: int
    used: int
    depleted: bool = False


@dataclass(slots=True)
class Tables:
    quotas: dict[str, Held] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    collections: dict[str, dict[bytes, str | None]] = field(default_factory=dict)

    def copied(self) -> Tables:
        return Tables(
            dict(self.quotas), dict(self.counters), {name: dict(held) for name, held in self.collections.items()}
        )


class Gate(Laid):
    """``passed`` is told of what passes, by the counter's name; ``went_dry`` of rungs, by label, as the kernel says it."""

    def __init__(
        self, number: int, *, passed: Callable[[str, int], None], went_dry: Callable[[dict[str, list[str]]], None]
    ) -> None:
        self.table: Table = table_for("wlan0")
        self.nft = self
        self.meter = f"mtr-{number}"
        self.merging: list[str] = []
        self._passed = passed
        self._went_dry = went_dry
        self._is_gone = False
        self._now = Tables()

    @property
    def mtu(self) -> int:
        return MTU

    def flush(self) -> None:
        """The table is gone, by a power cut or another program; nothing passes any more."""
        self._is_gone = True
        self._now = Tables()

    # Packets

    def meet(self, key: Key, link_address: bytes, *, up: bool, packets: int, size: int) -> int:
        """Let packets of one size come; return how many pass."""
        if not self._find(f"bound{key.suffix}", bound_key(link_address, key))[0]:
            return 0
        done = 0
        for place in ("a_of", "b_of"):
            _, name = self._find(place + key.suffix, key.octets)
            if name is not None:
                done += self._through(name, packets - done, size)
        _, counter = self._find(("up_of" if up else "dn_of") + key.suffix, key.octets)
        if counter is not None and done:
            self._now.counters[counter] += done * size
            self._passed(counter, done * size)
        return done

    def _through(self, name: str, packets: int, size: int) -> int:
        quota = self._now.quotas[name]
        fitting = max(0, min(packets, (quota.limit - quota.used) // size))
        quota.used += fitting * size
        if fitting < packets:
            quota.used += size
            if not quota.depleted:
                quota.depleted = True
                label = label_of(name)
                assert label is not None, "only rungs are quotas here"
                self._went_dry({label: [name]})
        return fitting

    def _find(self, collection: str, key: bytes) -> tuple[bool, str | None]:
        held = self._now.collections.get(collection, {})
        return key in held, held.get(key)

    # What sessions do with it

    def commit(self, messages: Sequence[Message]) -> None:
        """Carry out all of it, or nothing."""
        self._unless_gone()
        before = self._now.copied()
        try:
            for message in messages:
                self._apply(message)
        except KernelFault:
            self._now = before
            raise

    def quota(self, table: Table, name: str) -> Quota:
        return self.quotas(table)[name] if name in self._now.quotas else _missing(name)

    def quotas(self, table: Table) -> dict[str, Quota]:  # noqa: ARG002 - there is one table
        return {
            name: Quota(limit=Octets(held.limit), used=Octets(min(held.used, held.limit)), depleted=held.depleted)
            for name, held in self._now.quotas.items()
        }

    def counter(self, table: Table, name: str) -> Counter:
        return self.counters(table)[name] if name in self._now.counters else _missing(name)

    def counters(self, table: Table) -> dict[str, Counter]:  # noqa: ARG002
        self._unless_gone()
        return {name: Counter(Octets(octets), 0) for name, octets in self._now.counters.items()}

    def elements(self, table: Table, collection: str) -> dict[bytes, str | None]:  # noqa: ARG002
        return dict(self._now.collections.get(collection, {}))

    def _unless_gone(self) -> None:
        if self._is_gone:
            raise TableGone(self.table)

    def _apply(self, message: Message) -> None:
        found = netlink.attributes(message.payload[4:])
        name = netlink.text_of(found[2])
        if message.kind in (_NEW_ELEMENT, _DELETE_ELEMENT):
            held = self._now.collections.setdefault(name, {})
            for key, target in elements_of(message.payload):
                _change(held, key, target, is_new=message.kind == _NEW_ELEMENT)
        elif netlink.number_of(found[3], "!I") == _COUNTER:
            _change(self._now.counters, name, 0, is_new=message.kind == _NEW_OBJECT)
        else:
            self._unless_pointed_at(name, message)
            quota = _quota(found[4]) if message.kind == _NEW_OBJECT else Held(0, 0)
            _change(self._now.quotas, name, quota, is_new=message.kind == _NEW_OBJECT)

    def _unless_pointed_at(self, name: str, message: Message) -> None:
        targets = [target for held in self._now.collections.values() for target in held.values()]
        if message.kind == _DELETE_OBJECT and name in targets:
            raise KernelFault(f"{name} is in use", code=errno.EBUSY)


def _change(held: dict[K, V], key: K, value: V, *, is_new: bool) -> None:
    if is_new == (key in held):
        raise KernelFault(
            f"{key!r} {'is there' if is_new else 'is missing'}", code=errno.EEXIST if is_new else errno.ENOENT
        )
    if is_new:
        held[key] = value
    else:
        del held[key]


def _quota(data: bytes) -> Held:
    found = netlink.attributes(data)
    return Held(*(struct.unpack("!Q", found[kind])[0] for kind in (1, 4)))


def _missing(name: str) -> NoReturn:
    raise KernelFault(f"no {name}", code=errno.ENOENT)
