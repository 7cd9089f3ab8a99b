"""Requests as real gateways send them, AVP by AVP: for our load client and for tests.

A profile is a recipe, not a client: it says what one gateway puts into a first, an intermediate and a final
interrogation. AVPs that Qanat does not read are written from raw rows of (name, payload).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from qanat.units import Instant
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.header import HEADER, VERSION
from qanat.wire.diameter.leaves import ntp_of
from qanat.wire.diameter.messages import CREDIT_CONTROL, PROXIABLE, REQUEST
from qanat.wire.diameter.values import CcRequestType, ReportingReason, SubscriptionIdType, TerminationCause

CONTEXT: Final = "32251@3gpp.org"
"""Packet-switched charging (TS 32.251)."""
_OF_ONE_UNIT: Final = {ReportingReason.THRESHOLD, ReportingReason.QUOTA_EXHAUSTED, ReportingReason.OTHER_QUOTA_TYPE}
"""Reasons that stand beside the units they are about; others stand in the service (TS 32.299 §7.2.175)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrogation:
    """What changes from one request to the next."""

    kind: CcRequestType
    number: int
    session_id: str
    imsi: str
    msisdn: str = ""
    at: Instant
    hop_by_hop: int
    end_to_end: int
    input_octets: int = 0
    output_octets: int = 0
    time_s: int = 0
    reason: ReportingReason = ReportingReason.THRESHOLD
    rating_group: int | None = None
    destination_host: str | None = None
    """The Origin-Host of the first answer; clients do not know it before."""
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Who asks, and where it stands."""

    origin_host: str
    origin_realm: str
    destination_realm: str
    address: IPv4Address
    apn: str = "internet"
    plmn: str = "00101"


Profile = Callable[[Gateway, Interrogation], bytes]


def open5gs(gateway: Gateway, asked: Interrogation) -> bytes:
    """Open5GS SMF as Gy client: one service without a rating group, and no total octets in what it reports.

    Checked, AVP by AVP, against what the program itself sent (the vectors ``open5gs_itself_*``).
    """
    first, final = asked.kind is CcRequestType.INITIAL, asked.kind is CcRequestType.TERMINATION
    service = [
        *([] if final else [avp("Requested-Service-Unit", u64("CC-Total-Octets", 1_000_000))]),
        *([] if first else [_used(asked, reporting_reason=asked.reason in _OF_ONE_UNIT)]),
        *([] if first or asked.reason in _OF_ONE_UNIT else [u32("Reporting-Reason", asked.reason)]),
        _qos(),
    ]
    attachment = _attachment(gateway, asked, named=first, characteristics="0800")
    return request(
        asked,
        *_opening(gateway, asked),
        *_subscribers(asked),
        *([u32("Termination-Cause", TerminationCause.LOGOUT)] if final else []),
        u32("Requested-Action", 0),
        u32("AoC-Request-Type", 1),
        *([u32("Multiple-Services-Indicator", 0)] if first else []),
        avp("Multiple-Services-Credit-Control", *service),
        avp("Service-Information", avp("PS-Information", *attachment, _equipment(asked))),
    )


def magma(gateway: Gateway, asked: Interrogation) -> bytes:
    """Magma's session proxy: always a rating group, and a request for each, perhaps in parallel."""
    final = asked.kind is CcRequestType.TERMINATION
    used = asked.kind is not CcRequestType.INITIAL
    service = [
        *([] if final else [avp("Requested-Service-Unit")]),
        *([_used(asked, total=True)] if used else []),
        u32("Rating-Group", asked.rating_group if asked.rating_group is not None else 1),
        *([u32("Reporting-Reason", asked.reason)] if used else []),
    ]
    return request(
        asked,
        *_opening(gateway, asked),
        u32("Multiple-Services-Indicator", 1),
        *_subscribers(asked),
        *([u32("Termination-Cause", TerminationCause.LOGOUT)] if final else []),
        avp("Multiple-Services-Credit-Control", *service),
        avp("Service-Information", avp("PS-Information", *_attachment(gateway, asked), _equipment(asked))),
        _equipment(asked),
    )


# How AVPs are put together


