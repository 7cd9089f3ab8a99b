"""From credit-control requests to credit control and back. Pure: decides nothing, only says the same thing in other words.

A request's services (MSCC) become uses and asks of one interrogation, so that all rating groups are one transaction; what a
gateway sends at command level (RFC 8506 §5.1: a single service) is read as one service and answered at command level.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

import msgspec

from qanat.charging.credit_control import Ask, Interrogation, Use, disable, interrogate
from qanat.charging.events import Action, settle
from qanat.charging.session import Answer, Event
from qanat.ids import Owner, SessionId
from qanat.ledger.book import countable
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.refused import remember
from qanat.registry.subscribers import Subscriber, subscriber_by_imsi, subscriber_by_msisdn, subscriber_of
from qanat.registry.unmatched import keep_unmatched
from qanat.server.gy.answers import (
    House,
    at_command_level,
    event_answer,
    granted,
    refusal,
    services_of,
    units_asked,
)
from qanat.server.gy.quirks import Quirks
from qanat.units import MAX_PUBLIC_OCTETS, Octets
from qanat.wire.diameter.groups import Mscc, SubscriptionId
from qanat.wire.diameter.messages import CreditControlAnswer, CreditControlRequest
from qanat.wire.diameter.values import (
    CcRequestType,
    ReportingReason,
    RequestedAction,
    SubscriptionIdType,
)

_EVENTS: Final = {
    CcRequestType.INITIAL: Event.FIRST,
    CcRequestType.UPDATE: Event.INTERMEDIATE,
    CcRequestType.TERMINATION: Event.FINAL,
    CcRequestType.EVENT: Event.ONCE,
}
_ACTIONS: Final = {
    RequestedAction.DIRECT_DEBITING: Action.DEBIT,
    RequestedAction.REFUND_ACCOUNT: Action.REFUND,
    RequestedAction.CHECK_BALANCE: Action.CHECK,
}
_encode: Final = msgspec.msgpack.Encoder().encode
_RETURNS: Final = frozenset(
    {ReportingReason.FINAL, ReportingReason.QUOTA_HOLDING_TIME, ReportingReason.UNUSED_QUOTA_TIMER}
)
"""Reasons with which a gateway gives its quota up (TS 32.299 §7.2.175)."""


def names_nobody(request: CreditControlRequest) -> bool:
    return not (request.subscription_ids or request.subscribers)


def answer(
    work: Work, house: House, quirks: Quirks, request: CreditControlRequest, owner: Owner | None = None
) -> CreditControlAnswer:
    """Answer a credit-control request. ``owner`` is whose session it is, where the request itself names nobody."""
    subscriber = _subscriber(work, request, owner)
    if isinstance(subscriber, Refused):
        return _stranger(work, house, request, subscriber)
    octets = _most_used(request)
    if octets and octets > countable(work, subscriber.owner):
        return _refused(work, house, request, Refused(Refusal.IMPLAUSIBLE_USAGE, {"octets": octets}), subscriber.owner)
    if request.cc_request_type is CcRequestType.EVENT:
        return _event(work, house, request, subscriber)
    asked = _interrogation(quirks, request, subscriber)
    told = interrogate(work, house.policy, asked)
    refused = _whole_refusal(quirks, request, told)
    _remember_refusals(work, subscriber, request, told)
    if refused is not None:
        if asked.event is Event.FIRST and told.refusal is None:
            # A gateway that is refused as a whole sends no final request: what it holds goes home now.
            disable(work, subscriber.owner, asked.session)
        return refusal(house, request, refused)
    return granted(house, quirks, request, told)


# Reading


def _subscriber(work: Work, request: CreditControlRequest, owner: Owner | None) -> Subscriber | Refused:
    """Return whom the request names: by IMSI if it can be found by that, else by number."""
    first: Refused | None = None
    names = request.subscribers
    for name in names if len(names) == 1 else sorted(names, key=_not_by_imsi):
        if name.kind is SubscriptionIdType.IMSI:
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
    return name.kind is not SubscriptionIdType.IMSI


def _interrogation(quirks: Quirks, request: CreditControlRequest, subscriber: Subscriber) -> Interrogation:
    event, uses, asks = _EVENTS[request.cc_request_type], [], []
    for service in services_of(request):
        wanted = units_asked(service.requested) if event is not Event.FINAL else ()
        if service.used or (wanted and event is Event.INTERMEDIATE):
            # A new quota takes the place of the one before, so asking for one ends that (RFC 8506 §5.2).
            ends = bool(wanted) or _gives_up(service)
            octets = Octets(sum(units.octets or 0 for units in service.used))
            uses += _other_uses(service)
            uses.append(Use(octets=octets, rating_group=service.rating_group, ends=ends))
        for unit, amount in wanted:
            hint = None if quirks.asks_are_hints or not amount else Octets(amount)
            asks.append(Ask(rating_group=service.rating_group, wanted=hint, unit=unit))
    return Interrogation(
        session=SessionId(request.session_id),
        owner=subscriber.owner,
        event=event,
        number=request.cc_request_number,
        digest=crc32(_encode((event, uses, asks))),
        front="gy",
        holder=request.origin_host,
        uses=tuple(uses),
        asks=tuple(asks),
        barred=_barred(subscriber),
    )


def _octets_used(request: CreditControlRequest) -> int:
    return sum([units.octets or 0 for service in services_of(request) for units in service.used])


def _most_used(request: CreditControlRequest) -> int:
    """Return the largest count that a request reports, of whatever unit."""
    octets = seconds = specific = 0
    for service in services_of(request):
        for units in service.used:
            octets += units.octets or 0
            seconds += units.time_s or 0
            specific += units.service_specific or 0
    return max(octets, seconds, specific)


def _other_uses(service: Mscc) -> list[Use]:
    """Return what was used of units other than octets."""
    seconds = specific = 0
    for units in service.used:
        seconds += units.time_s or 0
        specific += units.service_specific or 0
    uses = []
    if seconds:
        uses.append(Use(octets=Octets(seconds), rating_group=service.rating_group, unit="seconds"))
    if specific:
        uses.append(Use(octets=Octets(specific), rating_group=service.rating_group, unit="units"))
    return uses


def _gives_up(service: Mscc) -> bool:
    reasons = (*service.reporting_reasons, *(reason for units in service.used for reason in units.reporting_reasons))
    return any(reason in _RETURNS for reason in reasons)


def _barred(subscriber: Subscriber) -> Refused | None:
    if subscriber.status == "active":
        return None
    facts: dict[str, int | str] = {"subscriber": subscriber.id, "operator": subscriber.operator}
    return Refused(Refusal.SUBSCRIBER_SUSPENDED, facts)


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


def _remember_refusals(work: Work, subscriber: Subscriber, request: CreditControlRequest, told: Answer) -> None:
    """Remember why a service got nothing; one that asked in several units and got one of them was served."""
    served = {grant.rating_group for grant in told.grants if grant.refusal is None}
    reasons = [(grant.refusal, grant.facts) for grant in told.grants if grant.rating_group not in served]
    for reason, facts in ((told.refusal, told.facts), *reasons):
        if reason is not None:
            remember(work, Refused(reason, facts), who=subscriber.owner, session=request.session_id)


def _stranger(work: Work, house: House, request: CreditControlRequest, refused: Refused) -> CreditControlAnswer:
    """Refuse a request of somebody we can't charge; usage it reports is kept for the operator."""
    identity = request.subscribers[0].data if request.subscribers else ""
    octets = Octets(min(_octets_used(request), MAX_PUBLIC_OCTETS))
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


def _refused(
    work: Work, house: House, request: CreditControlRequest, refused: Refused, who: str
) -> CreditControlAnswer:
    """Refuse the command as a whole, and remember why."""
    remember(work, refused, who=who, session=request.session_id)
    work.act = work.act or "refused"
    return refusal(house, request, refused)


# Single events


def _event(work: Work, house: House, request: CreditControlRequest, subscriber: Subscriber) -> CreditControlAnswer:
    action = _ACTIONS.get(request.requested_action or RequestedAction.DIRECT_DEBITING)
    if action is None:
        refused = Refused(Refusal.NOT_RATED, {"service": "a price enquiry"})
        return _refused(work, house, request, refused, subscriber.owner)
    asked = _interrogation(_LITERAL, request, subscriber)
    told = settle(work, action, asked)
    if told.refusal is not None and action is not Action.CHECK:
        return _refused(work, house, request, Refused(told.refusal, told.facts), subscriber.owner)
    return event_answer(house, request, action, told)


_LITERAL: Final = Quirks()
