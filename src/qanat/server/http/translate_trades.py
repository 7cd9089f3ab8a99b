"""From base stations' messages to the exchange and credit control, and back. Pure.

Here the two rooms meet that do not know each other: the exchange says who may, how much and until when; credit control
grants, posts and remembers answers, in a session that has the trade's name (docs/decisions/0007).

Rows are counted on the page of the supplier they concern, each page a decision of its own, and confirmed on the base
station's page when all of that is durable. Rows are cumulative and each page knows what it has counted, so stopping
anywhere between and starting over counts nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Final
from zlib import crc32

import msgspec
from msgspec.structs import replace as with_changes

from qanat.charging.credit_control import interrogate, report
from qanat.charging.granting import session_of
from qanat.charging.interrogation import Ask, Bound, Interrogation, Use
from qanat.charging.metering import Ingested, ingest
from qanat.charging.quota import Policy
from qanat.charging.session import Event, Session
from qanat.exchange import disputes, identity, trades
from qanat.exchange.authorise import Demander, authorise, identify, still_authorised
from qanat.exchange.booking import book_trade, excess_under_way, foresee, report_excess
from qanat.exchange.bounds import bounded_out, room
from qanat.exchange.obtained import obtained
from qanat.exchange.prices import OCTET_FOR_OCTET
from qanat.exchange.recall import recalled_at
from qanat.exchange.trades import Trade
from qanat.ids import Owner, QuotaId, SessionId
from qanat.ledger import book
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import base_station_or_refused
from qanat.registry.names import base_station_owner, subscriber_owner, terminal_owner
from qanat.registry.refused import remember
from qanat.registry.terminals import Terminal
from qanat.server.http.translate import quota_of, refusal_body, refusal_of
from qanat.units import MINUTE, Millis, Octets, later
from qanat.wire import agent
from qanat.wire import base_station as wire

LENT_FOR: Final = Millis(10 * MINUTE)
"""Quotas on other people's octets are short: a supplier who stops is heard by then even at a base station cut off."""


def admission(
    work: Work, policy: Policy, base_station: str, asked: wire.Admission, *, id: str, offered_by: tuple[str, ...]
) -> wire.Admitted | Refused:
    """Admit a demander or tell why not. Repeating gives the same answer. Raises BadInput."""
    here = base_station_owner(base_station)
    found = identify(work, base_station, asked)
    if isinstance(found, Refused):
        remember(work, found, who=here)
        return found
    station, demander = found
    trade = authorise(work, station, demander, id=id, offered_by=offered_by)
    if isinstance(trade, Refused):
        remember(work, trade, who=demander.subscriber.owner, by=here)
        return trade
    if trade.id == id:
        trade = _open(work, trade, demander)
    return _admitted(work, policy, trade)


def counted_interrogation(
    work: Work, policy: Policy, base_station: str, message: agent.Interrogation
) -> agent.InterrogationAnswer | Refused:
    """Count the rows of the trade a question is about, then answer it. Rows of other trades are left to their pages."""
    rows = [row for row in message.report.rows if session_of(row.quota) == message.session]
    trade = trades.trade_at(work, base_station, message.session)
    if trade is not None and rows:
        refused = count_rows(work, base_station, trade.supplier, with_changes(message.report, rows=rows))
        if refused is not None:
            return refused
    return interrogation(work, policy, base_station, message)


def interrogation(
    work: Work, policy: Policy, base_station: str, message: agent.Interrogation
) -> agent.InterrogationAnswer | Refused:
    """Answer a base station's question about one of its trades; its rows have been counted, confirming is for others."""
    trade = trades.trade_at(work, base_station, message.session)
    if trade is None:
        return Refused(Refusal.UNKNOWN_SESSION, {"session": message.session})
    if message.kind == "final":
        foresee(work, trade)
    session = work.get(Session, trade.owner, trade.id)
    if session is None and not trade.running:
        return trades.order_over(work, trade) or Refused(Refusal.SESSION_CLOSED, {"session": message.session})
    repeated = session is not None and session.has_seen(message.number)
    returned = tuple(QuotaId(quota) for quota in message.returns)
    if not repeated:
        trade = trades.take_back(work, trade, returned)
    question = _question(work, trade, base_station, message)
    answer = interrogate(work, lending(policy), question)
    if not repeated and answer.refusal is None:
        trade = trades.promise(work, trade, {grant.quota: grant.octets for grant in answer.grants if grant.quota})
        if message.kind == "final":
            book_trade(work, trades.end(work, trade, trades.Event.FINAL))
    refused = refusal_of(answer)
    if answer.refusal is Refusal.SESSION_CLOSED:
        refused = trades.order_over(work, trade) or refused
    if refused is not None:
        remember(
            work,
            refused,
            who=subscriber_owner(trade.demander),
            by=base_station_owner(base_station),
            session=message.session,
        )
    return agent.InterrogationAnswer(
        session=message.session,
        number=message.number,
        acked=0,
        quotas=[quota_of(grant) for grant in answer.grants if grant.refusal is None],
        refusal=None if refused is None else refusal_body(refused),
        report_interval_s=policy.report_interval_s,
        server_time=work.now,
    )


