"""What is due for an owner: what charging sweeps, and what the exchange has to do when a trade falls silent. Pure.

A trade's session is charging's, which knows no trades; so the two are swept together here.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from qanat.charging import sweep as charging
from qanat.charging.granting import session_of
from qanat.charging.metering import JournalMark, forget_quotas, tell_counted
from qanat.charging.session import Session, State
from qanat.exchange import trades
from qanat.exchange.booking import book_trade
from qanat.exchange.orders import DemandOrder, SupplyOrder, date_stopped, sweep_order
from qanat.exchange.trades import Event, Trade
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.registry.names import base_station_owner


def sweep(work: Work, owner: Owner) -> int:
    """Do what is due for one owner, then end the trades whose session has fallen silent."""
    swept = charging.sweep(work, owner, _SWEEPERS)
    for trade in work.all(Trade, owner):
        session = work.get(Session, owner, trade.id)
        if trade.running and session is not None and session.state is State.CLOSED:
            book_trade(work, trades.end(work, trade, Event.EXPIRED))
    date_stopped(work, owner)
    return swept


def _sweep_trade(work: Work, trade: Trade) -> None:
    """Forget an ended trade after its time; end one whose base station never opened a session."""
    if not trade.running:
        _forget(work, trade)
    elif work.get(Session, trade.owner, trade.id) is None:
        book_trade(work, trades.end(work, trade, Event.EXPIRED))
    else:
        work.put(replace(trade, due=None))


def _forget(work: Work, trade: Trade) -> None:
    """Forget a trade and its rows. Who confirms is told of rows that it never did, for a crash came between."""
    for journal in trade.journals:
        mark = work.get(JournalMark, trade.owner, f"{trade.base_station}/{journal}")
        if mark is not None:
            quotas = [quota for quota in mark.totals if session_of(quota) == trade.id]
            tell_counted(work, base_station_owner(trade.base_station), mark, quotas)
            forget_quotas(work, mark, quotas)
    trades.forget(work, trade)


def _sweep_supply(work: Work, order: SupplyOrder) -> None:
    sweep_order(work, order, is_needed=trades.is_supplying(work, order))


def _sweep_demand(work: Work, order: DemandOrder) -> None:
    if sweep_order(work, order, is_needed=trades.is_served(work, order)):
        trades.forget_visit(work, order)


_SWEEPERS: Final[charging.Sweepers] = {
    Trade: _sweep_trade,
    trades.TradeLink: trades.forget_link,
    SupplyOrder: _sweep_supply,
    DemandOrder: _sweep_demand,
}
