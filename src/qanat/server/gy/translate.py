"""From credit-control requests to credit control and back. Pure: decides nothing, only says the same thing in other words.

A request's services (MSCC) become uses and asks of one interrogation, so that all rating groups are one transaction; what a
gateway sends at command level (RFC 8506 §5.1: a single service) is read as one service and answered at command level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zlib import crc32

import msgspec

from qanat.charging.credit_control import Ask, Interrogation, Use, disable, interrogate
from qanat.charging.events import Action, settle
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Event, Grant
from qanat.ids import Owner, SessionId
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.refused import remember
from qanat.registry.subscribers import Subscriber, subscriber_by_imsi, subscriber_by_msisdn, subscriber_of
from qanat.registry.unmatched import keep_unmatched
from qanat.server.gy.quirks import Quirks
from qanat.server.gy.results import RESULT_CODE, failed_avps
from qanat.units import MAX_PUBLIC_OCTETS, Octets
from qanat.wire.diameter.groups import FinalUnitIndication, Mscc, SubscriptionId, Units
from qanat.wire.diameter.messages import CREDIT_CONTROL, PROXIABLE, CreditControlAnswer, CreditControlRequest
from qanat.wire.diameter.results import ResultCode
from qanat.wire.diameter.values import (
    CcRequestType,
    CcSessionFailover,
    CheckBalanceResult,
    CreditControlFailureHandling,
    ReportingReason,
    RequestedAction,
    SubscriptionIdType,
)

_MAX_U32: Final = 2**32 - 1
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
_RETURNS: Final = frozenset(
    {ReportingReason.FINAL, ReportingReason.QUOTA_HOLDING_TIME, ReportingReason.UNUSED_QUOTA_TIMER}
)
"""Reasons with which a gateway gives its quota up (TS 32.299 §7.2.175)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Who we are, and what every gateway is told."""

    origin_host: str
    origin_realm: str
    policy: Policy
    final_unit: FinalUnitIndication
    failure_handling: CreditControlFailureHandling
    session_failover: CcSessionFailover
    holding_s: int | None


def names_nobody(request: CreditControlRequest) -> bool:
    return not (request.subscription_ids or request.subscribers)


def answer(
    work: Work, house: House, quirks: Quirks, request: CreditControlRequest, owner: Owner | None = None
) -> CreditControlAnswer:
    """Answer a credit-control request. ``owner`` is whose session it is, where the request itself names nobody."""
    subscriber = _subscriber(work, request, owner)
    if isinstance(subscriber, Refused):
        return _stranger(work, house, request, subscriber)
    octets = _octets_used(request)
    if octets > MAX_PUBLIC_OCTETS:
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
        return _refusal(house, request, refused)
    return _granted(house, quirks, request, told)


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
    for service in _services(request):
        wants = service.requested is not None and _is_rated(service.requested) and event is not Event.FINAL
        if service.used or (wants and event is Event.INTERMEDIATE):
            # A new quota takes the place of the one before, so asking for one ends that (RFC 8506 §5.2).
            ends = wants or _gives_up(service)
            octets = Octets(sum(units.octets or 0 for units in service.used))
            uses.append(Use(octets=octets, rating_group=service.rating_group, ends=ends))
        if wants:
            asks.append(Ask(rating_group=service.rating_group, wanted=_wanted(quirks, service.requested)))
    return Interrogation(
        session=SessionId(request.session_id),
        owner=subscriber.owner,
        event=event,
        number=request.cc_request_number,
        digest=_digest(request),
        front="gy",
        holder=request.origin_host,
        uses=tuple(uses),
        asks=tuple(asks),
        barred=_barred(subscriber),
    )


def _services(request: CreditControlRequest) -> tuple[Mscc, ...]:
    """Return the services of a request; a single one may stand at command level (RFC 8506 §5.1)."""
    if request.services or (request.requested is None and not request.used):
        return request.services
    return (Mscc(requested=request.requested, used=request.used),)


def _at_command_level(request: CreditControlRequest) -> bool:
    return not request.services and (request.requested is not None or bool(request.used))


def _octets_used(request: CreditControlRequest) -> int:
    return sum([units.octets or 0 for service in _services(request) for units in service.used])


def _gives_up(service: Mscc) -> bool:
    reasons = (*service.reporting_reasons, *(reason for units in service.used for reason in units.reporting_reasons))
    return any(reason in _RETURNS for reason in reasons)


def _is_rated(requested: Units) -> bool:
    """Tell whether octets are asked for, by name or by leaving it open; time, events and money are not rated here."""
    other = (requested.time_s, requested.service_specific, requested.money)
    return requested.octets is not None or other == (None, None, None)


def _wanted(quirks: Quirks, requested: Units | None) -> Octets | None:
    octets = None if requested is None or quirks.asks_are_hints else requested.octets
    return Octets(octets) if octets else None


_encode: Final = msgspec.msgpack.Encoder().encode


def _digest(request: CreditControlRequest) -> int:
    """Return what tells a repeat from another request with the same number: all that is charged by."""
    return crc32(_encode((request.cc_request_type, request.services, request.requested, request.used)))


def _barred(subscriber: Subscriber) -> Refused | None:
    if subscriber.status == "active":
        return None
    facts: dict[str, int | str] = {"subscriber": subscriber.id, "operator": subscriber.operator}
    return Refused(Refusal.SUBSCRIBER_SUSPENDED, facts)


# Answering


def _granted(house: House, quirks: Quirks, request: CreditControlRequest, told: Answer) -> CreditControlAnswer:
    first = request.cc_request_type is CcRequestType.INITIAL
    grants = iter(told.grants)
    services: list[Mscc] = []
    if request.cc_request_type is not CcRequestType.TERMINATION:
        for service in _services(request):
            if service.requested is not None and not _is_rated(service.requested):
                services.append(_no_service(service, ResultCode.RATING_FAILED))
                continue
            grant = next(grants) if service.requested is not None else None
            services.append(_service(house, quirks, service, grant, told.at))
    alone = services[0] if services and _at_command_level(request) else None
    return CreditControlAnswer(
        flags=request.flags & PROXIABLE,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        session_id=request.session_id,
        result_code=alone.result_code if alone else ResultCode.SUCCESS,
        origin_host=house.origin_host,
        origin_realm=house.origin_realm,
        auth_application_id=CREDIT_CONTROL,
        cc_request_type=request.cc_request_type,
        cc_request_number=request.cc_request_number,
        services=() if alone else tuple(services),
        cc_session_failover=house.session_failover if first else None,
        granted=alone.granted if alone else None,
        final_unit=alone.final_unit if alone else None,
        failure_handling=house.failure_handling if first else None,
        validity_time_s=alone.validity_time_s if alone else None,
        proxy_infos=request.proxy_infos,
    )


def _service(house: House, quirks: Quirks, service: Mscc, grant: Grant | None, at: int) -> Mscc:
    if grant is None or grant.refusal is not None:
        code = ResultCode.SUCCESS if grant is None or grant.refusal is None else RESULT_CODE[grant.refusal]
        return _no_service(service, code)
    validity_s = max((grant.valid_until - at) // 1000, 1)
    if grant.final and quirks.recheck_s is not None:
        validity_s = min(validity_s, quirks.recheck_s)
    return Mscc(
        granted=Units(total=grant.octets),
        service_ids=service.service_ids,
        rating_group=service.rating_group,
        validity_time_s=validity_s,
        result_code=ResultCode.SUCCESS,
        final_unit=house.final_unit if grant.final else None,
        # Of a last quota every octet may be used: coming back early brings nothing.
        volume_quota_threshold=None if grant.final else min(grant.threshold, _MAX_U32) or None,
        quota_holding_time_s=house.holding_s,
    )


def _no_service(service: Mscc, code: ResultCode) -> Mscc:
    return Mscc(service_ids=service.service_ids, rating_group=service.rating_group, result_code=code)


def _whole_refusal(quirks: Quirks, request: CreditControlRequest, told: Answer) -> Refused | None:
    """Return why the command as a whole is refused, if it is."""
    if told.refusal is not None:
        return Refused(told.refusal, told.facts)
    reasons = [grant for grant in told.grants if grant.refusal is not None]
    if not reasons or len(reasons) < len(told.grants):
        return None
    refusal = reasons[0].refusal
    assert refusal is not None, "only refused grants are here"
    whole = quirks.refuse_whole or refusal is Refusal.SUBSCRIBER_SUSPENDED or _at_command_level(request)
    return Refused(refusal, reasons[0].facts) if whole else None


def _remember_refusals(work: Work, subscriber: Subscriber, request: CreditControlRequest, told: Answer) -> None:
    for reason, facts in ((told.refusal, told.facts), *((grant.refusal, grant.facts) for grant in told.grants)):
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
    return _refusal(house, request, refused)


def _refusal(house: House, request: CreditControlRequest, refused: Refused) -> CreditControlAnswer:
    return CreditControlAnswer(
        flags=request.flags & PROXIABLE,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        session_id=request.session_id,
        result_code=RESULT_CODE[refused.reason],
        origin_host=house.origin_host,
        origin_realm=house.origin_realm,
        auth_application_id=CREDIT_CONTROL,
        cc_request_type=request.cc_request_type,
        cc_request_number=request.cc_request_number,
        error_message=refused.sentence[:255],
        failed_avps=failed_avps(refused.reason, request.cc_request_number),
        proxy_infos=request.proxy_infos,
    )


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
    return _event_answer(house, request, action, told)


_LITERAL: Final = Quirks()


def _event_answer(house: House, request: CreditControlRequest, action: Action, told: Answer) -> CreditControlAnswer:
    balance = CheckBalanceResult.ENOUGH_CREDIT if told.refusal is None else CheckBalanceResult.NO_CREDIT
    debited = action is Action.DEBIT
    services = tuple(
        Mscc(
            granted=Units(total=grant.octets) if debited else None,
            service_ids=service.service_ids,
            rating_group=service.rating_group,
            result_code=ResultCode.SUCCESS,
        )
        for service, grant in zip(request.services, told.grants, strict=False)
    )
    return CreditControlAnswer(
        flags=request.flags & PROXIABLE,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        session_id=request.session_id,
        result_code=ResultCode.SUCCESS,
        origin_host=house.origin_host,
        origin_realm=house.origin_realm,
        auth_application_id=CREDIT_CONTROL,
        cc_request_type=request.cc_request_type,
        cc_request_number=request.cc_request_number,
        services=services,
        granted=Units(total=told.grants[0].octets) if debited and not services else None,
        check_balance_result=balance if action is Action.CHECK else None,
        proxy_infos=request.proxy_infos,
    )
