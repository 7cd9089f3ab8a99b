"""``qanat terminal release``: after a stop the interface stays shut; this opens it again, unmetered, as it was found.

What the gate has counted by then goes into the journal first and is reported by the next ``qanat terminal run``.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from pathlib import Path

from qanat.agents.actions import Action, Commit, Shut
from qanat.agents.channel import read_server
from qanat.agents.claim import claim
from qanat.agents.holder import Holder
from qanat.agents.holding import Totals
from qanat.agents.journal import Journal
from qanat.agents.log import Log
from qanat.agents.signalling import endpoints_now
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.assemble import journal_path
from qanat.agents.terminal.choose_gate import choose_gate
from qanat.agents.terminal.gate import Gate, Reading
from qanat.clock import Clock
from qanat.units import Octets


def release(state: Path, *, interface: str | None, log: Log, clock: Clock) -> Octets:
    """Take the gate down; return what the journal still has to report.

    Raises JournalInUse or InterfaceInUse while an agent runs.
    """
    identity = identities.load(state)
    interface = interface or identity.interface
    with closing(Journal(journal_path(state))) as journal, claim("terminal", interface):
        signalling = endpoints_now(read_server(identity.server), log)
        gate = choose_gate(interface, signalling=signalling)
        holder = Holder(journal.load())
        actions: deque[Action] = deque(holder.start(clock.now(), _charge(gate, gate.reading()), link=False))
        while actions:
            match actions.popleft():
                case Commit(changes):
                    journal.commit(changes)
                case Shut():
                    actions.extend(holder.fenced(clock.now(), _charge(gate, gate.close())))
        gate.remove()
        return holder.book.unreported


def _charge(gate: Gate, reading: Reading) -> Totals:
    return Totals(source=gate.meter, up=reading.passed.up, down=reading.passed.down)
