"""Credit control: an interrogation in, quotas or refusals out.

The order is always the same: was it answered before? may it follow? post what was used, release what came back, grant
what is asked (``granting``). Everything one interrogation does becomes one entry. Knows no protocol: fronts translate.
Source: RFC 8506 §5 and §6; decisions where real systems differ are in docs/decisions/.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from qanat.charging.granting import grant_all
from qanat.charging.interrogation import Interrogation, Use
from qanat.charging.quota import MEASURED_OVER_MS, Policy, measured_rate
from qanat.charging.session import (
    ANSWERS_KEPT,
    TRANSITIONS,
    WHY_NOT,
    WINDOW,
    Answer,
    Event,
    Grant,
    Quota,
    Session,
    State,
)
from qanat.ids import SHARDS, Owner, SessionId, shard_of
from qanat.ledger import book
from qanat.ledger.work import Work
from qanat.refusals import Refusal
from qanat.units import DAY, HOUR, Instant

CLOSED_KEPT: Final = DAY
"""A closed session is remembered so long for repeats of its last answers."""

_CLOSED: Final = State.CLOSED
"""A member of an enumeration takes ten times as long to find as a name."""
_ACTS: Final = {event: f"interrogated {event}" for event in Event}


def interrogate(work: Work, policy: Policy, request: Interrogation) -> Answer:
    """Answer one interrogation. Repeating it gives the same answer and counts nothing twice."""
    work.act = _ACTS[request.event]
    session = work.get(Session, request.owner, request.session)
    state = State.IDLE if session is None else session.state
    if session is not None:
        earlier = earlier_answer(session, request)
        if earlier is not None:
            return earlier
    after = TRANSITIONS.get((state, request.event))
    if after is None:
        return _out_of_turn(work, request, session, WHY_NOT[state, request.event])
    session, now = session or begin(request, work.now), work.now
    quotas = list(session.quotas)
    session = _counted(session, _count(work, request.owner, quotas, request.uses), now)
    grants: tuple[Grant, ...] = ()
    if after is _CLOSED:
        _release_all(work, request.owner, quotas)
        quotas.clear()
        due = kept_until(request.owner, now)
    else:
        grants = grant_all(work, policy, session, quotas, request)
        due = min([quota.deadline for quota in quotas]) if quotas else Instant(now + policy.idle_ms)
    answer = Answer(number=request.number, digest=request.digest, grants=grants, at=now)
    work.put(answered(session, answer, state=after, quotas=tuple(quotas), due=due, last_at=now))
    return answer


def earlier_answer(session: Session, request: Interrogation) -> Answer | None:
    """Return what a repeated request is told; None if it is new."""
    if session.holder != request.holder:
        return _not_now(request, Refusal.UNKNOWN_SESSION)
    if request.number > session.newest:
        return None
    earlier = session.answer_to(request.number)
    if earlier is not None:
        return earlier if earlier.digest == request.digest else _not_now(request, Refusal.REQUEST_REUSED)
    return _not_now(request, Refusal.REQUEST_REUSED) if session.has_seen(request.number) else None


def report(work: Work, owner: Owner, session: SessionId, uses: tuple[Use, ...]) -> None:
    """Count what was used under a session's quotas, and ask nothing.

    Not repeatable by itself: whoever calls it knows that these octets were not counted before (``metering.ingest``).
    """
    work.act = "reported"
    found = work.get(Session, owner, session)
    if found is not None:
        quotas = list(found.quotas)
        total = _count(work, owner, quotas, uses)
        work.put(replace(_counted(found, total, work.now), quotas=tuple(quotas), last_at=work.now))
        return
    for use in uses:
        book.post(work, owner, (), use.octets)


def disable(work: Work, owner: Owner, session: SessionId) -> None:
    """End an open session from our side: its holder was told, or was refused and will not come back. Repeating is safe."""
    found = work.get(Session, owner, session)
    if found is not None and found.state is State.OPEN:
        assert TRANSITIONS[found.state, Event.DISABLED] is State.CLOSED
        work.put(close(work, found))


def close(work: Work, session: Session) -> Session:
    """Send everything reserved home. The session is kept a day for repeats of its last answers."""
    _release_all(work, session.owner, session.quotas)
    return replace(session, state=State.CLOSED, quotas=(), due=kept_until(session.owner, work.now))


def release_overdue(work: Work, session: Session) -> Session:
    """Release the quotas whose deadline has passed."""
    kept = []
    for quota in session.quotas:
        if quota.deadline > work.now:
            kept.append(quota)
        else:
            book.release(work, session.owner, quota.parts)
    return replace(session, quotas=tuple(kept), due=min((quota.deadline for quota in kept), default=session.due))


def kept_until(owner: Owner, now: Instant) -> Instant:
    """Return when a session that closes now is forgotten: after ``CLOSED_KEPT`` and up to an hour more.

    So what an owner closes within an hour is read and forgotten together (it rests until then), and not at the same
    moment as everybody else's.
    """
    until, theirs = now + CLOSED_KEPT, HOUR * shard_of(owner) // SHARDS
    return Instant(until + (theirs - until) % HOUR)


def begin(request: Interrogation, now: Instant) -> Session:
    return Session(
        owner=request.owner,
        id=request.session,
        front=request.front,
        holder=request.holder,
        opened_at=now,
        last_at=now,
        measured_at=now,
    )


def _not_now(request: Interrogation, reason: Refusal) -> Answer:
    """Refuse a request without a trace: nothing of it was counted or remembered."""
    facts: dict[str, int | str] = {"session": request.session, "number": request.number}
    return Answer(number=request.number, refusal=reason, facts=facts)


def _out_of_turn(work: Work, request: Interrogation, session: Session | None, reason: Refusal) -> Answer:
    """Count what was used, since it happened, and refuse the rest. A closed session remembers that it did so."""
    octets = [use.octets for use in request.uses if use.unit == "octets"]
    for used in octets:
        book.post(work, request.owner, (), used)
    facts: dict[str, int | str] = {"session": request.session}
    answer = Answer(number=request.number, digest=request.digest, refusal=reason, facts=facts, at=work.now)
    if session is None:
        due = kept_until(request.owner, work.now)
        session = replace(begin(request, work.now), state=State.CLOSED, due=due)
    if request.uses:
        kept = replace(session, used=session.used + sum(octets))
        work.put(answered(kept, answer, state=kept.state, quotas=kept.quotas, due=kept.due, last_at=kept.last_at))
    return answer


def _count(work: Work, owner: Owner, quotas: list[Quota], uses: tuple[Use, ...]) -> int:
    """Post every use against its quota, release the quotas that end, and return the octets used."""
    total = 0
    for use in uses:
        place = _place_of(quotas, use)
        if use.unit == "octets":
            total += use.octets
        elif place is None:
            continue
        if place is None:
            book.post(work, owner, (), use.octets)
        elif use.ends:
            book.post_and_release(work, owner, quotas.pop(place).parts, use.octets, use.unit)
        else:
            quota = quotas[place]
            parts = book.post(work, owner, quota.parts, use.octets, use.unit)
            quotas[place] = replace(quota, parts=parts, used=quota.used + use.octets)
        if use.ends and quotas and use.quota is None:
            _end_others(work, owner, quotas, use)
    return total


def _end_others(work: Work, owner: Owner, quotas: list[Quota], use: Use) -> None:
    """Send home what a rating group still holds in other units than the one that was just counted."""
    for quota in [one for one in quotas if one.rating_group == use.rating_group and one.unit != use.unit]:
        book.release(work, owner, quota.parts)
        quotas.remove(quota)


def _release_all(work: Work, owner: Owner, quotas: Iterable[Quota]) -> None:
    for quota in quotas:
        book.release(work, owner, quota.parts)


def _counted(session: Session, octets: int, now: Instant) -> Session:
    """Fold the octets just used into the rate, once enough time has passed to say anything."""
    if not octets:
        return session
    used, unmeasured, elapsed_ms = session.used + octets, session.unmeasured + octets, now - session.measured_at
    if elapsed_ms < MEASURED_OVER_MS:
        # What was measured by a clock ahead of ours is measured from now on, and not all at once when we get there.
        return replace(session, used=used, unmeasured=unmeasured, measured_at=min(session.measured_at, now))
    rate = measured_rate(session.rate, unmeasured, elapsed_ms)
    return replace(session, used=used, unmeasured=0, rate=rate, measured_at=now)


def _place_of(quotas: list[Quota], use: Use) -> int | None:
    id, rating_group, unit = use.quota, use.rating_group, use.unit
    for place, quota in enumerate(quotas):
        if quota.id == id if id is not None else quota.rating_group == rating_group and quota.unit == unit:
            return place
    return None


def answered(
    session: Session, answer: Answer, *, state: State, quotas: tuple[Quota, ...], due: Instant | None, last_at: Instant
) -> Session:
    """Keep the answer, newest first, and note its number, beside what it leads to."""
    number, newest = answer.number, session.newest
    ahead = number - newest
    answers: tuple[Answer, ...] = (answer,)  # to unpack the others behind it takes 1,000 instructions more, compiled
    answers += session.answers[: ANSWERS_KEPT - 1]
    seen = (session.seen << min(ahead, WINDOW) | 1) % (1 << WINDOW) if ahead > 0 else session.seen | 1 << -ahead
    return replace(
        session,
        state=state,
        quotas=quotas,
        due=due,
        last_at=last_at,
        answers=answers,
        newest=max(newest, number),
        seen=seen,
    )
