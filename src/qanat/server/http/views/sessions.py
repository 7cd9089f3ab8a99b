"""Sessions, refusals, and why."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.charging.session import Answer, Grant, Session
from qanat.refusals import Refusal, Refused
from qanat.registry.names import name_of
from qanat.registry.refused import RefusedRequest
from qanat.server.http.views.common import Listed
from qanat.server.http.views.plans import BalanceView
from qanat.server.http.views.trades import TradeView
from qanat.units import format_instant


class QuotaView(BaseModel):
    quota: str
    octets: int
    used: int
    valid_until: str


class SessionView(BaseModel):
    session: str
    subscriber: str
    state: str
    front: str
    holder: str
    used: int
    octets_per_s: int
    opened_at: str
    last_at: str
    quotas: list[QuotaView]

    @classmethod
    def of(cls, session: Session) -> SessionView:
        return cls(
            session=session.id,
            subscriber=name_of(session.owner),
            state=session.state,
            front=session.front,
            holder=session.holder,
            used=session.used,
            octets_per_s=session.rate,
            opened_at=format_instant(session.opened_at),
            last_at=format_instant(session.last_at),
            quotas=[
                QuotaView(
                    quota=quota.id,
                    octets=quota.octets,
                    used=quota.used,
                    valid_until=format_instant(quota.valid_until),
                )
                for quota in session.quotas
            ],
        )


class RefusalView(BaseModel):
    who: str
    operator: str = ""
    """Of who was refused; told in the list that staff asks for."""
    by: str
    """The device that asked, where it asked for somebody else."""
    session: str
    reason: str
    sentence: str
    cure: str
    sentence_zh: str
    cure_zh: str
    facts: dict[str, int | str]
    first_at: str
    at: str
    times: int

    @classmethod
    def of(cls, refused: RefusedRequest, *, operator: str = "") -> RefusalView:
        again = Refused(Refusal(refused.reason), refused.facts)
        return cls(
            who=refused.who,
            operator=operator,
            by=refused.by,
            session=refused.session,
            reason=refused.reason,
            sentence=refused.sentence,
            cure=refused.cure,
            sentence_zh=again.sentence_zh,
            cure_zh=again.cure_zh,
            facts=refused.facts,
            first_at=format_instant(refused.first_at),
            at=format_instant(refused.at),
            times=refused.times,
        )


class StepView(BaseModel):
    """One answer to an interrogation: for each request for units what was granted, or the rule that refused it."""

    at: str
    number: int
    subscriber: str
    quota: str = ""
    octets: int = 0
    valid_until: str = ""
    final: bool = False
    reason: str = ""
    sentence: str = ""
    cure: str = ""
    sentence_zh: str = ""
    cure_zh: str = ""
    facts: dict[str, int | str] = {}

    @classmethod
    def refused(cls, answer: Answer, subscriber: str, refused: Refused) -> StepView:
        return cls(
            at=format_instant(answer.at),
            number=answer.number,
            subscriber=subscriber,
            reason=refused.reason,
            sentence=refused.sentence,
            cure=refused.cure,
            sentence_zh=refused.sentence_zh,
            cure_zh=refused.cure_zh,
            facts=refused.facts,
        )

    @classmethod
    def granted(cls, answer: Answer, subscriber: str, grant: Grant) -> StepView:
        return cls(
            at=format_instant(answer.at),
            number=answer.number,
            subscriber=subscriber,
            quota=grant.quota,
            octets=grant.octets,
            valid_until=format_instant(grant.valid_until),
            final=grant.final,
        )

    @classmethod
    def of(cls, session: Session) -> list[StepView]:
        """Return the last answers of a session, oldest first, each with what it was told for each request for units."""
        who = name_of(session.owner)
        steps = []
        for answer in sorted(session.answers, key=lambda one: one.number):
            if answer.refusal is not None:
                steps.append(cls.refused(answer, who, Refused(answer.refusal, answer.facts)))
            for grant in answer.grants:
                if grant.refusal is not None:
                    steps.append(cls.refused(answer, who, Refused(grant.refusal, grant.facts)))
                else:
                    steps.append(cls.granted(answer, who, grant))
        return steps


class Why(BaseModel):
    """Everything known of a session that explains an answer: whose it is, what was answered last, what there is now."""

    session: str
    trades: list[TradeView]
    """The one of this name, for a month; its session is kept for a day, and only its supplier's operator sees it."""
    sessions: list[SessionView]
    steps: list[StepView]
    refusals: list[RefusalView]
    balances: list[BalanceView]
    """As they stand now, of the subscribers whose session it is."""


class SessionList(Listed):
    sessions: list[SessionView]


class RefusalList(BaseModel):
    refusals: list[RefusalView]
    complete: bool = True
    """False where more was refused than is listed."""
    looked_through: int = 0
    """Among how many these are the newest where there are more: the first by session; 0 says that all were looked through."""