def request(asked: Interrogation, *avps: bytes) -> bytes:
    """Put a credit-control request together from whole AVPs."""
    body = b"".join(avps)
    flags = REQUEST | PROXIABLE | (0x10 if asked.repeated else 0)
    words = (VERSION << 24 | 20 + len(body), flags << 24 | 272, CREDIT_CONTROL, asked.hop_by_hop, asked.end_to_end)
    return HEADER.pack(*words) + body


def avp(name: str, *parts: bytes) -> bytes:
    return BY_NAME[name].encode(b"".join(parts))


def text(name: str, value: str) -> bytes:
    return avp(name, value.encode())


def u32(name: str, value: int) -> bytes:
    return avp(name, value.to_bytes(4, "big"))


def u64(name: str, value: int) -> bytes:
    return avp(name, value.to_bytes(8, "big"))


def ipv4(name: str, address: IPv4Address) -> bytes:
    return avp(name, b"\x00\x01", address.packed)


def _opening(gateway: Gateway, asked: Interrogation) -> list[bytes]:
    return [
        text("Session-Id", asked.session_id),
        text("Origin-Host", gateway.origin_host),
        text("Origin-Realm", gateway.origin_realm),
        text("Destination-Realm", gateway.destination_realm),
        u32("Auth-Application-Id", CREDIT_CONTROL),
        text("Service-Context-Id", CONTEXT),
        u32("CC-Request-Type", asked.kind),
        u32("CC-Request-Number", asked.number),
        *([text("Destination-Host", asked.destination_host)] if asked.destination_host else []),
        u32("Event-Timestamp", ntp_of(asked.at)),
    ]


def _subscribers(asked: Interrogation) -> list[bytes]:
    names = [(SubscriptionIdType.IMSI, asked.imsi), (SubscriptionIdType.E164, asked.msisdn)]
    return [
        avp("Subscription-Id", u32("Subscription-Id-Type", kind), text("Subscription-Id-Data", name))
        for kind, name in names
        if name
    ]


def _used(asked: Interrogation, *, total: bool = False, reporting_reason: bool = False) -> bytes:
    return avp(
        "Used-Service-Unit",
        *([u32("Reporting-Reason", asked.reason)] if reporting_reason else []),
        u32("CC-Time", asked.time_s),
        *([u64("CC-Total-Octets", asked.input_octets + asked.output_octets)] if total else []),
        u64("CC-Input-Octets", asked.input_octets),
        u64("CC-Output-Octets", asked.output_octets),
    )


def _qos() -> bytes:
    return avp(
        "QoS-Information",
        u32("QoS-Class-Identifier", 9),
        avp(
            "Allocation-Retention-Priority",
            u32("Priority-Level", 8),
            u32("Pre-emption-Capability", 1),
            u32("Pre-emption-Vulnerability", 1),
        ),
        u32("APN-Aggregate-Max-Bitrate-UL", 1_000_000_000),
        u32("APN-Aggregate-Max-Bitrate-DL", 1_000_000_000),
    )


def _attachment(
    gateway: Gateway, asked: Interrogation, *, named: bool = True, characteristics: str = ""
) -> list[bytes]:
    """Return what is known of the attachment; its kind, which never changes, may be ``named`` once only."""
    terminal = IPv4Address(0x0A2D0000 | int(asked.imsi[-4:]))
    return [
        u32("3GPP-Charging-Id", int(asked.imsi[-6:])),
        *([u32("3GPP-PDP-Type", 0)] if named else []),
        ipv4("PDP-Address", terminal),
        ipv4("SGSN-Address", gateway.address),
        ipv4("GGSN-Address", gateway.address),
        text("Called-Station-Id", gateway.apn),
        text("3GPP-Selection-Mode", "0"),
        *([text("3GPP-Charging-Characteristics", characteristics)] if characteristics else []),
        text("3GPP-SGSN-MCC-MNC", gateway.plmn),
        avp("3GPP-NSAPI", b"\x05"),
        avp("3GPP-MS-TimeZone", b"\x40\x00"),
        avp("3GPP-User-Location-Info", bytes.fromhex("8200f110000100f11000000101")),
        avp("3GPP-RAT-Type", b"\x06"),
    ]


def _equipment(asked: Interrogation) -> bytes:
    imeisv = f"35{asked.imsi[-12:]}01"
    return avp("User-Equipment-Info", u32("User-Equipment-Info-Type", 0), text("User-Equipment-Info-Value", imeisv))