def rows_by_supplier(work: Work, base_station: str, message: agent.UsageReport) -> dict[str, agent.UsageReport]:
    """Divide a report by the suppliers whose octets it is about; rows of unknown trades are in none."""
    rows: dict[str, list[agent.UsageRow]] = defaultdict(list)
    for row in message.rows:
        trade = trades.trade_at(work, base_station, session_of(row.quota))
        if trade is not None:
            rows[trade.supplier].append(row)
    return {supplier: with_changes(message, rows=found) for supplier, found in rows.items()}


def count_rows(work: Work, base_station: str, supplier: str, message: agent.UsageReport) -> Refused | None:
    """Count rows on one supplier's page: within what was granted against its buckets, beyond it against the reporter.

    Refused, with nothing counted, when it is more than either account can hold.
    """
    owner, station = subscriber_owner(supplier), base_station_owner(base_station)
    most = min(book.countable(work, owner), book.countable(work, station) - excess_under_way(work, owner, station))
    counted = _ingest(work, owner, base_station, message, most=most)
    if isinstance(counted, Refused):
        return counted
    by_trade: dict[SessionId, dict[str, Octets]] = defaultdict(dict)
    for quota, octets in counted.octets.items():
        if octets:
            by_trade[session_of(quota)][quota] = octets
    for id, octets_of in by_trade.items():
        trade = trades.find_trade(work, supplier, id)
        if trade is not None:  # it may have been forgotten since the report was divided: ``confirm`` sees that, too
            up = Octets(sum(counted.up[quota] for quota in octets_of))
            _count(work, trade, octets_of, up=up, journal=message.journal)
    return None


def confirm(work: Work, base_station: str, message: agent.UsageReport) -> agent.UsageConfirmation | Refused:
    """Confirm rows that are counted. Rows of trades that never were here become the base station's own debt."""
    station = base_station_or_refused(work, base_station)
    if isinstance(station, Refused):
        return station
    most = book.countable(work, station.owner)
    counted = _ingest(work, station.owner, base_station, message, most=most)
    if isinstance(counted, Refused):
        return counted
    for quota, octets in counted.octets.items():
        if octets and trades.trade_at(work, base_station, session_of(quota)) is None:
            book.post(work, station.owner, (), octets)
            remember(work, _never_admitted(quota), who=station.owner, session=session_of(quota))
    return agent.UsageConfirmation(journal=message.journal, acked=counted.acked)


def recalls(work: Work, base_station: str, *, ask_again_ms: int) -> wire.Recalls | Refused:
    station = base_station_or_refused(work, base_station)
    if isinstance(station, Refused):
        return station
    return wire.Recalls(trades=recalled_at(work, base_station), ask_again_ms=ask_again_ms)


def terminal_count(work: Work, terminal: Terminal, message: wire.TradeCount) -> wire.TradeCounted | Refused:
    """Take a terminal's own count of a trade it took part in, and hold it against the base station's."""
    trade = _trade_of_terminal(work, terminal, message.trade)
    if trade is None:
        return Refused(Refusal.UNKNOWN_SESSION, {"session": message.trade})
    trade = disputes.terminal_counted(work, trade, up=Octets(message.up), down=Octets(message.down))
    disputes.reconcile(work, trade)
    return wire.TradeCounted(trade=trade.id, agrees=disputes.agrees(trade))


