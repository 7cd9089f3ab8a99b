"""Trades, what is owed for them, statements and disputes."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from qanat.exchange.disputes import Dispute
from qanat.exchange.obligations import Statement
from qanat.exchange.obtained import TradeShare
from qanat.exchange.trades import Trade
from qanat.registry.names import subscriber_owner
from qanat.server.http.views.common import Listed, when
from qanat.server.http.views.orders import PriceView
from qanat.units import format_instant


class TradeView(BaseModel):
    trade: str
    order: str
    supplier: str
    demander: str
    terminal: str
    base_station: str
    state: str
    cause: str
    octets: int
    """Posted against the supplier so far."""
    excess: int
    seen_by_terminal: int | None
    price: PriceView
    opened_at: str
    ended_at: str | None

    @classmethod
    def of(cls, trade: Trade) -> TradeView:
        return cls(
            trade=trade.id,
            order=trade.order,
            supplier=trade.supplier,
            demander=trade.demander,
            terminal=trade.terminal,
            base_station=trade.base_station,
            state=trade.state,
            cause=trade.cause,
            octets=trade.counted,
            excess=trade.excess,
            seen_by_terminal=trade.seen_by_terminal,
            price=PriceView.of(trade.price),
            opened_at=format_instant(trade.opened_at),
            ended_at=when(trade.ended_at),
        )


class ObtainedView(BaseModel):
    trade: str
    supplier: str
    base_station: str
    octets: int
    unit: str
    amount: int
    opened_at: str
    booked_at: str

    @classmethod
    def of(cls, share: TradeShare) -> ObtainedView:
        return cls(
            trade=share.id,
            supplier=share.supplier,
            base_station=share.base_station,
            octets=share.octets,
            unit=share.unit,
            amount=share.amount,
            opened_at=format_instant(share.opened_at),
            booked_at=format_instant(share.booked_at),
        )


class TradesView(BaseModel):
    given: list[TradeView]
    obtained: list[ObtainedView]


class ObligationView(BaseModel):
    obligation: str
    debtor: str
    creditor: str
    unit: str
    amount: int
    left: int
    since: str


class OffsetView(BaseModel):
    """So much of ``obligation`` was paid with ``paid_with``, an obligation in the other direction or a payment."""

    obligation: str
    paid_with: str
    unit: str
    amount: int
    at: str


class StatementView(BaseModel):
    other: str
    net: dict[str, int]
    """Per unit; positive is what the other owes."""
    obligations: list[ObligationView]
    offsets: list[OffsetView]

    @classmethod
    def of(cls, statement: Statement) -> StatementView:
        return cls(
            other=statement.other,
            net=statement.net,
            obligations=[
                ObligationView(
                    obligation=one.id,
                    debtor=one.debtor,
                    creditor=one.creditor,
                    unit=one.unit,
                    amount=one.amount,
                    left=one.left,
                    since=format_instant(one.since),
                )
                for one in statement.obligations
            ],
            offsets=[
                OffsetView(
                    obligation=one.obligation,
                    paid_with=one.paid_with,
                    unit=one.unit,
                    amount=one.amount,
                    at=format_instant(one.at),
                )
                for one in statement.offsets
            ],
        )


class DisputeView(BaseModel):
    dispute: str
    trade: str
    about: str
    supplier: str
    supplier_operator: str
    """Its staff and the demander's operator's may settle it."""
    demander: str
    demander_operator: str
    base_station: str
    ledger: int
    by_base_station: int
    by_terminal: int | None
    opened_at: str
    settled_at: str | None
    note: str

    @classmethod
    def of(cls, dispute: Dispute, operators: Mapping[str, str]) -> DisputeView:
        """``operators`` are at least those of the two sides, by owner."""
        return cls(
            dispute=dispute.id,
            trade=dispute.trade,
            about=dispute.about,
            supplier=dispute.supplier,
            supplier_operator=operators[subscriber_owner(dispute.supplier)],
            demander=dispute.demander,
            demander_operator=operators[subscriber_owner(dispute.demander)],
            base_station=dispute.base_station,
            ledger=dispute.ledger,
            by_base_station=dispute.by_base_station,
            by_terminal=dispute.by_terminal,
            opened_at=format_instant(dispute.opened_at),
            settled_at=when(dispute.settled_at),
            note=dispute.note,
        )


class PaymentView(BaseModel):
    payment: str
    to: str
    amount: int
    currency: str


class TradeList(Listed):
    trades: list[TradeView]


class StatementList(BaseModel):
    statements: list[StatementView]


class DisputeList(Listed):
    disputes: list[DisputeView]
