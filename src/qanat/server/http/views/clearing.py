"""What operators owe each other."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.exchange.clearing import after, period_of
from qanat.exchange.settlement import moved, preserves
from qanat.registry.access import Caller, caller_may_serve
from qanat.server.http.views.common import when
from qanat.server.settling import Settled
from qanat.units import Instant


class PositionView(BaseModel):
    """What an operator may claim and owes in one unit; ``net`` is what it gets, negative what it pays."""

    operator: str
    unit: str
    claims: int
    owes: int
    net: int
    by_transfers: int
    """What the transfers move for it: the same as ``net``."""


class TransferView(BaseModel):
    unit: str
    debtor: str
    creditor: str
    amount: int


class SettlementView(BaseModel):
    period: str
    ends_at: str | None
    """When the month ends, if it is the one that is running."""
    closed_at: str | None
    trades: int
    """How often trades between operators were booked: again for what was reported late. Of the operator, for its staff."""
    digest: str
    unchanged: bool
    """A closed period still comes to what it came to when it was closed."""
    preserved: bool
    """Netting left every operator with exactly what it had to get or to pay."""
    positions: list[PositionView]
    transfers: list[TransferView]
    files: list[str]
    """Operators for whom there is a file."""

    @classmethod
    def of(cls, settled: Settled, caller: Caller, *, now: Instant) -> SettlementView:
        """Return what the caller may see: staff of an operator its own position, and who pays it or is paid by it."""
        clearing = settled.clearing
        positions, transfers = clearing.positions(), clearing.transfers()
        brought = moved(transfers)

        def theirs(*operators: str) -> bool:
            return any(caller_may_serve(caller, operator) for operator in operators)

        return cls(
            period=settled.period,
            ends_at=f"{after(settled.period)}-01T00:00:00Z" if settled.period == period_of(now) else None,
            closed_at=when(settled.closed.closed_at) if settled.closed else None,
            trades=clearing.concerning[caller.operator] if caller.role == "operator" else clearing.records,
            digest=clearing.digest,
            unchanged=settled.unchanged,
            preserved=preserves(positions, transfers),
            positions=[
                PositionView(
                    operator=one.operator,
                    unit=one.unit,
                    claims=one.claims,
                    owes=one.owes,
                    net=one.net,
                    by_transfers=brought[one.operator, one.unit],
                )
                for one in positions
                if theirs(one.operator)
            ],
            transfers=[
                TransferView(unit=one.unit, debtor=one.debtor, creditor=one.creditor, amount=one.amount)
                for one in transfers
                if theirs(one.debtor, one.creditor)
            ],
            files=list(settled.files),
        )
