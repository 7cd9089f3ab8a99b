"""Whose operator an owner belongs to, and so who of the staff may look. Nobody ever changes operators."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from typing import Final

from qanat.ledger.work import Work
from qanat.registry.access import Caller, Staff, caller_may_serve
from qanat.registry.base_stations import find_base_station
from qanat.registry.names import name_of, staff_owner
from qanat.registry.subscribers import find_subscriber
from qanat.registry.terminals import find_terminal
from qanat.store.store import Store

_KEPT: Final = 200_000
_AT_ONCE: Final = 100
"""Strangers whose pages are read at once: requests that come in between wait for no more than these."""


class Ownership:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._operators: OrderedDict[str, str] = OrderedDict()

    async def theirs(self, caller: Caller, owners: Iterable[str]) -> set[str]:
        """Return those of the owners that the caller may look at: an administrator all, staff its operator's."""
        asked = set(owners)
        if caller.role == "administrator":
            return asked
        operators = await self.operators_of(asked)
        return {owner for owner, operator in operators.items() if caller_may_serve(caller, operator)}

    async def operators_of(self, owners: Iterable[str]) -> dict[str, str]:
        """Return the operator of each; whom we do not know yet is asked for, some at a time."""
        asked = set(owners)
        strangers = [owner for owner in asked if owner not in self._operators]
        found: list[str] = []
        for first in range(0, len(strangers), _AT_ONCE):
            found += await asyncio.gather(*map(self.operator_of, strangers[first : first + _AT_ONCE]))
        return {owner: self._operators.get(owner, "") for owner in asked} | dict(zip(strangers, found, strict=True))

    async def operator_of(self, owner: str) -> str:
        """Return the operator of a subscriber, a device or a member of staff; empty if there is none."""
        known = self._operators.get(owner)
        if known is not None:
            self._operators.move_to_end(owner)
            return known
        operator = await self._store.decide(partial(_operator_of, owner=owner))
        if operator:
            self._operators[owner] = operator
            if len(self._operators) > _KEPT:
                self._operators.popitem(last=False)
        return operator


def operators_in(work: Work, owners: Iterable[str]) -> dict[str, str]:
    """Return the operator of each, in a decision."""
    return {owner: _operator_of(work, owner) for owner in owners}


def _operator_of(work: Work, owner: str) -> str:
    kind, name = owner.partition("/")[0], name_of(owner)
    if kind == "operator":  # a member of its staff, as refusals name one
        member = work.get(Staff, staff_owner(name), name)
        return member.operator if member else ""
    finders = {"terminal": find_terminal, "base-station": find_base_station, "subscriber": find_subscriber}
    found = finders[kind](work, name) if kind in finders else None
    return found.operator if found else ""
