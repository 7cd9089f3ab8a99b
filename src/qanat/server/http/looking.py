"""What staff looks up: one field that finds subscribers and devices, refusals by reason, reservations by age."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from qanat.charging.session import Quota, Session
from qanat.exchange.identity import look_up
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.access import Caller
from qanat.registry.names import Claim, iccid_owner, name_of
from qanat.registry.refused import RefusedRequest
from qanat.registry.sims import SimProfile
from qanat.registry.subscribers import Subscriber, find_subscriber
from qanat.registry.terminals import Terminal
from qanat.server.http.effects import Limit, StaffCaller
from qanat.server.http.services import Services, services_of
from qanat.server.http.views.sessions import RefusalView
from qanat.server.listing import listed, of_operator
from qanat.server.refused import refusals_seen
from qanat.units import format_instant

router = APIRouter()
_FOUND: Final = 20
_AGES_S: Final = (60, 600, 3600)
"""Reservations younger than each of these, and older than all."""


class Hit(BaseModel):
    """What was found: ``kind`` is subscriber, terminal or base station; ``by`` says in what the words were found."""

    kind: str
    name: str
    by: str
    operator: str
    detail: str


class Hits(BaseModel):
    hits: list[Hit]


class ReasonView(BaseModel):
    """How often a reason was given, to how many, and the newest of it."""

    reason: str
    times: int
    whom: int
    newest: RefusalView


class ReasonList(BaseModel):
    reasons: list[ReasonView]
    complete: bool
    """False where more was refused than is counted."""
    looked_through: int = 0
    """How many were counted where there are more: the first by session; 0 says that all were."""


class ReservationView(BaseModel):
    session: str
    subscriber: str
    holder: str
    quota: str
    octets: int
    silent_s: int
    """Since the holder was heard last."""
    valid_until: str
    deadline: str


class AgeView(BaseModel):
    """Octets reserved by holders that have been silent for less than ``under_s``; 0 is the rest."""

    under_s: int
    octets: int
    quotas: int


class ReservationList(BaseModel):
    octets: int
    ages: list[AgeView]
    reservations: list[ReservationView]
    complete: bool
    """False where more is reserved than is listed."""
    looked_through: int = 0
    """How many live sessions were looked at where there are more: the first by name, and the sums are theirs; 0 says all."""


@router.get("/v1/search", tags=["search"])
async def search(request: Request, caller: StaffCaller, q: Annotated[str, Query(min_length=1, max_length=100)]) -> Hits:
    """Find subscribers by the beginning of their name, IMSI or number, and anything by its identity code or id."""
    services = services_of(request)
    words = q.strip()
    found = [
        *await _by_code(services, words),
        *await _by_name(services, caller, words),
        *await _by_number(services, caller, words),
    ]
    theirs = await services.ownership.theirs(caller, {owner for owner, _ in found})
    hits = {owner: by for owner, by in reversed(found) if owner in theirs}
    ordered = [owner for owner in dict.fromkeys(owner for owner, _ in found) if owner in hits][:_FOUND]
    return Hits(hits=[await _hit(services, Owner(owner), hits[owner]) for owner in ordered])


@router.get("/v1/refusals/reasons", tags=["sessions"])
async def reasons(request: Request, caller: StaffCaller) -> ReasonList:
    """Count what was refused in the last week by its reason, the most frequent first."""
    services = services_of(request)
    seen, looked_through = await refusals_seen(services.store, services.ownership, caller)
    grouped: dict[str, list[RefusedRequest]] = {}
    for one in seen:
        grouped.setdefault(one.reason, []).append(one)
    shown = [
        ReasonView(
            reason=reason,
            times=sum(one.times for one in given),
            whom=len({one.who for one in given}),
            newest=RefusalView.of(max(given, key=lambda one: one.at)),
        )
        for reason, given in grouped.items()
    ]
    return ReasonList(
        reasons=sorted(shown, key=lambda one: (-one.times, one.reason)),
        complete=not looked_through,
        looked_through=looked_through,
    )


@router.get("/v1/reservations", tags=["sessions"])
async def reservations(request: Request, caller: StaffCaller, limit: Limit = 100) -> ReservationList:
    """List octets that are reserved in live sessions, those of the longest silent holders first."""
    services = services_of(request)
    beat = await services.pulse.look(by_operator=False)
    theirs = await _visible(services, caller, [session for session, _ in beat.sessions])
    held = sorted(_reservations(theirs, services.clock.now()), key=lambda one: (-one.silent_s, one.session))
    return ReservationList(
        octets=sum(one.octets for one in held),
        ages=[*_ages(held)],
        reservations=held[:limit],
        complete=beat.complete and len(held) <= limit,
        looked_through=0 if beat.complete else len(beat.sessions),
    )


async def _visible(services: Services, caller: Caller, sessions: list[Session]) -> list[Session]:
    theirs = await services.ownership.theirs(caller, {one.owner for one in sessions})
    return [one for one in sessions if one.owner in theirs]


def _reservations(sessions: list[Session], now: int) -> Iterator[ReservationView]:
    for session in sessions:
        for quota in session.quotas:
            if _reserved(quota):
                yield ReservationView(
                    session=session.id,
                    subscriber=name_of(session.owner),
                    holder=session.holder,
                    quota=quota.id,
                    octets=_reserved(quota),
                    silent_s=max(0, now - session.last_at) // 1000,
                    valid_until=format_instant(quota.valid_until),
                    deadline=format_instant(quota.deadline),
                )


def _reserved(quota: Quota) -> int:
    return sum(octets for _, octets in quota.parts)


def _ages(held: list[ReservationView]) -> Iterator[AgeView]:
    younger = 0
    for under_s in (*_AGES_S, 0):
        within = [one for one in held if one.silent_s >= younger and (not under_s or one.silent_s < under_s)]
        yield AgeView(under_s=under_s, octets=sum(one.octets for one in within), quotas=len(within))
        younger = under_s


async def _by_code(services: Services, words: str) -> list[tuple[str, str]]:
    """Find whom an identity code names, or whose id this is."""
    named = await services.store.decide(
        lambda work: look_up(work, words, kinds=("subscriber", "terminal", "base station"))
    )
    if not isinstance(named, Refused):
        return [(named, "identity code")]
    return [
        (f"{kind}/{words}", "id")
        for prefix, kind in (("trm-", "terminal"), ("bst-", "base-station"))
        if words.startswith(prefix)
    ]


async def _by_name(services: Services, caller: Caller, words: str) -> list[tuple[str, str]]:
    found, _ = await listed(services.store, Subscriber, seen=of_operator(caller), prefix=words, limit=_FOUND)
    return [(one.owner, "name") for one in found]


async def _by_number(services: Services, caller: Caller, words: str) -> list[tuple[str, str]]:
    """Find by the beginning of an IMSI or a number: each is a claim on a page of that name."""
    digits = words.removeprefix("+")
    if not digits.isdigit():
        return []
    return [
        (owner, kind.upper())
        for kind in ("imsi", "msisdn")
        for owner in await _claimants(services, caller, prefix=f"{kind}/{digits}")
    ]


async def _claimants(services: Services, caller: Caller, *, prefix: str) -> list[str]:
    """Return who has values that begin so, as far as the caller may look at them."""
    behind: dict[Owner, str] = {}

    async def seen(claims: list[Claim]) -> Callable[[Claim], bool]:
        decisions = [partial(_behind, holder=one.holder) for one in claims]
        owners = await asyncio.gather(*map(services.store.decide, decisions))
        behind.update(zip([one.holder for one in claims], owners, strict=True))
        theirs = await services.ownership.theirs(caller, {*owners} - {""})
        return lambda claim: behind[claim.holder] in theirs

    found, _ = await listed(services.store, Claim, seen=seen, prefix=prefix, limit=_FOUND)
    return [behind[claim.holder] for claim in found]


def _behind(work: Work, holder: Owner) -> str:
    """Return who has it; an IMSI of the pool leads to the terminal that was lent the cloud SIM, or to nobody."""
    if not holder.startswith("iccid/"):
        return holder
    profile = work.get(SimProfile, iccid_owner(name_of(holder)), name_of(holder))
    return f"terminal/{profile.terminal}" if profile and profile.terminal else ""


async def _hit(services: Services, owner: Owner, by: str) -> Hit:
    operator = await services.ownership.operator_of(owner)
    detail = await services.store.decide(lambda work: _detail(work, owner))
    return Hit(
        kind=owner.partition("/")[0].replace("-", " "), name=name_of(owner), by=by, operator=operator, detail=detail
    )


def _detail(work: Work, owner: Owner) -> str:
    kind, name = owner.partition("/")[0], name_of(owner)
    if kind == "subscriber":
        found = find_subscriber(work, name)
        return " · ".join(part for part in (found.display_name, found.imsi, found.msisdn) if part) if found else ""
    terminal = work.get(Terminal, owner, name)
    return " · ".join(part for part in (terminal.subscriber, terminal.imsi) if part) if terminal else ""
