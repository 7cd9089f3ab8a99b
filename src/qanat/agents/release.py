"""What ``release`` is for a terminal and a base station alike: a gate goes only when its final count is in the journal.

What is owed is in the journal then, too: the next agent on it reports, and returns what is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from qanat.agents.actions import Action, Change, Commit, Shut
from qanat.agents.holder import Holder
from qanat.agents.holding import Totals
from qanat.units import Instant, Octets


class Released(msgspec.Struct, frozen=True, kw_only=True):
    interface: str
    is_there: bool
    unreported: Octets
    """What the journal still has to report."""

    @property
    def sentence(self) -> str:
        how = "is" if self.is_there else "is not there: its gate is taken down, and when it comes it is"
        return f"{self.interface} {how} open and no longer metered; {self.unreported:,} octets wait to be reported."


def stays_shut(interface: str, *, device: str) -> str:
    """Say what an agent leaves behind that stops, and what there is to do about it."""
    return f"{interface} stays shut: `qanat {device} run` goes on, `qanat {device} release` opens it unmetered"


def settle(holder: Holder, now: Instant, final: Totals | None, *, commit: Callable[[tuple[Change, ...]], None]) -> None:
    """Charge what a gate has counted that is shut, end what was held, and charge nothing that its counters say later.

    ``commit`` is durable. Repeating is safe.
    """

    def carry_out(asked: Iterable[Action]) -> None:
        actions = deque(asked)
        while actions:
            match actions.popleft():
                case Commit(changes):
                    commit(changes)
                case Shut():
                    actions.extend(holder.fenced(now, final))

    carry_out(holder.start(now, final, link=False))
    carry_out(holder.tick(now, None))
