"""``qanat terminal release``: after a stop the interface stays shut; this opens it again, unmetered, as it was found.

What the gate has counted by then goes into the journal first and is reported by the next ``qanat terminal run``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from qanat.agents.channel import read_server
from qanat.agents.claim import claim
from qanat.agents.holder import Holder
from qanat.agents.holding import Totals
from qanat.agents.journal import Journal
from qanat.agents.kernel.link import NoSuchInterface
from qanat.agents.kernel.nft import Nft
from qanat.agents.log import Log
from qanat.agents.release import Released, settle
from qanat.agents.signalling import endpoints_now
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.assemble import journal_path
from qanat.agents.terminal.choose_gate import choose_gate, not_permitted
from qanat.agents.terminal.gate_table import laid_in, table_for
from qanat.agents.terminal.look import of_gate
from qanat.clock import Clock


def release(state: Path, *, interface: str | None, log: Log, clock: Clock) -> Released:
    """Take the gate down, also that of an interface that is away: it comes back open.

    Raises JournalInUse or InterfaceInUse while an agent runs, NoSuchInterface where there is neither interface nor gate, and
    KernelFault without permission.
    """
    identity = identities.load(state)
    name = interface or identity.interface
    with closing(Journal(journal_path(state))) as journal, claim("terminal", name):
        signalling = endpoints_now(read_server(identity.server), log)
        holder = Holder(journal.load())
        try:
            gate = choose_gate(name, signalling=signalling)
        except NoSuchInterface:
            with closing(Nft()) as nft:
                if laid_in(nft, table_for(name)) is None:
                    raise
                final = of_gate(name)  # nothing passes where no interface is
                settle(holder, clock.now(), final, commit=journal.commit)
                nft.commit([table_for(name).delete()])
            return Released(interface=name, is_there=False, unreported=holder.book.unreported)
        if not gate.stays_shut:
            gate.detach()
            raise not_permitted()  # what stands, if anything does, can neither be read nor taken down
        passed = gate.close().passed
        settle(holder, clock.now(), Totals(source=gate.meter, up=passed.up, down=passed.down), commit=journal.commit)
        gate.remove()
        return Released(interface=name, is_there=True, unreported=holder.book.unreported)
