"""Subscribers: the user ends who own terminals, sign in and pay; and how equipment's identities lead to them."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller, caller_may_serve
from qanat.registry.names import (
    claim,
    free_or_refused,
    holder_of,
    imsi_owner,
    msisdn_owner,
    name_of,
    sign_in_name_owner,
    subscriber_owner,
)
from qanat.registry.operators import require_operator
from qanat.registry.sims import SimProfile
from qanat.units import Instant

Status = Literal["active", "suspended"]


class Subscriber(Record, frozen=True, kw_only=True):
    operator: str
    status: Status = "active"
    imsi: str = ""
    """Of the subscriber's own SIM, where equipment knows it by that; cloud SIMs lead here through their terminal."""
    msisdn: str = ""
    display_name: str = ""
    created_at: Instant


def create_subscriber(
    work: Work, *, name: str, operator: str, imsi: str = "", msisdn: str = "", display_name: str = ""
) -> Subscriber | Refused:
    owner = subscriber_owner(name)
    home = require_operator(work, operator)
    if isinstance(home, Refused):
        return home
    if holder_of(work, sign_in_name_owner(name)):
        return Refused(Refusal.NAME_TAKEN, {"thing": f"The name {name}"})
    values = [(imsi_owner(imsi), f"A holder of IMSI {imsi}")] if imsi else []
    values += [(msisdn_owner(msisdn), f"A holder of number {msisdn}")] if msisdn else []
    for page, thing in values:
        taken = free_or_refused(work, page, holder=owner, thing=thing)
        if taken:
            return taken
    for page in (sign_in_name_owner(name), *(page for page, _ in values)):
        claim(work, page, holder=owner)
    subscriber = Subscriber(
        owner=owner,
        id=name,
        operator=operator,
        imsi=imsi,
        msisdn=msisdn,
        display_name=display_name,
        created_at=work.now,
    )
    work.put(subscriber)
    work.act = "subscriber created"
    return subscriber


def set_status(work: Work, subscriber: Subscriber, status: Status) -> Subscriber:
    """Suspend a subscriber or set it active again. Repeating is safe."""
    subscriber = replace(subscriber, status=status)
    work.put(subscriber)
    work.act = f"subscriber {status}"
    return subscriber


def find_subscriber(work: Work, name: str) -> Subscriber | None:
    return work.get(Subscriber, subscriber_owner(name), name)


def subscriber_or_refused(work: Work, name: str) -> Subscriber | Refused:
    return find_subscriber(work, name) or Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": name})


def barred(subscriber: Subscriber) -> Refused | None:
    """Tell why nothing may be granted, sold or enrolled to a subscriber now, if so. What it used is counted all the same."""
    if subscriber.status == "active":
        return None
    return Refused(Refusal.SUBSCRIBER_SUSPENDED, {"subscriber": subscriber.id, "operator": subscriber.operator})


def active_or_refused(work: Work, name: str) -> Subscriber | Refused:
    found = subscriber_or_refused(work, name)
    return found if isinstance(found, Refused) else barred(found) or found


def reach(work: Work, caller: Caller, name: str) -> Subscriber | Refused:
    """Return the subscriber if this caller may act for it.

    A subscriber asking for somebody else, and an operator asking for another operator's, learn nothing about whether
    the name exists.
    """
    if caller.role == "subscriber" and caller.who != name:
        return Refused(Refusal.NOT_ALLOWED, {"who": caller.who, "needed": name})
    subscriber = find_subscriber(work, name)
    if subscriber is None or not (caller.role == "subscriber" or caller_may_serve(caller, subscriber.operator)):
        return Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": name})
    return subscriber


def subscriber_by_imsi(work: Work, imsi: str) -> Subscriber | Refused:
    """Return whom an IMSI is charged to: its subscriber, or the one whose terminal was lent that cloud SIM."""
    holder = holder_of(work, imsi_owner(imsi))
    found = _charged(work, holder) if holder else None
    return found or Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": imsi})


def _charged(work: Work, holder: Owner) -> Subscriber | None:
    """Return the subscriber who is charged for what this holder does; None for a SIM nobody has."""
    kind, _, name = holder.partition("/")
    if kind != "iccid":
        return work.get(Subscriber, holder, name)
    profile = work.get(SimProfile, holder, name)
    return find_subscriber(work, profile.subscriber) if profile else None


def subscriber_by_msisdn(work: Work, msisdn: str) -> Subscriber | Refused:
    holder = holder_of(work, msisdn_owner(msisdn))
    found = work.get(Subscriber, holder, name_of(holder)) if holder else None
    return found or Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": msisdn})


def subscriber_of(work: Work, owner: Owner) -> Subscriber | Refused:
    """Return the subscriber whose page this is."""
    return subscriber_or_refused(work, name_of(owner))
