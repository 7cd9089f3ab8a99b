"""``qanat terminal release``: after a stop the interface stays shut; this opens it again, unmetered, as it was found.

What the gate has counted by then goes into the journal first and is reported by the next ``qanat terminal run``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from qanat.agents.actions import Action, Commit, Shut
from qanat.agents.channel import read_server
from qanat.agents.claim import claim
from qanat.agents.holder import Holder
from qanat.agents.holding import Totals
from qanat.agents.journal import Journal
from qanat.agents.kernel.link import NoSuchInterface
from qanat.agents.kernel.nft import Nft
from qanat.agents.log import Log
from qanat.agents.signalling import endpoints_now
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.assemble import journal_path
from qanat.agents.terminal.choose_gate import choose_gate
from qanat.agents.terminal.gate import Gate, Reading
from qanat.agents.terminal.gate_table import laid_in, table_for
from qanat.agents.terminal.look import of_gate
from qanat.clock import Clock
from qanat.units import Octets


class Released(msgspec.Struct, frozen=True, kw_only=True):
    interface: str
    is_there: bool
    unreported: Octets
    """What the journal still has to report."""


def release(state: Path, *, interface: str | None, log: Log, clock: Clock) -> Released:
    """Take the gate down, also that of an interface that is away: it comes back open.

    Raises JournalInUse or InterfaceInUse while an agent runs, and NoSuchInterface where there is neither interface nor gate.
    """
    identity = identities.load(state)
    name = interface or identity.interface
    with closing(Journal(journal_path(state))) as journal, claim("terminal", name):
        signalling = endpoints_now(read_server(identity.server), log)
        try:
            gate = choose_gate(name, signalling=signalling)
        except NoSuchInterface:
            with closing(Nft()) as nft:
                if laid_in(nft, table_for(name)) is None:
                    raise
                left = partial(of_gate, name)  # nothing passes where no interface is
                unreported = _book(journal, clock, charge=left, shut=left)
                nft.commit([table_for(name).delete()])
            return Released(interface=name, is_there=False, unreported=unreported)
        unreported = _book(
            journal,
            clock,
            charge=lambda: _charge(gate, gate.reading()),
            shut=lambda: _charge(gate, gate.close()),
        )
        gate.remove()
        return Released(interface=name, is_there=True, unreported=unreported)


def _book(
    journal: Journal, clock: Clock, *, charge: Callable[[], Totals | None], shut: Callable[[], Totals | None]
) -> Octets:
    """Take what was counted into the journal; return what it still has to report."""
    holder = Holder(journal.load())
    actions: deque[Action] = deque(holder.start(clock.now(), charge(), link=False))
    while actions:
        match actions.popleft():
            case Commit(changes):
                journal.commit(changes)
            case Shut():
                actions.extend(holder.fenced(clock.now(), shut()))
    return holder.book.unreported


def _charge(gate: Gate, reading: Reading) -> Totals:
    return Totals(source=gate.meter, up=reading.passed.up, down=reading.passed.down)
