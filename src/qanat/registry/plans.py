"""Plans on sale: so many octets, for so many days, at a price, and how they are handed out in quotas.

What a subscriber owns after buying is a bucket in the ledger; it keeps the terms it was bought under.
"""

from __future__ import annotations

from msgspec.structs import replace

from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import plan_owner
from qanat.registry.operators import require_operator
from qanat.units import Instant, MinorUnits, Octets, Unit


class Plan(Record, frozen=True, kw_only=True):
    operator: str
    octets: Octets
    """How much; octets, unless ``unit`` says otherwise."""
    valid_days: int
    price: MinorUnits
    currency: str
    priority: int = 100
    """Lower is used first."""
    quota_octets: Octets = Octets(0)
    """How much one quota holds unless more is needed; 0 leaves it to the server."""
    all_or_nothing: bool = False
    stock: int | None = None
    """How many may be sold in all; None is without limit."""
    sold: int = 0
    """Counted only where there is a stock, so that an ordinary plan is never a place where all buyers queue."""
    withdrawn: bool = False
    unit: Unit = "octets"
    created_at: Instant


def create_plan(work: Work, plan: Plan) -> Plan | Refused:
    operator = require_operator(work, plan.operator)
    if isinstance(operator, Refused):
        return operator
    if find_plan(work, plan.id):
        return Refused(Refusal.NAME_TAKEN, {"thing": f"Plan {plan.id}"})
    work.put(plan)
    work.act = "plan created"
    return plan


def withdraw_plan(work: Work, *, name: str) -> Plan | Refused:
    """Take a plan off sale; buckets bought before stay as they are. Repeating is safe."""
    plan = find_plan(work, name)
    if plan is None:
        return Refused(Refusal.UNKNOWN_PLAN, {"plan": name})
    plan = replace(plan, withdrawn=True)
    work.put(plan)
    work.act = "plan withdrawn"
    return plan


def find_plan(work: Work, name: str) -> Plan | None:
    return work.get(Plan, plan_owner(name), name)


def plan_on_sale(work: Work, name: str, *, operator: str) -> Plan | Refused:
    """Return the plan if a subscriber of this operator may buy it now."""
    plan = find_plan(work, name)
    if plan is None or plan.withdrawn or plan.operator != operator:
        return Refused(Refusal.UNKNOWN_PLAN, {"plan": name})
    if plan.stock is not None and plan.sold >= plan.stock:
        return Refused(Refusal.PLAN_SOLD_OUT, {"plan": name, "stock": plan.stock})
    return plan


def count_sale(work: Work, plan: Plan) -> None:
    if plan.stock is not None:
        work.put(replace(plan, sold=plan.sold + 1))
