"""What a gateway is told: answers of credit control in the words of RFC 8506, with the quirks of whoever asked.

The order of AVPs is that of the message class; what is at command level and what in a service follows the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qanat.charging.events import Action
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Grant
from qanat.refusals import Refused
from qanat.server.gy.quirks import Quirks
from qanat.server.gy.results import RESULT_CODE, failed_avps
from qanat.units import Unit
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


def granted(house: House, quirks: Quirks, request: CreditControlRequest, told: Answer) -> CreditControlAnswer:
    first = request.cc_request_type is CcRequestType.INITIAL
    grants = iter(told.grants)
    services: list[Mscc] = []
    if request.cc_request_type is not CcRequestType.TERMINATION:
        for service in services_of(request):
            asked = units_asked(service.requested)
            if service.requested is not None and not asked:
                services.append(_no_service(service, ResultCode.RATING_FAILED))
                continue
            services.append(_service(house, quirks, service, [next(grants) for _ in asked], told.at))
    alone = services[0] if services and at_command_level(request) else None
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


def _service(house: House, quirks: Quirks, service: Mscc, grants: list[Grant], at: int) -> Mscc:
    """Answer for one service. What it asked in several units it gets in those that there are."""
    given = [grant for grant in grants if grant.refusal is None]
    if not given:
        refused = grants[0].refusal if grants else None
        return _no_service(service, RESULT_CODE[refused] if refused else ResultCode.SUCCESS)
    final = any(grant.final for grant in given)
    validity_s = max((min([grant.valid_until for grant in given]) - at) // 1000, 1)
    if final and quirks.recheck_s is not None:
        validity_s = min(validity_s, quirks.recheck_s)
    # Of a last quota every octet may be used: coming back early brings nothing.
    thresholds = {} if final else {grant.unit: min(grant.threshold, _MAX_U32) or None for grant in given}
    return Mscc(
        granted=_units(given),
        service_ids=service.service_ids,
        rating_group=service.rating_group,
        validity_time_s=validity_s,
        result_code=ResultCode.SUCCESS,
        final_unit=house.final_unit if final and quirks.told_final else None,
        time_quota_threshold_s=thresholds.get("seconds"),
        volume_quota_threshold=thresholds.get("octets"),
        quota_holding_time_s=house.holding_s,
    )


def _units(grants: list[Grant]) -> Units:
    sizes = {grant.unit: grant.octets for grant in grants}
    seconds = sizes.get("seconds")
    return Units(
        total=sizes.get("octets"),
        time_s=None if seconds is None else min(seconds, _MAX_U32),
        service_specific=sizes.get("units"),
    )


def _no_service(service: Mscc, code: ResultCode) -> Mscc:
    return Mscc(service_ids=service.service_ids, rating_group=service.rating_group, result_code=code)


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


def event_answer(house: House, request: CreditControlRequest, action: Action, told: Answer) -> CreditControlAnswer:
    balance = CheckBalanceResult.ENOUGH_CREDIT if told.refusal is None else CheckBalanceResult.NO_CREDIT
    debited = action is Action.DEBIT
    services = tuple(
        Mscc(
            granted=_units([grant]) if debited else None,
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
        granted=_units([told.grants[0]]) if debited and not services else None,
        check_balance_result=balance if action is Action.CHECK else None,
        proxy_infos=request.proxy_infos,
    )


def services_of(request: CreditControlRequest) -> tuple[Mscc, ...]:
    """Return the services of a request; a single one may stand at command level (RFC 8506 §5.1)."""
    if request.services or (request.requested is None and not request.used):
        return request.services
    return (Mscc(requested=request.requested, used=request.used),)


def at_command_level(request: CreditControlRequest) -> bool:
    return not request.services and (request.requested is not None or bool(request.used))


def units_asked(requested: Units | None) -> list[tuple[Unit, int | None]]:
    """Return the units asked for, each with how many: octets where it is left open; none where only money is asked for."""
    if requested is None:
        return []
    octets, seconds, specific = requested.octets, requested.time_s, requested.service_specific
    if seconds is None and specific is None:
        return [("octets", octets)] if octets is not None or requested.money is None else []
    named: list[tuple[Unit, int | None]] = [("octets", octets), ("seconds", seconds), ("units", specific)]
    return [(unit, amount) for unit, amount in named if amount is not None]
