"""Problems: every refusal and fault as RFC 9457 problem details, with the reason, the cure and the field."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from qanat.refusals import Refusal, Refused
from qanat.wire.agent import Problem

STATUS: Final[dict[Refusal, int]] = {
    Refusal.UNKNOWN_SUBSCRIBER: 404,
    Refusal.SUBSCRIBER_SUSPENDED: 403,
    Refusal.UNKNOWN_TERMINAL: 404,
    Refusal.TERMINAL_UNBOUND: 409,
    Refusal.TERMINAL_REVOKED: 403,
    Refusal.BOUND_TO_ANOTHER: 409,
    Refusal.NO_IDENTITY: 422,
    Refusal.WRONG_SIGNATURE: 401,
    Refusal.CLOCK_SKEW: 401,
    Refusal.REPLAYED: 401,
    Refusal.UNKNOWN_CODE: 404,
    Refusal.KEY_ENROLLED: 409,
    Refusal.TOO_MANY_CODES: 409,
    Refusal.UNKNOWN_BINDING_CODE: 404,
    Refusal.UNKNOWN_PASSCODE: 404,
    Refusal.CODE_EXPIRED: 410,
    Refusal.CODE_USED: 409,
    Refusal.POOL_EMPTY: 409,
    Refusal.WRONG_SIGN_IN: 401,
    Refusal.TOO_MANY_TRIES: 429,
    Refusal.SIGNED_OUT: 401,
    Refusal.NOT_ALLOWED: 403,
    Refusal.SUBSCRIBER_NOT_NAMED: 403,
    Refusal.UNKNOWN_PLAN: 404,
    Refusal.PLAN_SOLD_OUT: 409,
    Refusal.WALLET_TOO_SMALL: 402,
    Refusal.TOO_MANY_BUCKETS: 409,
    Refusal.MISSPELT_VOUCHER: 422,
    Refusal.UNKNOWN_VOUCHER: 404,
    Refusal.VOUCHER_USED: 409,
    Refusal.VOUCHER_EXPIRED: 410,
    Refusal.NAME_TAKEN: 409,
    Refusal.UNKNOWN_OPERATOR: 404,
    Refusal.NOT_FOUND: 404,
    Refusal.KEY_REUSED: 409,
    Refusal.REQUEST_REUSED: 409,
    Refusal.CREDIT_LIMIT_REACHED: 402,
    Refusal.UNITS_USED_UP: 402,
    Refusal.ALL_OR_NOTHING: 402,
    Refusal.TOO_MANY_QUOTAS: 409,
    Refusal.UNKNOWN_SESSION: 404,
    Refusal.SESSION_CLOSED: 409,
    Refusal.SESSION_OPEN: 409,
    Refusal.IMPLAUSIBLE_USAGE: 422,
    Refusal.NOT_RATED: 422,
    Refusal.REFUND_TOO_LARGE: 409,
    Refusal.MISSPELT_IDENTITY: 422,
    Refusal.UNKNOWN_IDENTITY: 404,
    Refusal.IDENTITY_REVOKED: 410,
    Refusal.WRONG_KIND_OF_IDENTITY: 422,
    Refusal.IDENTITY_SWAPPED: 403,
    Refusal.PROOF_MISSING: 422,
    Refusal.UNKNOWN_BASE_STATION: 404,
    Refusal.BASE_STATION_REVOKED: 403,
    Refusal.OWN_TRAFFIC: 409,
    Refusal.NO_SUPPLY: 404,
    Refusal.NO_SUPPLY_ORDER: 404,
    Refusal.ORDER_STOPPED: 410,
    Refusal.ORDER_EXPIRED: 410,
    Refusal.ORDER_EXHAUSTED: 402,
    Refusal.DEMAND_OBTAINED: 402,
    Refusal.ORDER_USED_UP_TODAY: 402,
    Refusal.ORDER_NOT_FOR_YOU: 403,
    Refusal.ORDER_NOT_HERE: 403,
    Refusal.PRICE_TOO_HIGH: 402,
    Refusal.SUPPLIER_SHORT: 402,
    Refusal.SUPPLIER_EXPIRED: 410,
    Refusal.TERMINAL_ELSEWHERE: 409,
    Refusal.UNKNOWN_ORDER: 404,
    Refusal.UNKNOWN_CIRCLE: 404,
    Refusal.TOO_MANY_ORDERS: 409,
    Refusal.TOO_MANY_CIRCLES: 409,
    Refusal.NOTHING_OWED: 409,
    Refusal.DISPUTE_SETTLED: 409,
    Refusal.PERIOD_CLOSED: 409,
    Refusal.PERIOD_NOT_BEGUN: 409,
}
assert STATUS.keys() == set(Refusal), "every refusal has its status"


class Denied(Exception):
    """Carries a refusal out of a framework hook that has no other way to answer."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


def refusal(refused: Refused) -> Response:
    headers = {"retry-after": str(refused.facts["wait_s"])} if "wait_s" in refused.facts else None
    body = Problem(
        title=HTTPStatus(STATUS[refused.reason]).phrase,
        status=STATUS[refused.reason],
        detail=_text(refused.sentence),
        reason=refused.reason.value,
        cure=_text(refused.cure),
        detail_zh=_text(refused.sentence_zh),
        cure_zh=_text(refused.cure_zh),
    )
    return _response(body, headers)


def problem(
    status: int,
    detail: str,
    *,
    reason: str = "",
    cure: str = "",
    field: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, reason=reason, cure=cure, field=field)
    return _response(body, headers)


def _response(body: Problem, headers: dict[str, str] | None) -> Response:
    return Response(msgspec.json.encode(body), body.status, headers, "application/problem+json")


def _text(said: str) -> str:
    """Return what can be written, however broken the text is that a stranger sent and we quote."""
    return said.encode(errors="replace").decode()[:2000]
