"""Single events: units debited or given back at once, and a look whether there are enough. No session stays open.

An event is granted whole or not at all: nobody sends two fifths of a message. Its record is kept for a day, so that a
repeat is told the same. Source: RFC 8506 §6.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec.structs import replace

from qanat.charging.credit_control import answered, begin, earlier_answer, kept_until
from qanat.charging.granting import nothing_left
from qanat.charging.interrogation import Interrogation
from qanat.charging.session import TRANSITIONS, WHY_NOT, Answer, Event, Grant, Session, State
from qanat.ledger import book
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.units import Octets, Unit


class Action(StrEnum):
    DEBIT = "debit"
    REFUND = "refund"
    CHECK = "check"


def settle(work: Work, action: Action, request: Interrogation) -> Answer:
    """Answer a single event. Repeating it gives the same answer and counts nothing twice; a check leaves no trace."""
    session = work.get(Session, request.owner, request.session)
    earlier = None if session is None else earlier_answer(session, request)
    if earlier is not None:
        return earlier
    state = State.IDLE if session is None else session.state
    if (state, Event.ONCE) not in TRANSITIONS:
        return Answer(number=request.number, refusal=WHY_NOT[state, Event.ONCE], facts={"session": request.session})
    amount = Octets(sum(ask.wanted or 0 for ask in request.asks))
    unit = request.asks[0].unit if request.asks else "octets"
    mixed = any(ask.unit != unit for ask in request.asks)
    refused = request.barred or (_MIXED if mixed else _CHECKS[action](work, request, amount, unit))
    if action is Action.CHECK or refused is not None:
        return _answer(work, request, refused)
    work.act = f"{action} event"
    if action is Action.DEBIT:
        book.post(work, request.owner, (), amount, unit)
    else:
        book.refund(work, request.owner, amount, unit)
    answer = _answer(work, request, None)
    octets = amount if unit == "octets" else 0
    kept = session or begin(request, work.now)
    kept = replace(kept, used=kept.used + (octets if action is Action.DEBIT else -octets))
    due = kept_until(request.owner, work.now)
    work.put(answered(kept, answer, state=State.CLOSED, quotas=kept.quotas, due=due, last_at=work.now))
    return answer


def _answer(work: Work, request: Interrogation, refused: Refused | None) -> Answer:
    if refused is not None:
        facts = refused.facts
        return Answer(number=request.number, digest=request.digest, refusal=refused.reason, facts=facts, at=work.now)
    grants = tuple(Grant(rating_group=ask.rating_group, octets=ask.wanted or 0, unit=ask.unit) for ask in request.asks)
    return Answer(number=request.number, digest=request.digest, grants=grants, at=work.now)


def _debit_refused(work: Work, request: Interrogation, amount: Octets, unit: Unit) -> Refused | None:
    if not amount:
        return Refused(Refusal.NOT_RATED, {"service": "an event without requested units"})
    available = book.available(work, request.owner, unit)
    if not available:
        return nothing_left(work, request.owner, unit)
    if amount > available:
        return Refused(Refusal.ALL_OR_NOTHING, {"wanted": amount, "available": available})
    return None


def _refund_refused(work: Work, request: Interrogation, amount: Octets, unit: Unit) -> Refused | None:
    used = book.used(work, request.owner, unit)
    if not amount:
        return Refused(Refusal.NOT_RATED, {"service": "a refund without requested units"})
    return None if amount <= used else Refused(Refusal.REFUND_TOO_LARGE, {"wanted": amount, "used": used})


def _check_refused(work: Work, request: Interrogation, amount: Octets, unit: Unit) -> Refused | None:
    available = book.available(work, request.owner, unit)
    return None if available >= max(amount, 1) else nothing_left(work, request.owner, unit)


_MIXED = Refused(Refusal.NOT_RATED, {"service": "an event in several units"})
_CHECKS = {Action.DEBIT: _debit_refused, Action.REFUND: _refund_refused, Action.CHECK: _check_refused}
