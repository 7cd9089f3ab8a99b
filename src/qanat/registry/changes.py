"""The log of who changed what: one record for each command of the staff, written by the decision that carries it out.

It can't be missing where something was changed, and can't be there where nothing was. Secrets are never in it.
"""

from __future__ import annotations

import re
from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.registry.access import Caller, Role
from qanat.units import DAY, Instant, Millis, later

REMEMBERED: Final = Millis(400 * DAY)
"""More than a year, so that the yearly look-through finds a whole one."""
_FIGURES: Final = 10**15
"""Above every instant: its difference sorts the newest first."""
_PLACE: Final = re.compile(r"\d{15}/.+", re.ASCII)


class Change(Record, frozen=True, kw_only=True):
    who: str
    role: Role
    operator: str = ""
    """Whom the person worked for; empty is the installation."""
    act: str
    """What was done, as the decision names it: ``plan created``."""
    target: str
    """On what: the path of the command without ``/v1/``."""
    said: dict[str, str] = {}
    """What the command said, shortened, without secrets."""
    at: Instant

    @property
    def label(self) -> str:
        return f"{_FIGURES - self.at:015}/{self.id}"


def is_place(text: str) -> bool:
    """Tell whether this could be a change's label, to go on behind."""
    return _PLACE.fullmatch(text) is not None


def note_change(work: Work, caller: Caller, *, id: str, target: str, said: dict[str, str]) -> None:
    """Write down what this decision did. Call it last: it takes the decision's own name for what was done."""
    work.put(
        Change(
            owner=Owner(f"change/{id}"),
            id=id,
            who=caller.who,
            role=caller.role,
            operator=caller.operator,
            act=work.act or "changed",
            target=target,
            said=said,
            at=work.now,
            due=later(work.now, REMEMBERED),
        )
    )
