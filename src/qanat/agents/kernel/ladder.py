"""The ladder: octets are allowed in rungs, and the next rung already serves when one runs dry.

Two quota objects stand in the kernel: the serving one in map ``a_of``, the waiting one in ``b_of``. A renewal moves the
waiting rung up and puts a new one behind it in one transaction that reads no kernel value, so nothing can be lost or
counted twice. When no rung is left the gate is shut and what has passed stands still; then it is built anew from the
ceiling and that exact figure, which also gives back the remainder, under one packet, of every rung before it.

Decides which messages to commit; committing them, hearing depletion and counting are the gate's. A *ceiling* is a
running total: the octets that may have passed since the counters began. A rung's name carries its number and its
ceiling, so that after a crash the kernel itself says where the ladder stood.
Source: measured; raising a limit in place, or reading ``used`` and building on it, loses octets or gives some away.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from qanat.agents.kernel.netlink import Message
from qanat.agents.kernel.nft import NO_OCTETS, Table
from qanat.units import Octets

_NAME: Final = re.compile(r"rung_(.+)_(\d+)_(\d+)")


def label_of(name: str) -> str | None:
    """Return whose rung a quota is; None for a quota that is no rung."""
    match = _NAME.fullmatch(name)
    return None if match is None else match[1]


@dataclass(frozen=True, slots=True, order=True)
class Rung:
    number: int
    ceiling: Octets


@dataclass(frozen=True, slots=True)
class Key:
    """One name under which the party is found: the element, in the maps whose names end so (``a_of4``, ``a_of6``)."""

    suffix: str
    octets: bytes


@dataclass(slots=True, kw_only=True)
class Ladder:
    """One metered party's rungs. ``keys`` are its elements in the maps, ``label`` makes its quota names unique."""

    table: Table
    label: str
    keys: list[Key]
    ceiling: Octets
    """What the owner allows; the rungs reach it as soon as one of the two places is free."""
    ends: tuple[Octets, ...] = ()
    """Running totals below the ceiling at which one rung is to end and the next to begin, as grants do."""
    rungs: list[Rung] = field(default_factory=list)
    """Serving, waiting: at most two, and none when the gate is shut."""
    numbered: int = 0
    """The highest number used so far."""
    spent: Octets = NO_OCTETS
    """Running total up to which every rung ran dry, each with less than a packet left over; 0 once that was given back."""

    @property
    def is_shut(self) -> bool:
        return not self.rungs

    @property
    def reach(self) -> Octets:
        """The ceiling of what stands in the kernel."""
        return self.rungs[-1].ceiling if self.rungs else Octets(0)

    def name(self, rung: Rung) -> str:
        return f"rung_{self.label}_{rung.number}_{rung.ceiling}"

    def extend(self) -> list[Message]:
        """Put the next rung into the free place, if there is one and something to allow."""
        if len(self.rungs) != 1 or self.reach == self.ceiling:
            return []
        end = self._end_after(self.reach)
        return self._add("b_of", end, limit=Octets(end - self.reach))

    def rotate(self) -> list[Message]:
        """The serving rung is dry: the waiting one takes its place, and a new one waits if there is more to allow."""
        dry = self.rungs[0]
        changes = self._clear("a_of")
        if len(self.rungs) == 2:
            changes += self._clear("b_of") + self._fill("a_of", self.rungs[1])
        changes.append(self.table.delete_quota(self.name(dry)))
        del self.rungs[0]
        self.spent = dry.ceiling
        return changes + self.extend()

    def rebuild(self, *, passed: Octets) -> list[Message]:
        """Open a shut gate from what has passed, exactly, to the ceiling.

        In two rungs if there is an end between: the owner hears of it while the second serves. In a single one it
        would hear only when the gate is shut again, and so again and again.
        """
        assert self.is_shut, "only a shut gate has an exact figure to build on"
        end, self.spent = self._end_after(passed), NO_OCTETS
        return self._add("a_of", end, limit=end, used=passed) + self.extend()

    def fence(self) -> list[Message]:
        """Take every rung away: after this commit no new packet passes."""
        elements = [change for place, _ in self._places() for change in self._clear(place)]
        quotas = [self.table.delete_quota(self.name(rung)) for rung in self.rungs]
        self.rungs.clear()
        self.spent = NO_OCTETS
        return elements + quotas

    def add_key(self, key: Key) -> list[Message]:
        """Let the party be found under this name too."""
        self.keys.append(key)
        return [self._element(place, key, rung) for place, rung in self._places()]

    def adopt(self, names: Collection[str]) -> None:
        """Take over the rungs that the kernel holds under this label."""
        found = [match for name in names if (match := _NAME.fullmatch(name)) and match[1] == self.label]
        self.rungs = sorted(Rung(int(match[2]), Octets(int(match[3]))) for match in found)
        assert len(self.rungs) <= 2, "rotation is one transaction, so never more than two rungs stand"
        if self.rungs:
            self.numbered, self.ceiling = self.rungs[-1].number, self.reach

    def _end_after(self, total: Octets) -> Octets:
        return next((end for end in self.ends if total < end < self.ceiling), self.ceiling)

    def _add(self, place: str, end: Octets, *, limit: Octets, used: Octets = NO_OCTETS) -> list[Message]:
        self.numbered += 1
        rung = Rung(self.numbered, end)
        self.rungs.append(rung)
        return [self.table.add_quota(self.name(rung), limit=limit, used=used), *self._fill(place, rung)]

    def _places(self) -> list[tuple[str, Rung]]:
        return list(zip(("a_of", "b_of"), self.rungs, strict=False))

    def _fill(self, place: str, rung: Rung) -> list[Message]:
        return [self._element(place, key, rung) for key in self.keys]

    def _element(self, place: str, key: Key, rung: Rung) -> Message:
        return self.table.add_element(place + key.suffix, key.octets, target=self.name(rung))

    def _clear(self, place: str) -> list[Message]:
        return [self.table.delete_element(place + key.suffix, key.octets) for key in self.keys]
