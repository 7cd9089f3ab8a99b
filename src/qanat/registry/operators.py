"""Operators: who owns plans, subscribers and a pool of cloud SIMs."""

from __future__ import annotations

from typing import Final

from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import operator_owner
from qanat.units import Instant

HOME: Final = "home"
"""The operator that exists from the first start, so that a small installation never has to name one."""


class Operator(Record, frozen=True, kw_only=True):
    display_name: str = ""
    created_at: Instant


def create_operator(work: Work, *, name: str, display_name: str = "") -> Operator | Refused:
    if find_operator(work, name):
        return Refused(Refusal.NAME_TAKEN, {"thing": f"Operator {name}"})
    operator = Operator(owner=operator_owner(name), id=name, display_name=display_name, created_at=work.now)
    work.put(operator)
    work.act = "operator created"
    return operator


def find_operator(work: Work, name: str) -> Operator | None:
    return work.get(Operator, operator_owner(name), name)


def require_operator(work: Work, name: str) -> Operator | Refused:
    return find_operator(work, name) or Refused(Refusal.UNKNOWN_OPERATOR, {"operator": name})
