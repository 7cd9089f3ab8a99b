"""What a gateway is told: answers of credit control in the words of RFC 8506, with the quirks of whoever asked.

The order of AVPs is that of the message class; what is at command level and what in a service follows the request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace

from qanat.charging.events import Action
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Grant
from qanat.refusals import Refused
from qanat.server.gy.quirks import Quirks
from qanat.server.gy.reading import Awaiting, at_command_level
from qanat.server.gy.results import RESULT_CODE, failed_avps
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.groups import FinalUnitIndication, Mscc, Units
from qanat.wire.diameter.messages import CREDIT_CONTROL, PROXIABLE, CreditControlAnswer, CreditControlRequest
from qanat.wire.diameter.results import ResultCode
from qanat.wire.diameter.stencil import stencil
from qanat.wire.diameter.values import (
    CcRequestType,
    CcSessionFailover,
    CheckBalanceResult,
    CreditControlFailureHandling,
)

_MAX_U32: Final = 2**32 - 1
_INITIAL: Final = CcRequestType.INITIAL
_SUCCESS: Final = ResultCode.SUCCESS
_AMOUNTS: Final = (
    "CC-Time",
    "CC-Total-Octets",
    "CC-Service-Specific-Units",
    "Rating-Group",
    "Validity-Time",
    "Time-Quota-Threshold",
    "Volume-Quota-Threshold",
)
"""What differs from one service to the next, in the order of the wire."""
_MAX_FORMS: Final = 1024
_FORM_OCTETS: Final = 1 << 11
"""The longest answer that is kept as a form: seven services and more."""


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
    forms: dict[tuple[Any, ...], Callable[..., bytes]] = field(default_factory=dict)
    """Answers that were given before, to be filled in: by all that is not filled in."""


class Reply:
    """An answer as it goes out."""

    __slots__ = ("octets", "result_code")

    def __init__(self, result_code: int, octets: bytes) -> None:
        self.result_code = result_code
        self.octets = octets


class _Told:
    """What one service is told: on terms that many share, amounts that hardly any two have in common."""

    __slots__ = (
        "final",
        "rating_group",
        "result_code",
        "service_ids",
        "specific",
        "time_left",
        "time_s",
        "total",
        "validity_s",
        "volume_left",
    )

    def __init__(self, service: Mscc) -> None:
        self.service_ids = service.service_ids
        self.rating_group = service.rating_group
        self.result_code: int = _SUCCESS
        self.final = False
        """It is told that there will be no other quota."""
        self.time_s: int | None = None
        self.total: int | None = None
        self.specific: int | None = None
        self.validity_s: int | None = None
        """None where nothing is granted."""
        self.time_left: int | None = None
        self.volume_left: int | None = None

    def terms(self) -> tuple[Any, ...]:
        """Return all that is no amount, which amounts there are included."""
        return (
            self.service_ids,
            self.result_code,
            self.final,
            self.time_s is None,
            self.total is None,
            self.specific is None,
            self.rating_group is None,
            self.time_left is None,
            self.volume_left is None,
        )

    def amounts(self) -> tuple[int | None, ...]:
        """Return what ``_AMOUNTS`` names; None for what the service is not told."""
        return (
            self.time_s,
            self.total,
            self.specific,
            self.rating_group,
            self.validity_s,
            self.time_left,
            self.volume_left,
        )


def granted(
    house: House, quirks: Quirks, request: CreditControlRequest, awaiting: tuple[Awaiting, ...], answer: Answer
) -> Reply:
    """Tell each service what it got. What answers have in common is kept as forms; the rest is filled in."""
    told = [_told(quirks, service, answer.grants[begin:end], answer.at) for service, begin, end in awaiting]
    if request.proxy_infos or at_command_level(request):
        return _written(_whole(house, request, told))
    name = request.session_id.encode()
    kind: tuple[Any, ...] = (request.flags & PROXIABLE, request.cc_request_type, len(name))
    blanks: list[Any] = [request.hop_by_hop, request.end_to_end, name, request.cc_request_number]
    for one in told:
        kind += one.terms()
        blanks += [amount for amount in one.amounts() if amount is not None]
    form = house.forms.get(kind)
    if form is not None:
        return Reply(_SUCCESS, form(*blanks))
    octets = encode(_whole(house, request, told))
    if len(octets) <= _FORM_OCTETS:
        if len(house.forms) == _MAX_FORMS:
            house.forms.clear()
        house.forms[kind] = _form(octets, told)
    return Reply(_SUCCESS, octets)


def _form(octets: bytes, told: list[_Told]) -> Callable[..., bytes]:
    """Return what fills other names, numbers and amounts into this answer."""
    named = [name for one in told for name, amount in zip(_AMOUNTS, one.amounts(), strict=True) if amount is not None]
    return stencil(octets, "Session-Id", "CC-Request-Number", *named)


def _written(answer: CreditControlAnswer) -> Reply:
    assert answer.result_code is not None, "every answer of ours has a Result-Code"
    return Reply(answer.result_code, encode(answer))


def _whole(house: House, request: CreditControlRequest, told: list[_Told]) -> CreditControlAnswer:
    services = tuple([_service(house, one) for one in told])
    answer = replace(_begun(house, request, _SUCCESS), services=services)
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


def _service(house: House, told: _Told) -> Mscc:
    units = Units(total=told.total, time_s=told.time_s, service_specific=told.specific)
    something = told.validity_s is not None
    return Mscc(
        granted=units if something else None,
        service_ids=told.service_ids,
        rating_group=told.rating_group,
        validity_time_s=told.validity_s,
        result_code=told.result_code,
        final_unit=house.final_unit if told.final else None,
        time_quota_threshold_s=told.time_left,
        volume_quota_threshold=told.volume_left,
        quota_holding_time_s=house.holding_s if something else None,
    )


def _told(quirks: Quirks, service: Mscc, grants: tuple[Grant, ...], at: int) -> _Told:
    """Answer for one service. What it asked in several units it gets in those that there are."""
    told, until, last = _Told(service), None, False
    for grant in grants:
        if grant.refusal is not None:
            continue
        octets, unit, valid_until = grant.octets, grant.unit, grant.valid_until
        until = valid_until if until is None else min(until, valid_until)
        last = last or grant.final
        if unit == "octets":
            told.total, told.volume_left = octets, _u32(grant.threshold) or None
        elif unit == "seconds":
            told.time_s, told.time_left = _u32(octets), _u32(grant.threshold) or None
        else:
            told.specific = octets
    if until is None:
        told.result_code = _why_not(service, grants)
        return told
    told.validity_s = max((until - at) // 1000, 1)
    if last:
        # Every octet of a last quota may be used: coming back early brings nothing.
        told.time_left = told.volume_left = None
        told.final = quirks.told_final
        told.validity_s = told.validity_s if quirks.recheck_s is None else min(told.validity_s, quirks.recheck_s)
    return told


def _why_not(service: Mscc, grants: tuple[Grant, ...]) -> ResultCode:
    """Return the Result-Code of a service that gets nothing: it asked for nothing, for what is not sold here, or in vain."""
    if not grants:
        return ResultCode.SUCCESS if service.requested is None else ResultCode.RATING_FAILED
    assert grants[0].refusal is not None, "only a service without a grant gets nothing"
    return RESULT_CODE[grants[0].refusal]


def refusal(house: House, request: CreditControlRequest, refused: Refused) -> Reply:
    answer = replace(
        _begun(house, request, RESULT_CODE[refused.reason]),
        error_message=refused.sentence[:255],
        failed_avps=failed_avps(refused.reason, request.cc_request_number),
    )
    return _written(answer)


def event_answer(
    house: House, request: CreditControlRequest, awaiting: tuple[Awaiting, ...], action: Action, told: Answer
) -> Reply:
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
    answer = replace(
        _begun(house, request, _SUCCESS),
        services=services,
        granted=_debited(told.grants[0]) if debited and not services else None,
        check_balance_result=balance if action is Action.CHECK else None,
    )
    return _written(answer)


def _begun(house: House, request: CreditControlRequest, result_code: int) -> CreditControlAnswer:
    """Return what every answer to a request says."""
    return CreditControlAnswer(
        flags=request.flags & PROXIABLE,
        hop_by_hop=request.hop_by_hop,
        end_to_end=request.end_to_end,
        session_id=request.session_id,
        result_code=result_code,
        origin_host=house.origin_host,
        origin_realm=house.origin_realm,
        auth_application_id=CREDIT_CONTROL,
        cc_request_type=request.cc_request_type,
        cc_request_number=request.cc_request_number,
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
