"""The messages, typed; and their grammar, in the notation of the RFCs.

The second half of each annotation is the rule for that AVP (RFC 6733 §3.2): ``<must come, fixed>``, ``{must come}``,
``[may come]``, ``*[any number]``. The order of fields is the order on the wire when we send; on receipt any order will
do. ``grammar`` compiles these classes; walk, layouts and encoder all follow it, so a rule is written once. A rule on a
``ClassVar`` is for an AVP that is judged like any other, and then dropped, since nobody reads it.

Source: RFC 6733 §5, §8; RFC 8506 §3, §8; TS 32.299 §6.4, §7.1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Struct

from qanat.units import Instant
from qanat.wire.diameter.groups import (
    ExperimentalResult,
    FinalUnitIndication,
    Mscc,
    ServiceInformation,
    SubscriptionId,
    Units,
    UserEquipment,
    VendorApplication,
)
from qanat.wire.diameter.values import (
    CcRequestType,
    CcSessionFailover,
    CheckBalanceResult,
    CreditControlFailureHandling,
    MultipleServicesIndicator,
    ReAuthRequestType,
    RequestedAction,
)

REQUEST: Final = 0x80
PROXIABLE: Final = 0x40
ERROR: Final = 0x20
REPEATED: Final = 0x10

BASE_APPLICATION: Final = 0
CREDIT_CONTROL: Final = 4
RELAY: Final = 0xFFFFFFFF


class Message(Struct, frozen=True, gc=False):
    """What every message has in its header (RFC 6733 §3)."""

    command: ClassVar[int]
    application: ClassVar[int]

    flags: int
    hop_by_hop: int
    """Set anew on each hop; an answer carries its request's."""
    end_to_end: int
    """With Origin-Host, names the request for four minutes and more; an answer carries its request's."""

    @property
    def is_repeated(self) -> bool:
        """The T bit: the sender does not know whether this request arrived before."""
        return bool(self.flags & REPEATED)


# Credit control


