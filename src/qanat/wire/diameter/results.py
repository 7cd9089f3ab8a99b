"""Result-Codes, and the exception that carries one: everything a request can get wrong has its answer.

Source: RFC 6733 §7.1, RFC 8506 §9.
"""

from __future__ import annotations

from enum import IntEnum

from qanat.errors import BadInput


class ResultCode(IntEnum):
    SUCCESS = 2001
    LIMITED_SUCCESS = 2002
    COMMAND_UNSUPPORTED = 3001
    UNABLE_TO_DELIVER = 3002
    REALM_NOT_SERVED = 3003
    TOO_BUSY = 3004
    LOOP_DETECTED = 3005
    APPLICATION_UNSUPPORTED = 3007
    INVALID_HDR_BITS = 3008
    INVALID_AVP_BITS = 3009
    UNKNOWN_PEER = 3010
    END_USER_SERVICE_DENIED = 4010
    CREDIT_CONTROL_NOT_APPLICABLE = 4011
    CREDIT_LIMIT_REACHED = 4012
    AVP_UNSUPPORTED = 5001
    UNKNOWN_SESSION_ID = 5002
    AUTHORIZATION_REJECTED = 5003
    INVALID_AVP_VALUE = 5004
    MISSING_AVP = 5005
    CONTRADICTING_AVPS = 5007
    AVP_NOT_ALLOWED = 5008
    AVP_OCCURS_TOO_MANY_TIMES = 5009
    NO_COMMON_APPLICATION = 5010
    UNSUPPORTED_VERSION = 5011
    UNABLE_TO_COMPLY = 5012
    INVALID_BIT_IN_HEADER = 5013
    INVALID_AVP_LENGTH = 5014
    INVALID_MESSAGE_LENGTH = 5015
    NO_COMMON_SECURITY = 5017
    USER_UNKNOWN = 5030
    RATING_FAILED = 5031


def is_protocol_error(result_code: int) -> bool:
    """Tell whether the answer sets the E bit: the 3xxx family (RFC 6733 §7.1.3)."""
    return 3000 <= result_code < 4000


class Malformed(BadInput):
    """A message that breaks the grammar. ``failed_avp`` is the offending AVP, whole, or empty when none is at fault."""

    def __init__(self, message: str, *, result_code: ResultCode, failed_avp: bytes = b"", field: str = "") -> None:
        super().__init__(message, field=field)
        self.result_code = result_code
        self.failed_avp = failed_avp


class Unframeable(Malformed):
    """The octets of a connection do not divide into messages any more: answer if there is a header, then close."""
