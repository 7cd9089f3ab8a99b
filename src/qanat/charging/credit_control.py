"""Credit control: an interrogation in, quotas or refusals out.

The order is always the same: was it answered before? may it follow? post what was used, release what came back, grant
what is asked. Everything one interrogation does becomes one entry. Knows no protocol: fronts translate.
Source: RFC 8506 §5 and §6; decisions where real systems differ are in docs/decisions/.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from qanat.charging.quota import MEASURED_OVER_MS, Policy, measured_rate, next_size, threshold_of
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
from qanat.ids import Owner, QuotaId, SessionId
from qanat.ledger import book
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.units import DAY, MAX_OCTETS, Instant, Octets

_CLOSED_KEPT: Final = DAY
"""A closed session is remembered for repeats of its last answers."""


class Use(Struct, frozen=True, kw_only=True, gc=False):
    """Octets used since the last report, under one quota."""

    octets: Octets
    quota: QuotaId | None = None
    """None: whichever quota the rating group holds (Gy), or none at all."""
    rating_group: int | None = None
    ends: bool = False
    """The holder is done with the quota; what is left goes home."""


class Ask(Struct, frozen=True, kw_only=True, gc=False):
    """A request for units. ``wanted`` None lets the server choose."""

    rating_group: int | None = None
    wanted: Octets | None = None


class Bound(Struct, frozen=True, kw_only=True, gc=False):
    """Less than what the subscriber has: so many octets at most may be granted now, until then."""

    octets: Octets
    until: Instant | None = None


class Interrogation(Struct, frozen=True, kw_only=True, gc=False):
    session: SessionId
    owner: Owner
    """The subscriber, already identified by the front."""
    event: Event
    number: int
    digest: int
    front: str
    holder: str
    uses: tuple[Use, ...] = ()
    asks: tuple[Ask, ...] = ()
    barred: Refused | None = None
    """Grant nothing, for this reason; usage is counted all the same."""
    bound: Bound | None = None
    """Set by whoever lends the subscriber's octets to somebody else."""


_UNBOUND: Final = Bound(octets=MAX_OCTETS)


def interrogate(work: Work, policy: Policy, request: Interrogation) -> Answer:
    """Answer one interrogation. Repeating it gives the same answer and counts nothing twice."""
    work.act = f"interrogated {request.event}"
    session = work.get(Session, request.owner, request.session)
    if session is not None and session.holder != request.holder:
        return Answer(number=request.number, refusal=Refusal.UNKNOWN_SESSION, facts={"session": request.session})
    if session is not None:
        earlier = session.answer_to(request.number)
        if earlier is not None:
            return earlier if earlier.digest == request.digest else _reused(request)
        if session.has_seen(request.number):
            return _reused(request)
    state = State.IDLE if session is None else session.state
    after = TRANSITIONS.get((state, request.event))
    if session is None or after is None:
        session = _begin(request, work.now) if after else session
    if session is None or after is None:
        return _out_of_turn(work, request, session, WHY_NOT[state, request.event])
    session = _count(work, session, request.uses)
    if after is State.CLOSED:
        session = close(work, session)
        grants: tuple[Grant, ...] = ()
    else:
        session, grants = _grant_all(work, policy, session, request)
    answer = Answer(number=request.number, digest=request.digest, grants=grants)
    work.put(_remember(session, answer, policy, work.now))
    return answer


def report(work: Work, owner: Owner, session: SessionId, uses: tuple[Use, ...]) -> None:
    """Count what was used under a session's quotas, and ask nothing.

    Not repeatable by itself: whoever calls it knows that these octets were not counted before (``metering.ingest``).
    """
    work.act = "reported"
    found = work.get(Session, owner, session)
    if found is not None:
        work.put(_count(work, found, uses))
        return
    for use in uses:
        book.post(work, owner, (), use.octets)


def close(work: Work, session: Session) -> Session:
    """Send everything reserved home. The session is kept a day for repeats of its last answers."""
    for quota in session.quotas:
        book.release(work, session.owner, quota.parts)
    return replace(session, state=State.CLOSED, quotas=(), due=Instant(work.now + _CLOSED_KEPT))


def release_overdue(work: Work, session: Session) -> Session:
    """Release the quotas whose deadline has passed."""
    kept = []
    for quota in session.quotas:
        if quota.deadline > work.now:
            kept.append(quota)
        else:
            book.release(work, session.owner, quota.parts)
    return replace(session, quotas=tuple(kept), due=min((quota.deadline for quota in kept), default=session.due))


def _begin(request: Interrogation, now: Instant) -> Session:
    return Session(
        owner=request.owner,
        id=request.session,
        front=request.front,
        holder=request.holder,
        opened_at=now,
        last_at=now,
        measured_at=now,
    )


def _reused(request: Interrogation) -> Answer:
    facts: dict[str, int | str] = {"session": request.session, "number": request.number}
    return Answer(number=request.number, refusal=Refusal.REQUEST_REUSED, facts=facts)


def _out_of_turn(work: Work, request: Interrogation, session: Session | None, reason: Refusal) -> Answer:
    """Count what was used, since it happened, and refuse the rest. A closed session remembers that it did so."""
    for use in request.uses:
        book.post(work, request.owner, (), use.octets)
    answer = Answer(number=request.number, digest=request.digest, refusal=reason, facts={"session": request.session})
    if session is None:
        due = Instant(work.now + _CLOSED_KEPT)
        session = replace(_begin(request, work.now), state=State.CLOSED, due=due)
    if request.uses:
        used = sum(use.octets for use in request.uses)
        work.put(replace(_answered(session, answer), used=session.used + used))
    return answer


