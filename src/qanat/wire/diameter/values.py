"""The enumerations whose value decides something here. A value that is not listed is refused (5004).

Causes that only explain (Termination-Cause, Disconnect-Cause as received) stay plain integers: a new one is no error.
Source: RFC 6733 §8, RFC 8506 §8, TS 32.299 §7.2.
"""

from __future__ import annotations

from enum import IntEnum


class CcRequestType(IntEnum):
    """RFC 8506 §8.3: which interrogation this is."""

    INITIAL = 1
    UPDATE = 2
    TERMINATION = 3
    EVENT = 4


class RequestedAction(IntEnum):
    """RFC 8506 §8.41. Means something in event requests only."""

    DIRECT_DEBITING = 0
    REFUND_ACCOUNT = 1
    CHECK_BALANCE = 2
    PRICE_ENQUIRY = 3


class MultipleServicesIndicator(IntEnum):
    """RFC 8506 §8.40."""

    NOT_SUPPORTED = 0
    SUPPORTED = 1


class SubscriptionIdType(IntEnum):
    """RFC 8506 §8.47."""

    E164 = 0
    IMSI = 1
    SIP_URI = 2
    NAI = 3
    PRIVATE = 4


class UserEquipmentInfoType(IntEnum):
    """RFC 8506 §8.50."""

    IMEISV = 0
    MAC = 1
    EUI64 = 2
    MODIFIED_EUI64 = 3


class TariffChangeUsage(IntEnum):
    """RFC 8506 §8.27."""

    BEFORE = 0
    AFTER = 1
    INDETERMINATE = 2


class ReportingReason(IntEnum):
    """TS 32.299 §7.2.175: why used units are reported."""

    THRESHOLD = 0
    QUOTA_HOLDING_TIME = 1
    FINAL = 2
    QUOTA_EXHAUSTED = 3
    VALIDITY_TIME = 4
    OTHER_QUOTA_TYPE = 5
    RATING_CONDITION_CHANGE = 6
    FORCED_REAUTHORISATION = 7
    POOL_EXHAUSTED = 8
    UNUSED_QUOTA_TIMER = 9


class FinalUnitAction(IntEnum):
    """RFC 8506 §8.35."""

    TERMINATE = 0
    REDIRECT = 1
    RESTRICT_ACCESS = 2


class RedirectAddressType(IntEnum):
    """RFC 8506 §8.38."""

    IPV4 = 0
    IPV6 = 1
    URL = 2
    SIP_URI = 3


class CcSessionFailover(IntEnum):
    """RFC 8506 §8.4."""

    NOT_SUPPORTED = 0
    SUPPORTED = 1


class CreditControlFailureHandling(IntEnum):
    """RFC 8506 §8.14: what the client does when we cannot be reached."""

    TERMINATE = 0
    CONTINUE = 1
    RETRY_AND_TERMINATE = 2


class CheckBalanceResult(IntEnum):
    """RFC 8506 §8.6."""

    ENOUGH_CREDIT = 0
    NO_CREDIT = 1


class ReAuthRequestType(IntEnum):
    """RFC 6733 §8.12."""

    AUTHORIZE_ONLY = 0
    AUTHORIZE_AUTHENTICATE = 1


class DisconnectCause(IntEnum):
    """RFC 6733 §5.4.3, as we send it."""

    REBOOTING = 0
    BUSY = 1
    DO_NOT_WANT_TO_TALK_TO_YOU = 2


class TerminationCause(IntEnum):
    """RFC 6733 §8.15, as our own client sends it."""

    LOGOUT = 1
    SERVICE_NOT_PROVIDED = 2
    BAD_ANSWER = 3
    ADMINISTRATIVE = 4
    LINK_BROKEN = 5
    AUTH_EXPIRED = 6
    USER_MOVED = 7
    SESSION_TIMEOUT = 8
