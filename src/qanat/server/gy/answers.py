"""What a gateway is told: answers of credit control in the words of RFC 8506, with the quirks of whoever asked.

The order of AVPs is that of the message class; what is at command level and what in a service follows the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from qanat.charging.events import Action
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Grant
from qanat.refusals import Refused
from qanat.server.gy.quirks import Quirks
from qanat.server.gy.reading import Awaiting
from qanat.server.gy.results import RESULT_CODE, failed_avps
from qanat.wire.diameter.groups import FinalUnitIndication, Mscc, Units
from qanat.wire.diameter.messages import CREDIT_CONTROL, PROXIABLE, CreditControlAnswer, CreditControlRequest
from qanat.wire.diameter.results import ResultCode
from qanat.wire.diameter.values import (
    CcRequestType,
    CcSessionFailover,
    CheckBalanceResult,
    CreditControlFailureHandling,
)

_MAX_U32: Final = 2**32 - 1
_INITIAL: Final = CcRequestType.INITIAL
_SUCCESS: Final = ResultCode.SUCCESS


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


def granted(
    house: House, quirks: Quirks, request: CreditControlRequest, awaiting: tuple[Awaiting, ...], told: Answer
) -> CreditControlAnswer:
    """Tell each service what it got."""
    services: tuple[Mscc, ...] = ()
    for service, begin, end in awaiting:
        services += (_service(house, quirks, service, told.grants[begin:end], told.at),)
    answer = CreditControlAnswer(
        flags=request.flags & PROXIABLE,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        session_id=request.session_id,
        result_code=_SUCCESS,
        origin_host=house.origin_host,
        origin_realm=house.origin_realm,
        auth_application_id=CREDIT_CONTROL,
        cc_request_type=request.cc_request_type,
        cc_request_number=request.cc_request_number,
        services=services,
        proxy_infos=request.proxy_infos,
    )
    if request.cc_request_type is _INITIAL:
        answer = replace(answer, cc_session_failover=house.session_failover, failure_handling=house.failure_handling)
    return answer if request.services or not services else _at_command_level(answer, services[0])


def _at_command_level(answer: CreditControlAnswer, service: Mscc) -> CreditControlAnswer:
    """Say of the only service what it got where its request asked: in the command itself."""
    return replace(
        answer,
        services=(),
        result_code=service.result_code,
        granted=service.granted,
        final_unit=service.final_unit,
        validity_time_s=service.validity_time_s,
    )


def _service(house: House, quirks: Quirks, service: Mscc, grants: tuple[Grant, ...], at: int) -> Mscc:
    """Answer for one service. What it asked in several units it gets in those that there are."""
    total = time_s = specific = volume_left = time_left = until = None
    final = False
    for grant in grants:
        if grant.refusal is not None:
            continue
        until = grant.valid_until if until is None else min(until, grant.valid_until)
        final = final or grant.final
        if grant.unit == "octets":
            total, volume_left = grant.octets, _u32(grant.threshold) or None
        elif grant.unit == "seconds":
            time_s, time_left = _u32(grant.octets), _u32(grant.threshold) or None
        else:
            specific = grant.octets
    if until is None:
        return Mscc(
            service_ids=service.service_ids, rating_group=service.rating_group, result_code=_why_not(service, grants)
        )
    validity_s = max((until - at) // 1000, 1)
    if final:
        # Every octet of a last quota may be used: coming back early brings nothing.
        volume_left = time_left = None
        validity_s = validity_s if quirks.recheck_s is None else min(validity_s, quirks.recheck_s)
    return Mscc(
        granted=Units(total=total, time_s=time_s, service_specific=specific),
        service_ids=service.service_ids,
        rating_group=service.rating_group,
        validity_time_s=validity_s,
        result_code=_SUCCESS,
        final_unit=house.final_unit if final and quirks.told_final else None,
        time_quota_threshold_s=time_left,
        volume_quota_threshold=volume_left,
        quota_holding_time_s=house.holding_s,
    )


def _why_not(service: Mscc, grants: tuple[Grant, ...]) -> ResultCode:
    """Return the Result-Code of a service that gets nothing: it asked for nothing, for what is not sold here, or in vain."""
    if not grants:
        return ResultCode.SUCCESS if service.requested is None else ResultCode.RATING_FAILED
    assert grants[0].refusal is not None, "only a service without a grant gets nothing"
    return RESULT_CODE[grants[0].refusal]


def refusal(house: House, request: CreditControlRequest, refused: Refused) -> CreditControlAnswer:
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


def event_answer(
    house: House, request: CreditControlRequest, awaiting: tuple[Awaiting, ...], action: Action, told: Answer
) -> CreditControlAnswer:
    balance = CheckBalanceResult.ENOUGH_CREDIT if told.refusal is None else CheckBalanceResult.NO_CREDIT
    debited = action is Action.DEBIT
    services = tuple(
        Mscc(
            granted=_debited(told.grants[begin]) if debited and begin < end else None,
            service_ids=service.service_ids,
            rating_group=service.rating_group,
            result_code=_SUCCESS if begin < end else _why_not(service, ()),
        )
        for service, begin, end in awaiting
        if told.grants and request.services
    )
    return CreditControlAnswer(
        flags=request.flags & PROXIABLE,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        session_id=request.session_id,
        result_code=_SUCCESS,
        origin_host=house.origin_host,
        origin_realm=house.origin_realm,
        auth_application_id=CREDIT_CONTROL,
        cc_request_type=request.cc_request_type,
        cc_request_number=request.cc_request_number,
        services=services,
        granted=_debited(told.grants[0]) if debited and not services else None,
        check_balance_result=balance if action is Action.CHECK else None,
        proxy_infos=request.proxy_infos,
    )


def _debited(grant: Grant) -> Units:
    if grant.unit == "octets":
        return Units(total=grant.octets)
    if grant.unit == "seconds":
        return Units(time_s=_u32(grant.octets))
    return Units(service_specific=grant.octets)


def _u32(amount: int) -> int:
    """Return an amount as far as 32 bits hold it."""
    return amount if amount < _MAX_U32 else _MAX_U32