def _count(work: Work, session: Session, uses: tuple[Use, ...]) -> Session:
    """Post every use against its quota and release the quotas that end."""
    quotas = list(session.quotas)
    total = 0
    for use in uses:
        total += use.octets
        place = _place_of(quotas, use)
        if place is None:
            book.post(work, session.owner, (), use.octets)
            continue
        quota = quotas[place]
        parts = book.post(work, session.owner, quota.parts, use.octets)
        if use.ends:
            book.release(work, session.owner, parts)
            del quotas[place]
        else:
            quotas[place] = replace(quota, parts=parts, used=quota.used + use.octets)
    session = replace(session, quotas=tuple(quotas), used=session.used + total, last_at=work.now)
    return _measured(session, total, work.now) if total else session


def _measured(session: Session, octets: int, now: Instant) -> Session:
    """Fold the octets just used into the rate, once enough time has passed to say anything."""
    octets += session.unmeasured
    elapsed_ms = now - session.measured_at
    if elapsed_ms < MEASURED_OVER_MS:
        return replace(session, unmeasured=octets)
    rate = measured_rate(session.rate, octets, elapsed_ms)
    return replace(session, rate=rate, measured_at=now, unmeasured=0)


def _place_of(quotas: list[Quota], use: Use) -> int | None:
    for place, quota in enumerate(quotas):
        if quota.id == use.quota or (use.quota is None and quota.rating_group == use.rating_group):
            return place
    return None


def _grant_all(
    work: Work, policy: Policy, session: Session, request: Interrogation
) -> tuple[Session, tuple[Grant, ...]]:
    grants = []
    for ask in request.asks:
        if request.barred is not None:
            grants.append(_no(ask, request.barred))
            continue
        session, grant = _grant(work, policy, session, ask, request)
        grants.append(grant)
    return session, tuple(grants)


def _grant(work: Work, policy: Policy, session: Session, ask: Ask, request: Interrogation) -> tuple[Session, Grant]:
    buckets = [bucket for bucket in book.usable_buckets(work, session.owner) if bucket.available > 0]
    bound = request.bound or _UNBOUND
    available = Octets(min(sum(bucket.available for bucket in buckets), bound.octets))
    if not available:
        return session, _no(ask, _nothing_left(work, session.owner))
    if ask.wanted is not None and ask.wanted > available and buckets[0].all_or_nothing:
        return session, _no(ask, Refused(Refusal.ALL_OR_NOTHING, {"wanted": ask.wanted, "available": available}))
    octets = next_size(
        policy,
        step=Octets(buckets[0].quota_octets or policy.quota_octets),
        wanted=ask.wanted,
        rate=session.rate,
        previous=_previous_size(session, ask.rating_group),
        available=available,
    )
    parts = book.reserve_from(work, buckets, octets)
    drawn_on = {id for id, _ in parts}
    ends = [bucket.expires_at for bucket in buckets if bucket.expires_at and bucket.id in drawn_on]
    ends += [bound.until] if bound.until else []
    valid_until = policy.valid_until(work.now, min(ends, default=None))
    quota = Quota(
        id=QuotaId(f"{session.id}.{request.number}" + ("" if ask.rating_group is None else f".{ask.rating_group}")),
        octets=octets,
        rating_group=ask.rating_group,
        parts=parts,
        valid_until=valid_until,
        deadline=Instant(valid_until + policy.grace_ms),
    )
    grant = Grant(
        rating_group=ask.rating_group,
        quota=quota.id,
        octets=octets,
        valid_until=valid_until,
        threshold=threshold_of(policy, octets),
        final=octets == available,
    )
    return replace(session, quotas=(*session.quotas, quota)), grant


def _previous_size(session: Session, rating_group: int | None) -> int:
    for answer in session.answers:
        for grant in answer.grants:
            if grant.rating_group == rating_group and grant.octets:
                return grant.octets
    return 0


def _nothing_left(work: Work, owner: Owner) -> Refused:
    reserved = sum(bucket.reserved for bucket in book.usable_buckets(work, owner))
    return Refused(
        Refusal.CREDIT_LIMIT_REACHED, {"subscriber": owner.partition("/")[2], "available": 0, "reserved": reserved}
    )


def _no(ask: Ask, refused: Refused) -> Grant:
    return Grant(rating_group=ask.rating_group, refusal=refused.reason, facts=refused.facts)


def _remember(session: Session, answer: Answer, policy: Policy, now: Instant) -> Session:
    due = session.due
    if session.state is State.OPEN:
        due = min((quota.deadline for quota in session.quotas), default=Instant(now + policy.idle_ms))
    return replace(_answered(session, answer), due=due)


def _answered(session: Session, answer: Answer) -> Session:
    """Keep the answer, newest first, and note its number."""
    ahead = answer.number - session.newest
    seen = (session.seen << ahead | 1) % (1 << WINDOW) if ahead > 0 else session.seen | 1 << -ahead
    return replace(
        session,
        answers=(answer, *session.answers[: ANSWERS_KEPT - 1]),
        newest=max(session.newest, answer.number),
        seen=seen,
    )
