"""The gate of one demander: its addresses, its two counters, and its ladder of grants.

Each raise of the ceiling is one quota object in the kernel, so a grant is one object: one serves, one waits. When both
are dry the gate is shut; it opens again on the *exact* figure, which is known once the packets that were on their way
have been waited out. Waiting is the caller's (``fences``): it takes milliseconds, and others go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from qanat.agents.base_station.ground import Laid, Standing
from qanat.agents.base_station.ruleset import bound_key, down, up
from qanat.agents.kernel.climb import Climb
from qanat.agents.kernel.ladder import Key, Ladder
from qanat.agents.kernel.link import UpDown
from qanat.agents.kernel.netlink import Message
from qanat.agents.kernel.nft import TableGone
from qanat.units import Octets


class Metered:
    """Raises KernelFault, and TableGone when the counters are not there."""

    __slots__ = ("_built_on", "_climb", "_ground", "exact", "label", "link_address")

    def __init__(self, ground: Laid, label: str, *, keys: list[Key], link_address: bytes) -> None:
        self._ground = ground
        self.label = label
        self.link_address = link_address
        ladder = Ladder(table=ground.table, label=label, keys=keys, ceiling=Octets(0))
        self._climb = Climb(ground.nft, ladder)
        self._built_on: tuple[Octets, Octets] | None = None
        self.exact: Octets | None = None
        """All that has passed, while the gate is shut and nothing more can; None as long as that is not certain."""

    @classmethod
    def open(cls, ground: Laid, label: str, *, keys: list[Key], link_address: bytes) -> Self:
        """Make counters that begin at nothing and bind the addresses; nothing passes before the first raise."""
        made = cls(ground, label, keys=[], link_address=link_address)
        counters = [ground.table.add_counter(name) for name in (up(label), down(label))]
        bindings = [change for key in keys for change in made._binding(key)]
        made._climb.commit(counters + bindings)
        made.keys.extend(keys)
        made.exact = Octets(0)
        return made

    @classmethod
    def adopt(cls, ground: Laid, label: str, standing: Standing) -> Self:
        """Take over what stands in the kernel."""
        found = cls(ground, label, keys=standing.keys, link_address=standing.link_address)
        found._climb.adopt(standing.quotas)
        return found

    @property
    def keys(self) -> list[Key]:
        return self._climb.ladder.keys

    @property
    def ceiling(self) -> Octets:
        return self._climb.ladder.ceiling

    @property
    def is_shut(self) -> bool:
        return self._climb.ladder.is_shut

    @property
    def spent(self) -> Octets:
        """Running total up to which every rung ran dry."""
        return self._climb.ladder.spent

    def reading(self) -> UpDown:
        counted = self._ground.reading(self.label)
        if counted is None:
            raise TableGone(self._ground.table)
        return counted

    def raise_to(self, ceiling: Octets, *, ends: tuple[Octets, ...] = ()) -> None:
        """Let octets pass up to this running total; behind a shut gate, as soon as the exact figure is known.

        ``ends`` says where the grants end of which it is made up, so that each has a rung.
        """
        self._climb.ladder.ceiling, self._climb.ladder.ends = ceiling, ends
        if not self.is_shut:
            self._climb.extend()
        elif self.exact is not None:
            self._rebuild(least=1)

    def ran_dry(self, names: Iterable[str]) -> bool:
        """Rotate past these; return whether the gate is shut by it and a fence is needed."""
        self._climb.heard(names)
        return self._rotate()

    def look(self) -> bool:
        """Ask the kernel which rungs are dry, since its events were lost; otherwise like ``ran_dry``."""
        self._climb.look()
        return self._rotate()

    def shut(self) -> None:
        """Let nothing pass any more; after the next fence ``fenced`` gives the final count."""
        if not self.is_shut:
            self.exact = self._built_on = None
            self._climb.fence()

    def fenced(self) -> UpDown:
        """The packets that were on their way have arrived: what is counted now is exact as long as the gate is shut."""
        counted = self.reading()
        if self.is_shut:
            self.exact = counted.total
        return counted

    def reopen(self) -> bool:
        """Give back the remainders, under one packet each, if they amount to a packet; return whether the gate is open."""
        if self.is_shut and self.exact is not None:
            self._rebuild(least=self._ground.mtu)
        return not self.is_shut

    def lower_to_exact(self) -> None:
        """Forget what was allowed beyond what has passed."""
        assert self.exact is not None, "only a shut gate has an exact figure"
        self._climb.ladder.ceiling = self.exact

    def add_key(self, key: Key) -> None:
        """Let the demander use this address too."""
        self._climb.commit([*self._binding(key), *self._climb.ladder.add_key(key)])

    def unbind(self) -> None:
        """Free the addresses for somebody else; the counters stay until ``remove``."""
        self.shut()
        self._climb.commit([change for key in self.keys for change in self._unbinding(key)])
        self.keys.clear()

    def bind(self, keys: list[Key], link_address: bytes) -> None:
        """Let the demander go on from another place."""
        self.unbind()
        self.link_address = link_address
        self._climb.commit([change for key in keys for change in self._binding(key)])
        self.keys.extend(keys)

    def remove(self) -> None:
        if self.keys or not self.is_shut:
            self.unbind()
        self._climb.commit([self._ground.table.delete_counter(name) for name in (up(self.label), down(self.label))])

    def _rotate(self) -> bool:
        if self._climb.rotate() and self.is_shut:
            self.exact = None
            return True
        return False

    def _rebuild(self, *, least: int) -> None:
        """Not twice on the same figures: the packet that did not fit would not fit again."""
        assert self.exact is not None, "a shut gate opens on an exact figure only"
        figures = (self.ceiling, self.exact)
        if self.ceiling - self.exact >= least and figures != self._built_on:
            self._built_on = figures
            self._climb.rebuild(passed=self.exact)
            self.exact = None

    def _binding(self, key: Key) -> list[Message]:
        table = self._ground.table
        return [
            table.add_element(f"bound{key.suffix}", bound_key(self.link_address, key)),
            table.add_element(f"up_of{key.suffix}", key.octets, target=up(self.label)),
            table.add_element(f"dn_of{key.suffix}", key.octets, target=down(self.label)),
        ]

    def _unbinding(self, key: Key) -> list[Message]:
        table = self._ground.table
        return [
            table.delete_element(f"bound{key.suffix}", bound_key(self.link_address, key)),
            table.delete_element(f"up_of{key.suffix}", key.octets),
            table.delete_element(f"dn_of{key.suffix}", key.octets),
        ]
