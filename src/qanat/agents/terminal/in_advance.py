"""The gate of an interface that is not there (yet): it stands shut under the interface's name, whoever deletes it.

Where this machine or this interface can have none, nothing stands: another kind of gate has to do, as soon as the
interface is there.
"""

from __future__ import annotations

from contextlib import suppress

from qanat.agents.kernel.lay import NftMissing
from qanat.agents.kernel.netlink import EventsLost, KernelFault
from qanat.agents.kernel.nft import Depletions, TableGone
from qanat.agents.terminal.gate_table import NeverGated, lay_in_advance, table_for


class InAdvance:
    """Raises ForeignTable and BadInput."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._deletions: Depletions | None = None

    def stand(self) -> None:
        """Have a shut gate stand, if none does, and hear from now on when somebody deletes it."""
        with suppress(NeverGated, NftMissing, KernelFault):
            lay_in_advance(self._interface)  # first: who may not do this may not listen either
            self._deletions = self._deletions or Depletions(table_for(self._interface))
            lay_in_advance(self._interface)

    @property
    def stands(self) -> bool:
        """Whether it stands and is listened for."""
        return self._deletions is not None

    def describe(self) -> str:
        """Say in a sentence what stands for the interface that is not there."""
        if not self.stands:
            return "none: the interface is not there"
        return f"{self._interface} is not there, and the kernel has it shut when it comes"

    def fileno(self) -> int | None:
        return None if self._deletions is None else self._deletions.fileno()

    def take(self) -> bool:
        """Lay it again if somebody deleted it; return whether that was so. Never waits."""
        assert self._deletions is not None, "who does not stand is not deleted"
        try:
            self._deletions.take()
        except (TableGone, EventsLost):
            self.stand()
            return True
        return False

    def close(self) -> None:
        """Leave it standing, and listen no more."""
        if self._deletions is not None:
            self._deletions.close()
            self._deletions = None
