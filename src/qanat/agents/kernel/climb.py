"""One ladder on its way through the kernel: commits what ``ladder`` builds and knows which rungs are said to be dry.

Whoever owns it brings the kernel's depletion events and the exact figures; what a shut ladder means is the owner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from qanat.agents.kernel.ladder import Ladder
from qanat.agents.kernel.netlink import KernelFault, Message
from qanat.agents.kernel.nft import Quota, Table
from qanat.units import Octets


class Objects(Protocol):
    """The part of ``Nft`` that a ladder is climbed on. Raises KernelFault."""

    def commit(self, messages: Sequence[Message]) -> None: ...

    def quota(self, table: Table, name: str) -> Quota: ...

    def quotas(self, table: Table) -> dict[str, Quota]: ...


class Climb:
    """Raises KernelFault; then the ladder is again what stands in the kernel."""

    __slots__ = ("_dry", "_nft", "ladder")

    def __init__(self, nft: Objects, ladder: Ladder) -> None:
        self.ladder = ladder
        self._nft = nft
        self._dry: set[str] = set()

    def adopt(self, quotas: Mapping[str, Quota]) -> None:
        """Take over the rungs that stand under the ladder's label."""
        self.ladder.adopt(quotas)
        standing = {self.ladder.name(rung) for rung in self.ladder.rungs}
        self._dry = {name for name in standing if quotas[name].depleted}
        if self.ladder.rungs:
            serving = self.ladder.rungs[0]
            self.ladder.spent = Octets(serving.ceiling - quotas[self.ladder.name(serving)].limit)

    def heard(self, names: Iterable[str]) -> None:
        """Remember that the kernel said these to be dry."""
        self._dry.update(names)

    def rotate(self) -> int:
        """Rotate past every rung that is dry; return past how many."""
        count = 0
        while self.ladder.rungs and (name := self.ladder.name(self.ladder.rungs[0])) in self._dry:
            self._dry.remove(name)
            self.commit(self.ladder.rotate())
            # It may have run dry in the moment in which it was moved.
            self.look(serving_only=True)
            count += 1
        return count

    def extend(self) -> None:
        self.commit(self.ladder.extend())

    def rebuild(self, *, passed: Octets) -> None:
        self.commit(self.ladder.rebuild(passed=passed))

    def fence(self) -> None:
        self.commit(self.ladder.fence())

    def look(self, *, serving_only: bool = False) -> None:
        """Ask the kernel which rungs are dry."""
        for rung in self.ladder.rungs[: 1 if serving_only else 2]:
            if self._nft.quota(self.ladder.table, self.ladder.name(rung)).depleted:
                self._dry.add(self.ladder.name(rung))

    def commit(self, changes: Sequence[Message]) -> None:
        try:
            self._nft.commit(changes)
        except KernelFault:
            self.adopt(self._nft.quotas(self.ladder.table))
            raise
