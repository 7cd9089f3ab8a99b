"""Granting: each request for units gets a quota, reserved on the subscriber's buckets, or a refusal.

How large a quota is, is for ``quota``; what a bucket is, for the ledger.
"""

from __future__ import annotations

from typing import Final

from qanat.charging.interrogation import Ask, Bound, Interrogation
from qanat.charging.quota import Policy, next_size, threshold_of
from qanat.charging.session import Grant, Quota, Session
from qanat.ids import Owner, QuotaId, SessionId
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.units import MAX_OCTETS, Instant, Octets, Unit

_UNBOUND: Final = Bound(octets=MAX_OCTETS)
_UNNAMED: Final = QuotaId("")
QUOTAS_MOST: Final = 256
"""In one session: more than any gateway knows rating groups. Every decision about a session goes through all of them."""


def grant_all(
    work: Work, policy: Policy, session: Session, quotas: list[Quota], request: Interrogation
) -> tuple[Grant, ...]:
    """Answer every request for units; what is granted joins the quotas."""
    if request.barred is not None:
        return tuple([_no(ask, request.barred) for ask in request.asks])
    grants = []
    for ask in request.asks:
        if len(quotas) >= QUOTAS_MOST:
            facts: dict[str, int | str] = {"session": session.id, "quotas": len(quotas)}
            grants.append(_no(ask, Refused(Refusal.TOO_MANY_QUOTAS, facts)))
            continue
        quota, grant = _grant(work, policy, session, ask, request)
        grants.append(grant)
        if quota is not None:
            quotas.append(quota)
    return tuple(grants)


def _grant(
    work: Work, policy: Policy, session: Session, ask: Ask, request: Interrogation
) -> tuple[Quota | None, Grant]:
    unit, wanted, bound = ask.unit, ask.wanted, request.bound or _UNBOUND
    buckets, available = book.available_buckets(work, request.owner, unit)
    available = min(available, bound.octets)
    if not available:
        return None, _no(ask, nothing_left(work, request.owner, unit))
    if wanted is not None and wanted > available and buckets[0].all_or_nothing:
        return None, _no(ask, Refused(Refusal.ALL_OR_NOTHING, {"wanted": wanted, "available": available}))
    octets = next_size(
        policy,
        step=Octets(buckets[0].quota_octets or policy.step(unit)),
        wanted=wanted,
        rate=session.rate if unit == "octets" else 0,
        previous=_previous_size(session, ask.rating_group),
        available=available,
    )
    parts = book.reserve(work, buckets, octets)
    valid_until = policy.valid_until(work.now, _first_end(buckets[: len(parts)], bound.until))
    quota = Quota(
        id=_quota_id(session, request, ask),
        octets=octets,
        rating_group=ask.rating_group,
        parts=parts,
        valid_until=valid_until,
        deadline=Instant(valid_until + policy.grace_ms),
        unit=unit,
    )
    grant = Grant(
        rating_group=ask.rating_group,
        quota=quota.id if request.names_quotas else _UNNAMED,
        octets=octets,
        valid_until=valid_until,
        threshold=threshold_of(policy, octets),
        final=octets == available,
        unit=unit,
    )
    return quota, grant


def _quota_id(session: Session, request: Interrogation, ask: Ask) -> QuotaId:
    name = f"{session.id}.{request.number}" if ask.unit == "octets" else f"{session.id}.{request.number}.{ask.unit}"
    return QuotaId(name if ask.rating_group is None else f"{name}.{ask.rating_group}")


def session_of(quota: str) -> SessionId:
    """Return the session in which an agent's quota was granted. Agents ask for octets alone, whatever they are used for."""
    return SessionId(quota.rpartition(".")[0])


def _first_end(buckets: list[Account], bound: Instant | None) -> Instant | None:
    """Return when the first of these buckets expires, or the bound ends; None for never."""
    first = bound
    for bucket in buckets:
        ends = bucket.expires_at
        if ends is not None and (first is None or ends < first):
            first = ends
    return first


def _previous_size(session: Session, rating_group: int | None) -> int:
    for answer in session.answers:
        for grant in answer.grants:
            if grant.rating_group == rating_group and grant.octets and grant.unit == "octets":
                return grant.octets
    return 0


def nothing_left(work: Work, owner: Owner, unit: Unit = "octets") -> Refused:
    """Tell that nothing is available, and how much of what there was is reserved."""
    reserved = sum(bucket.reserved for bucket in book.usable_buckets(work, owner, unit))
    facts: dict[str, int | str] = {"subscriber": owner.partition("/")[2], "available": 0, "reserved": reserved}
    if unit == "octets":
        return Refused(Refusal.CREDIT_LIMIT_REACHED, facts)
    return Refused(Refusal.UNITS_USED_UP, facts | {"unit": unit})


def _no(ask: Ask, refused: Refused) -> Grant:
    return Grant(rating_group=ask.rating_group, refusal=refused.reason, facts=refused.facts, unit=ask.unit)