def lending(policy: Policy) -> Policy:
    """Return the policy for quotas on somebody else's octets."""
    return replace(policy, validity_ms=min(policy.validity_ms, LENT_FOR), grace_ms=min(policy.grace_ms, LENT_FOR))


def _open(work: Work, trade: Trade, demander: Demander) -> Trade:
    trade = with_changes(trade, due=later(work.now, Millis(2 * LENT_FOR)))
    return trades.open_trade(work, trade, proof=demander.proof, at=demander.at)


def _admitted(work: Work, policy: Policy, trade: Trade) -> wire.Admitted:
    order = trades.order_of(work, trade)
    taking_part: dict[wire.Role, Owner] = {
        "demander": subscriber_owner(trade.demander),
        "supplier": trade.owner,
        "base_station": base_station_owner(trade.base_station),
    }
    if trade.terminal:
        taking_part["terminal"] = terminal_owner(trade.terminal)
    if trade.supplier_terminal:
        taking_part["supplier_terminal"] = terminal_owner(trade.supplier_terminal)
    return wire.Admitted(
        trade=trade.id,
        demander=trade.demander,
        terminal=trade.terminal,
        supplier=trade.supplier,
        supplier_terminal=trade.supplier_terminal,
        identities={role: identity.issue(work, subject) for role, subject in taking_part.items()},
        order=trade.order,
        price_per_gb=trade.price.money,
        currency="" if trade.price.unit == OCTET_FOR_OCTET else trade.price.unit,
        octets=min(room(work, trade, order), book.available(work, trade.owner)),
        report_interval_s=policy.report_interval_s,
        server_time=work.now,
    )


def _question(work: Work, trade: Trade, base_station: str, message: agent.Interrogation) -> Interrogation:
    asks: tuple[Ask, ...] = ()
    if message.kind != "final" and message.wants != 0:
        asks = (Ask(wanted=None if message.wants is None else Octets(message.wants)),)
    order = trades.order_of(work, trade)
    barred = still_authorised(work, trade, order) or bounded_out(work, trade, order) if asks else None
    return Interrogation(
        session=SessionId(trade.id),
        owner=trade.owner,
        event=Event(message.kind),
        number=message.number,
        digest=crc32(msgspec.json.encode((message.kind, message.wants, message.returns))),
        front="base station",
        holder=base_station,
        uses=tuple(Use(octets=Octets(0), quota=QuotaId(quota), ends=True) for quota in message.returns),
        asks=asks,
        barred=barred,
        bound=Bound(octets=room(work, trade, order), until=order.until),
    )


def _ingest(
    work: Work, owner: Owner, base_station: str, message: agent.UsageReport, *, most: int
) -> Ingested | Refused:
    """Take rows on a page. Of a quota that was granted and neither reported whole nor returned more may come, however late."""

    def is_promised(quota: str) -> bool:
        trade = trades.trade_at(work, base_station, session_of(quota))
        return trade is not None and QuotaId(quota) in trade.promised

    journal = f"{base_station}/{message.journal}"
    return ingest(work, owner, journal=journal, report=message, most=most, is_open=is_promised)


def _count(work: Work, trade: Trade, reported: dict[str, Octets], *, up: Octets, journal: str) -> None:
    trade, posts, excess = trades.count(work, trade, reported, up=up, journal=journal)
    uses = tuple(Use(octets=octets, quota=quota) for quota, octets in posts.items())
    if uses:
        report(work, trade.owner, SessionId(trade.id), uses)
    report_excess(work, trade, excess)
    if not trade.running:
        book_trade(work, trade)


def _trade_of_terminal(work: Work, terminal: Terminal, id: str) -> Trade | None:
    """Return a trade of this terminal: one of which its count may still come, or one that was booked."""
    visit = work.get(trades.Visit, subscriber_owner(terminal.subscriber), terminal.id)
    supplier = next((supplier for supplier, trade in visit.trades if trade == id), "") if visit else ""
    if not supplier:
        supplier = next((share.supplier for share in obtained(work, terminal.subscriber) if share.id == id), "")
    trade = trades.find_trade(work, supplier, id)
    return trade if trade is not None and trade.terminal == terminal.id else None


def _never_admitted(quota: str) -> Refused:
    return Refused(Refusal.UNKNOWN_SESSION, {"session": session_of(quota)})
