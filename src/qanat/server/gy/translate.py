"""From credit-control requests to credit control and back. Pure: decides nothing, only says the same thing in other words.

What a request says is ``reading``; what the gateway is told, ``answers``; here is whom it is about, and what is refused.
"""

from __future__ import annotations

from typing import Final

from qanat.charging.credit_control import disable, interrogate
from qanat.charging.events import Action, settle
from qanat.charging.interrogation import Interrogation, Use
from qanat.charging.session import Answer, Event
from qanat.ids import Owner
from qanat.ledger.book import countable
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.refused import remember
from qanat.registry.subscribers import Subscriber, subscriber_by_imsi, subscriber_by_msisdn, subscriber_of
from qanat.registry.unmatched import keep_unmatched
from qanat.server.gy.answers import House, Reply, event_answer, granted, refusal
from qanat.server.gy.quirks import Quirks
from qanat.server.gy.reading import (
    Awaiting,
    at_command_level,
    interrogation,
    most_used,
    octets_used,
    read,
)
from qanat.units import MAX_PUBLIC_OCTETS, Octets
from qanat.wire.diameter.groups import SubscriptionId
from qanat.wire.diameter.messages import CreditControlRequest
from qanat.wire.diameter.values import CcRequestType, RequestedAction, SubscriptionIdType

_ONCE: Final = Event.ONCE
_IMSI: Final = SubscriptionIdType.IMSI
_ACTIONS: Final = {
    RequestedAction.DIRECT_DEBITING: Action.DEBIT,
    RequestedAction.REFUND_ACCOUNT: Action.REFUND,
    RequestedAction.CHECK_BALANCE: Action.CHECK,
}


def answer(
    work: Work,
    house: House,
    quirks: Quirks,
    request: CreditControlRequest,
    *,
    names: tuple[SubscriptionId, ...],
    owner: Owner | None,
) -> Reply:
    """Answer a credit-control request. ``names`` are the subscriber's in it; ``owner`` is whose session it is, where it
    names nobody."""
    subscriber = _subscriber(work, request, names, owner)
    if isinstance(subscriber, Refused):
        return _stranger(work, house, request, names, subscriber)
    event, uses, asks, awaiting = read(request, quirks)
    implausible = _implausible(work, subscriber.owner, uses)
    if implausible is not None:
        return _refused(work, house, request, implausible, subscriber.owner)
    asked = interrogation(request, subscriber, event, uses, asks)
    if event is _ONCE:
        return _event(work, house, request, awaiting, asked)
    told = interrogate(work, house.policy, asked)
    if _refuses(told):
        _remember_refusals(work, asked, told)
        whole = _whole_refusal(quirks, request, told)
        if whole is not None:
            if asked.event is Event.FIRST and told.refusal is None:
                # Who is refused so sends no final request: what it holds goes home now.
                disable(work, asked.owner, asked.session)
            return refusal(house, request, whole)
    return granted(house, quirks, request, awaiting, told)


# Reading


def _subscriber(
    work: Work, request: CreditControlRequest, names: tuple[SubscriptionId, ...], owner: Owner | None
) -> Subscriber | Refused:
    """Return whom the request names: by IMSI if it can be found by that, else by number."""
    first: Refused | None = None
    for name in names if len(names) == 1 else sorted(names, key=_not_by_imsi):
        if name.kind is _IMSI:
            found = subscriber_by_imsi(work, name.data)
        elif name.kind is SubscriptionIdType.E164:
            found = subscriber_by_msisdn(work, name.data.removeprefix("+"))
        else:
            found = Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": name.data})
        if isinstance(found, Subscriber):
            return found
        first = first or found
    if first is not None:
        return first
    if owner is not None:
        return subscriber_of(work, owner)
    if request.cc_request_type in (CcRequestType.UPDATE, CcRequestType.TERMINATION):
        return Refused(Refusal.UNKNOWN_SESSION, {"session": request.session_id})
    return Refused(Refusal.NO_IDENTITY)


def _not_by_imsi(name: SubscriptionId) -> bool:
    return name.kind is not _IMSI


def _implausible(work: Work, owner: Owner, uses: tuple[Use, ...]) -> Refused | None:
    """Refuse usage that nobody can have: what is used of a unit in all stays below 2**63."""
    together = 0
    for use in uses:
        together += use.octets
    if not together or together <= (limit := countable(work, owner)):
        return None
    most = most_used(uses)
    return Refused(Refusal.IMPLAUSIBLE_USAGE, {"octets": most}) if most > limit else None


def _refuses(told: Answer) -> bool:
    """Tell whether anything that was asked for is refused."""
    for grant in told.grants:
        if grant.refusal is not None:
            return True
    return told.refusal is not None


def _whole_refusal(quirks: Quirks, request: CreditControlRequest, told: Answer) -> Refused | None:
    """Return why the command as a whole is refused, if it is."""
    if told.refusal is not None:
        return Refused(told.refusal, told.facts)
    reasons = [grant for grant in told.grants if grant.refusal is not None]
    if not reasons or len(reasons) < len(told.grants):
        return None
    refusal = reasons[0].refusal
    assert refusal is not None, "only refused grants are here"
    whole = quirks.refuse_whole or refusal is Refusal.SUBSCRIBER_SUSPENDED or at_command_level(request)
    return Refused(refusal, reasons[0].facts) if whole else None


def _remember_refusals(work: Work, asked: Interrogation, told: Answer) -> None:
    """Remember why a service got nothing; one that asked in several units and got one of them was served."""
    served = {grant.rating_group for grant in told.grants if grant.refusal is None}
    reasons = [(grant.refusal, grant.facts) for grant in told.grants if grant.rating_group not in served]
    for reason, facts in ((told.refusal, told.facts), *reasons):
        if reason is not None:
            remember(work, Refused(reason, facts), who=asked.owner, session=asked.session)


def _stranger(
    work: Work, house: House, request: CreditControlRequest, names: tuple[SubscriptionId, ...], refused: Refused
) -> Reply:
    """Refuse a request of somebody we can't charge; usage it reports is kept for the operator."""
    identity = names[0].data if names else ""
    octets = Octets(min(octets_used(request), MAX_PUBLIC_OCTETS))
    if octets:
        keep_unmatched(
            work,
            session=request.session_id,
            number=request.cc_request_number,
            holder=request.origin_host,
            identity=identity,
            octets=octets,
        )
    who = f"identity/{identity}" if identity else f"peer/{request.origin_host}"
    return _refused(work, house, request, refused, who)


def _refused(work: Work, house: House, request: CreditControlRequest, refused: Refused, who: str) -> Reply:
    """Refuse the command as a whole, and remember why."""
    remember(work, refused, who=who, session=request.session_id)
    work.act = work.act or "refused"
    return refusal(house, request, refused)


# Single events


def _event(
    work: Work, house: House, request: CreditControlRequest, awaiting: tuple[Awaiting, ...], asked: Interrogation
) -> Reply:
    action = _ACTIONS.get(request.requested_action or RequestedAction.DIRECT_DEBITING)
    if action is None:
        refused = Refused(Refusal.NOT_RATED, {"service": "a price enquiry"})
        return _refused(work, house, request, refused, asked.owner)
    told = settle(work, action, asked)
    if told.refusal is not None and action is not Action.CHECK:
        return _refused(work, house, request, Refused(told.refusal, told.facts), asked.owner)
    return event_answer(house, request, awaiting, action, told)
