"""One Result-Code for every refusal (RFC 8506 §9, RFC 6733 §7.1), and what Failed-AVP shows beside it."""

from __future__ import annotations

from typing import Final

from qanat.refusals import Refusal
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.results import ResultCode

RESULT_CODE: Final[dict[Refusal, ResultCode]] = {
    Refusal.UNKNOWN_SUBSCRIBER: ResultCode.USER_UNKNOWN,
    Refusal.SUBSCRIBER_SUSPENDED: ResultCode.END_USER_SERVICE_DENIED,
    Refusal.UNKNOWN_TERMINAL: ResultCode.USER_UNKNOWN,
    Refusal.TERMINAL_UNBOUND: ResultCode.USER_UNKNOWN,
    Refusal.TERMINAL_REVOKED: ResultCode.END_USER_SERVICE_DENIED,
    Refusal.BOUND_TO_ANOTHER: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.NO_IDENTITY: ResultCode.MISSING_AVP,
    Refusal.WRONG_SIGNATURE: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.CLOCK_SKEW: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.REPLAYED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.UNKNOWN_CODE: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.KEY_ENROLLED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.TOO_MANY_CODES: ResultCode.UNABLE_TO_COMPLY,
    Refusal.UNKNOWN_BINDING_CODE: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.UNKNOWN_PASSCODE: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.CODE_EXPIRED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.CODE_USED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.MISSPELT_VOUCHER: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.UNKNOWN_VOUCHER: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.VOUCHER_USED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.VOUCHER_EXPIRED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.POOL_EMPTY: ResultCode.UNABLE_TO_COMPLY,
    Refusal.WRONG_SIGN_IN: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.TOO_MANY_TRIES: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.SIGNED_OUT: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.NOT_ALLOWED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.SUBSCRIBER_NOT_NAMED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.UNKNOWN_PLAN: ResultCode.RATING_FAILED,
    Refusal.PLAN_SOLD_OUT: ResultCode.UNABLE_TO_COMPLY,
    Refusal.WALLET_TOO_SMALL: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.TOO_MANY_BUCKETS: ResultCode.UNABLE_TO_COMPLY,
    Refusal.NAME_TAKEN: ResultCode.UNABLE_TO_COMPLY,
    Refusal.UNKNOWN_OPERATOR: ResultCode.UNABLE_TO_COMPLY,
    Refusal.NOT_FOUND: ResultCode.UNABLE_TO_COMPLY,
    Refusal.KEY_REUSED: ResultCode.INVALID_AVP_VALUE,
    Refusal.REQUEST_REUSED: ResultCode.INVALID_AVP_VALUE,
    Refusal.CREDIT_LIMIT_REACHED: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.UNITS_USED_UP: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.ALL_OR_NOTHING: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.TOO_MANY_QUOTAS: ResultCode.END_USER_SERVICE_DENIED,
    Refusal.UNKNOWN_SESSION: ResultCode.UNKNOWN_SESSION_ID,
    Refusal.SESSION_CLOSED: ResultCode.UNKNOWN_SESSION_ID,
    Refusal.SESSION_OPEN: ResultCode.UNABLE_TO_COMPLY,
    Refusal.IMPLAUSIBLE_USAGE: ResultCode.INVALID_AVP_VALUE,
    Refusal.MISSPELT_IDENTITY: ResultCode.INVALID_AVP_VALUE,
    Refusal.UNKNOWN_IDENTITY: ResultCode.USER_UNKNOWN,
    Refusal.IDENTITY_REVOKED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.WRONG_KIND_OF_IDENTITY: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.IDENTITY_SWAPPED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.PROOF_MISSING: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.UNKNOWN_BASE_STATION: ResultCode.USER_UNKNOWN,
    Refusal.BASE_STATION_REVOKED: ResultCode.END_USER_SERVICE_DENIED,
    Refusal.OWN_TRAFFIC: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.NO_SUPPLY: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.NO_SUPPLY_ORDER: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.ORDER_STOPPED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.ORDER_EXPIRED: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.ORDER_EXHAUSTED: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.DEMAND_OBTAINED: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.ORDER_USED_UP_TODAY: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.ORDER_NOT_FOR_YOU: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.ORDER_NOT_HERE: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.PRICE_TOO_HIGH: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.SUPPLIER_SHORT: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.SUPPLIER_EXPIRED: ResultCode.CREDIT_LIMIT_REACHED,
    Refusal.TERMINAL_ELSEWHERE: ResultCode.AUTHORIZATION_REJECTED,
    Refusal.UNKNOWN_ORDER: ResultCode.UNABLE_TO_COMPLY,
    Refusal.UNKNOWN_CIRCLE: ResultCode.UNABLE_TO_COMPLY,
    Refusal.TOO_MANY_ORDERS: ResultCode.UNABLE_TO_COMPLY,
    Refusal.TOO_MANY_CIRCLES: ResultCode.UNABLE_TO_COMPLY,
    Refusal.NOTHING_OWED: ResultCode.UNABLE_TO_COMPLY,
    Refusal.DISPUTE_SETTLED: ResultCode.UNABLE_TO_COMPLY,
    Refusal.PERIOD_CLOSED: ResultCode.UNABLE_TO_COMPLY,
    Refusal.PERIOD_NOT_BEGUN: ResultCode.UNABLE_TO_COMPLY,
    Refusal.NOT_RATED: ResultCode.RATING_FAILED,
    Refusal.REFUND_TOO_LARGE: ResultCode.INVALID_AVP_VALUE,
}
assert RESULT_CODE.keys() == set(Refusal), "every refusal has its Result-Code"


def failed_avps(reason: Refusal, number: int) -> tuple[bytes, ...]:
    """Return the Failed-AVP that 5004 and 5005 must come with (RFC 6733 §7.1.5)."""
    if reason is Refusal.NO_IDENTITY:
        inside = _SUBSCRIPTION.example()
    elif reason is Refusal.IMPLAUSIBLE_USAGE:
        inside = _USED.example()
    elif RESULT_CODE[reason] is ResultCode.INVALID_AVP_VALUE:
        inside = _NUMBER.encode(number.to_bytes(4, "big"))
    else:
        return ()
    return (_FAILED_AVP.encode(inside),)


_FAILED_AVP: Final = BY_NAME["Failed-AVP"]
_SUBSCRIPTION: Final = BY_NAME["Subscription-Id"]
_USED: Final = BY_NAME["Used-Service-Unit"]
_NUMBER: Final = BY_NAME["CC-Request-Number"]
