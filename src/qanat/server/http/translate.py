"""From agents' messages to credit control and back. Pure: decides nothing, only says the same thing in other words.

Usage travels apart from questions. Rows of the journal are counted first, each against the session its quota belongs to,
and are exactly-once by their own key; then the question is answered, exactly-once by its number.
"""

from __future__ import annotations

from collections import defaultdict
from zlib import crc32

import msgspec

from qanat.charging.credit_control import interrogate, report
from qanat.charging.granting import session_of
from qanat.charging.interrogation import Ask, Interrogation, Use
from qanat.charging.metering import ingest
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Event, Grant
from qanat.ids import Owner, QuotaId, SessionId
from qanat.ledger.book import countable
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import subscriber_owner
from qanat.registry.refused import remember
from qanat.registry.subscribers import barred, find_subscriber
from qanat.registry.terminals import Terminal
from qanat.units import Octets
from qanat.wire import agent


def interrogation(
    work: Work, policy: Policy, terminal: Terminal, message: agent.Interrogation
) -> agent.InterrogationAnswer | Refused:
    """Answer a terminal. Refused means that nothing was counted or remembered; repeating is safe."""
    if not terminal.subscriber:
        return Refused(Refusal.TERMINAL_UNBOUND, {"terminal": terminal.id})
    owner = subscriber_owner(terminal.subscriber)
    acked = _count_rows(work, owner, message.report)
    if isinstance(acked, Refused):
        return acked
    answer = interrogate(work, policy, _question(work, owner, terminal, message))
    refused = refusal_of(answer)
    if refused is not None:
        remember(work, refused, who=owner, by=terminal.owner, session=message.session)
    return agent.InterrogationAnswer(
        session=message.session,
        number=message.number,
        acked=acked,
        quotas=[quota_of(grant) for grant in answer.grants if grant.refusal is None],
        refusal=None if refused is None else refusal_body(refused),
        report_interval_s=policy.report_interval_s,
        server_time=work.now,
    )


def usage(work: Work, terminal: Terminal, message: agent.UsageReport) -> agent.UsageConfirmation | Refused:
    """Count the rows of a report and confirm them. Repeating confirms the same and counts nothing."""
    if not terminal.subscriber:
        return Refused(Refusal.TERMINAL_UNBOUND, {"terminal": terminal.id})
    acked = _count_rows(work, subscriber_owner(terminal.subscriber), message)
    return acked if isinstance(acked, Refused) else agent.UsageConfirmation(journal=message.journal, acked=acked)


def refusal_body(refused: Refused) -> agent.RefusalBody:
    return agent.RefusalBody(
        reason=refused.reason,
        sentence=refused.sentence,
        cure=refused.cure,
        sentence_zh=refused.sentence_zh,
        cure_zh=refused.cure_zh,
        facts=dict(refused.facts),
    )


def _count_rows(work: Work, owner: Owner, message: agent.UsageReport) -> int | Refused:
    # By the journal's own name: a device that lost its key and enrolled anew goes on with its journal.
    counted = ingest(work, owner, journal=message.journal, report=message, most=countable(work, owner))
    if isinstance(counted, Refused):
        return counted
    by_session: dict[SessionId, list[Use]] = defaultdict(list)
    for quota, octets in counted.octets.items():
        if octets:
            by_session[session_of(quota)].append(Use(octets=octets, quota=QuotaId(quota)))
    for session, uses in by_session.items():
        report(work, owner, session, tuple(uses))
    return counted.acked


def _question(work: Work, owner: Owner, terminal: Terminal, message: agent.Interrogation) -> Interrogation:
    asks = () if message.kind == "final" or message.wants == 0 else (Ask(wanted=_octets(message.wants)),)
    return Interrogation(
        session=SessionId(message.session),
        owner=owner,
        event=Event(message.kind),
        number=message.number,
        digest=crc32(msgspec.json.encode((message.kind, message.wants, message.returns))),
        front="agent",
        holder=terminal.id,
        uses=tuple(Use(octets=Octets(0), quota=QuotaId(quota), ends=True) for quota in message.returns),
        asks=asks,
        barred=_barred(work, terminal),
    )


def _barred(work: Work, terminal: Terminal) -> Refused | None:
    if terminal.state == "revoked":
        return Refused(Refusal.TERMINAL_REVOKED, {"terminal": terminal.id})
    subscriber = find_subscriber(work, terminal.subscriber)
    if subscriber is None:
        return Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": terminal.subscriber})
    return barred(subscriber)


def refusal_of(answer: Answer) -> Refused | None:
    """A terminal asks for one thing at a time: the refusal of the whole, or of that one."""
    for reason, facts in [(answer.refusal, answer.facts), *((grant.refusal, grant.facts) for grant in answer.grants)]:
        if reason is not None:
            return Refused(reason, facts)
    return None


def quota_of(grant: Grant) -> agent.QuotaGrant:
    return agent.QuotaGrant(
        quota=grant.quota,
        octets=grant.octets,
        valid_until=grant.valid_until,
        threshold=grant.threshold,
        final=grant.final,
    )


def _octets(wants: int | None) -> Octets | None:
    return None if wants is None else Octets(wants)