class CreditControlRequest(Message, frozen=True, gc=False):
    command: ClassVar[int] = 272
    application: ClassVar[int] = CREDIT_CONTROL

    session_id: Annotated[str, "<Session-Id>"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    destination_realm: Annotated[str, "{Destination-Realm}"]
    auth_application_id: Annotated[int, "{Auth-Application-Id}"]
    service_context_id: Annotated[str, "{Service-Context-Id}"]
    cc_request_type: Annotated[CcRequestType, "{CC-Request-Type}"]
    cc_request_number: Annotated[int, "{CC-Request-Number}"]
    destination_host: Annotated[str | None, "[Destination-Host]"] = None
    user_name: ClassVar[Annotated[str, "[User-Name]"]]
    cc_sub_session_id: ClassVar[Annotated[int, "[CC-Sub-Session-Id]"]]
    acct_multi_session_id: ClassVar[Annotated[str, "[Acct-Multi-Session-Id]"]]
    origin_state_id: ClassVar[Annotated[int, "[Origin-State-Id]"]]
    event_timestamp: ClassVar[Annotated[Instant, "[Event-Timestamp]"]]
    subscription_ids: Annotated[tuple[SubscriptionId, ...], "*[Subscription-Id]"] = ()
    service_id: ClassVar[Annotated[int, "[Service-Identifier]"]]
    termination_cause: ClassVar[Annotated[int, "[Termination-Cause]"]]
    requested: Annotated[Units | None, "[Requested-Service-Unit]"] = None
    requested_action: Annotated[RequestedAction | None, "[Requested-Action]"] = None
    aoc_request_type: ClassVar[Annotated[int, "[AoC-Request-Type]"]]
    used: Annotated[tuple[Units, ...], "*[Used-Service-Unit]"] = ()
    multiple_services_indicator: ClassVar[Annotated[MultipleServicesIndicator, "[Multiple-Services-Indicator]"]]
    services: Annotated[tuple[Mscc, ...], "*[Multiple-Services-Credit-Control]"] = ()
    cc_correlation_id: ClassVar[Annotated[bytes, "[CC-Correlation-Id]"]]
    user_equipment: ClassVar[Annotated[UserEquipment, "[User-Equipment-Info]"]]
    service_information: Annotated[ServiceInformation | None, "[Service-Information]"] = None
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()
    route_records: ClassVar[Annotated[tuple[str, ...], "*[Route-Record]"]]


class CreditControlAnswer(Message, frozen=True, gc=False):
    """In the order clients were built against: Session-Id before Origin-Host, services after the number."""

    command: ClassVar[int] = 272
    application: ClassVar[int] = CREDIT_CONTROL

    session_id: Annotated[str, "<Session-Id>"]
    result_code: Annotated[int | None, "[Result-Code]"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    auth_application_id: Annotated[int, "{Auth-Application-Id}"]
    cc_request_type: Annotated[CcRequestType, "{CC-Request-Type}"]
    cc_request_number: Annotated[int, "{CC-Request-Number}"]
    services: Annotated[tuple[Mscc, ...], "*[Multiple-Services-Credit-Control]"] = ()
    experimental_result: Annotated[ExperimentalResult | None, "[Experimental-Result]"] = None
    cc_session_failover: Annotated[CcSessionFailover | None, "[CC-Session-Failover]"] = None
    cc_sub_session_id: Annotated[int | None, "[CC-Sub-Session-Id]"] = None
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    event_timestamp: Annotated[Instant | None, "[Event-Timestamp]"] = None
    granted: Annotated[Units | None, "[Granted-Service-Unit]"] = None
    final_unit: Annotated[FinalUnitIndication | None, "[Final-Unit-Indication]"] = None
    check_balance_result: Annotated[CheckBalanceResult | None, "[Check-Balance-Result]"] = None
    failure_handling: Annotated[CreditControlFailureHandling | None, "[Credit-Control-Failure-Handling]"] = None
    validity_time_s: Annotated[int | None, "[Validity-Time]"] = None
    error_message: Annotated[str | None, "[Error-Message]"] = None
    failed_avps: Annotated[tuple[bytes, ...], "*[Failed-AVP]"] = ()
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()


# Sessions, started by the server


class ReAuthRequest(Message, frozen=True, gc=False):
    command: ClassVar[int] = 258
    application: ClassVar[int] = CREDIT_CONTROL

    session_id: Annotated[str, "<Session-Id>"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    destination_realm: Annotated[str, "{Destination-Realm}"]
    destination_host: Annotated[str, "{Destination-Host}"]
    auth_application_id: Annotated[int, "{Auth-Application-Id}"]
    re_auth_request_type: Annotated[ReAuthRequestType, "{Re-Auth-Request-Type}"]
    cc_sub_session_id: Annotated[int | None, "[CC-Sub-Session-Id]"] = None
    pool_identifier: Annotated[int | None, "[G-S-U-Pool-Identifier]"] = None
    service_id: Annotated[int | None, "[Service-Identifier]"] = None
    rating_group: Annotated[int | None, "[Rating-Group]"] = None
    user_name: Annotated[str | None, "[User-Name]"] = None
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()
    route_records: Annotated[tuple[str, ...], "*[Route-Record]"] = ()


class AbortSessionRequest(Message, frozen=True, gc=False):
    command: ClassVar[int] = 274
    application: ClassVar[int] = CREDIT_CONTROL

    session_id: Annotated[str, "<Session-Id>"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    destination_realm: Annotated[str, "{Destination-Realm}"]
    destination_host: Annotated[str, "{Destination-Host}"]
    auth_application_id: Annotated[int, "{Auth-Application-Id}"]
    user_name: Annotated[str | None, "[User-Name]"] = None
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()
    route_records: Annotated[tuple[str, ...], "*[Route-Record]"] = ()


class SessionTerminationRequest(Message, frozen=True, gc=False):
    """Credit control ends sessions with a final interrogation; a client that sends this as well gets an answer."""

    command: ClassVar[int] = 275
    application: ClassVar[int] = CREDIT_CONTROL

    session_id: Annotated[str, "<Session-Id>"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    destination_realm: Annotated[str, "{Destination-Realm}"]
    auth_application_id: Annotated[int, "{Auth-Application-Id}"]
    termination_cause: Annotated[int, "{Termination-Cause}"]
    user_name: Annotated[str | None, "[User-Name]"] = None
    destination_host: Annotated[str | None, "[Destination-Host]"] = None
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()
    route_records: Annotated[tuple[str, ...], "*[Route-Record]"] = ()


class SessionAnswer(Message, frozen=True, gc=False):
    """What the answers to re-authorisation, abort and termination have in common."""

    session_id: Annotated[str, "<Session-Id>"]
    result_code: Annotated[int | None, "[Result-Code]"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    experimental_result: Annotated[ExperimentalResult | None, "[Experimental-Result]"] = None
    user_name: Annotated[str | None, "[User-Name]"] = None
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    error_message: Annotated[str | None, "[Error-Message]"] = None
    failed_avps: Annotated[tuple[bytes, ...], "*[Failed-AVP]"] = ()
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()


class ReAuthAnswer(SessionAnswer, frozen=True, gc=False):
    command: ClassVar[int] = 258
    application: ClassVar[int] = CREDIT_CONTROL


class AbortSessionAnswer(SessionAnswer, frozen=True, gc=False):
    command: ClassVar[int] = 274
    application: ClassVar[int] = CREDIT_CONTROL


class SessionTerminationAnswer(SessionAnswer, frozen=True, gc=False):
    command: ClassVar[int] = 275
    application: ClassVar[int] = CREDIT_CONTROL


# Connections, between neighbours


class CapabilitiesExchangeRequest(Message, frozen=True, gc=False):
    command: ClassVar[int] = 257
    application: ClassVar[int] = BASE_APPLICATION

    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    host_addresses: Annotated[tuple[bytes, ...], "1*{Host-IP-Address}"]
    vendor_id: Annotated[int, "{Vendor-Id}"]
    product_name: Annotated[str, "{Product-Name}"]
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    supported_vendor_ids: Annotated[tuple[int, ...], "*[Supported-Vendor-Id]"] = ()
    auth_application_ids: Annotated[tuple[int, ...], "*[Auth-Application-Id]"] = ()
    inband_security_ids: Annotated[tuple[int, ...], "*[Inband-Security-Id]"] = ()
    acct_application_ids: Annotated[tuple[int, ...], "*[Acct-Application-Id]"] = ()
    vendor_applications: Annotated[tuple[VendorApplication, ...], "*[Vendor-Specific-Application-Id]"] = ()
    firmware_revision: Annotated[int | None, "[Firmware-Revision]"] = None

    @property
    def applications(self) -> frozenset[int]:
        """Every application the peer offers, in whichever of the three places it says so."""
        grouped = (
            app for one in self.vendor_applications for app in (one.auth_application_id, one.acct_application_id)
        )
        return frozenset((*self.auth_application_ids, *self.acct_application_ids, *(app for app in grouped if app)))


class CapabilitiesExchangeAnswer(Message, frozen=True, gc=False):
    command: ClassVar[int] = 257
    application: ClassVar[int] = BASE_APPLICATION

    result_code: Annotated[int, "{Result-Code}"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    host_addresses: Annotated[tuple[bytes, ...], "*[Host-IP-Address]"] = ()
    vendor_id: Annotated[int | None, "[Vendor-Id]"] = None
    product_name: Annotated[str | None, "[Product-Name]"] = None
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None
    error_message: Annotated[str | None, "[Error-Message]"] = None
    failed_avps: Annotated[tuple[bytes, ...], "*[Failed-AVP]"] = ()
    supported_vendor_ids: Annotated[tuple[int, ...], "*[Supported-Vendor-Id]"] = ()
    auth_application_ids: Annotated[tuple[int, ...], "*[Auth-Application-Id]"] = ()
    inband_security_ids: Annotated[tuple[int, ...], "*[Inband-Security-Id]"] = ()
    acct_application_ids: Annotated[tuple[int, ...], "*[Acct-Application-Id]"] = ()
    vendor_applications: Annotated[tuple[VendorApplication, ...], "*[Vendor-Specific-Application-Id]"] = ()
    firmware_revision: Annotated[int | None, "[Firmware-Revision]"] = None


class DeviceWatchdogRequest(Message, frozen=True, gc=False):
    command: ClassVar[int] = 280
    application: ClassVar[int] = BASE_APPLICATION

    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None


class DisconnectPeerRequest(Message, frozen=True, gc=False):
    command: ClassVar[int] = 282
    application: ClassVar[int] = BASE_APPLICATION

    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    disconnect_cause: Annotated[int, "{Disconnect-Cause}"]


class NeighbourAnswer(Message, frozen=True, gc=False):
    """What the answers to watchdog and disconnection have in common."""

    result_code: Annotated[int, "{Result-Code}"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    error_message: Annotated[str | None, "[Error-Message]"] = None
    failed_avps: Annotated[tuple[bytes, ...], "*[Failed-AVP]"] = ()
    origin_state_id: Annotated[int | None, "[Origin-State-Id]"] = None


class DeviceWatchdogAnswer(NeighbourAnswer, frozen=True, gc=False):
    command: ClassVar[int] = 280
    application: ClassVar[int] = BASE_APPLICATION


class DisconnectPeerAnswer(NeighbourAnswer, frozen=True, gc=False):
    command: ClassVar[int] = 282
    application: ClassVar[int] = BASE_APPLICATION


class ErrorAnswer(Message, frozen=True, gc=False):
    """The answer to what could not be read or served, in the generic form of RFC 6733 §7.2; its command is the
    request's. Type and number are not judged here: they are repeated as they came.
    """

    command: ClassVar[int] = 0
    application: ClassVar[int] = BASE_APPLICATION

    session_id: Annotated[str | None, "[Session-Id]"]
    result_code: Annotated[int, "{Result-Code}"]
    origin_host: Annotated[str, "{Origin-Host}"]
    origin_realm: Annotated[str, "{Origin-Realm}"]
    auth_application_id: Annotated[int | None, "[Auth-Application-Id]"] = None
    cc_request_type: Annotated[int | None, "[CC-Request-Type]"] = None
    cc_request_number: Annotated[int | None, "[CC-Request-Number]"] = None
    error_message: Annotated[str | None, "[Error-Message]"] = None
    failed_avps: Annotated[tuple[bytes, ...], "*[Failed-AVP]"] = ()
    proxy_infos: Annotated[tuple[bytes, ...], "*[Proxy-Info]"] = ()


REQUESTS: Final = (
    CreditControlRequest,
    CapabilitiesExchangeRequest,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    ReAuthRequest,
    AbortSessionRequest,
    SessionTerminationRequest,
)
ANSWERS: Final = (
    CreditControlAnswer,
    CapabilitiesExchangeAnswer,
    DeviceWatchdogAnswer,
    DisconnectPeerAnswer,
    ReAuthAnswer,
    AbortSessionAnswer,
    SessionTerminationAnswer,
)
