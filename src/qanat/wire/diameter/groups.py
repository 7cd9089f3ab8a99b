"""Grouped AVPs, typed, with their grammar; the notation is explained in ``messages``.

A field of type ``bytes`` under a grouped AVP keeps that AVP whole, header and padding included, to be echoed.
Source: RFC 6733 §7.5, §7.6; RFC 8506 §8; TS 32.299 §7.1, §7.2.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Struct

from qanat.units import Instant
from qanat.wire.diameter.values import (
    FinalUnitAction,
    RedirectAddressType,
    ReportingReason,
    SubscriptionIdType,
    TariffChangeUsage,
    UserEquipmentInfoType,
)


class Group(Struct, frozen=True, gc=False):
    """A grouped AVP. Frozen, so equal services are written once; without the collector, since nothing here forms a cycle."""


class ExperimentalResult(Group, frozen=True, gc=False):
    vendor_id: Annotated[int, "{Vendor-Id}"]
    code: Annotated[int, "{Experimental-Result-Code}"]


class VendorApplication(Group, frozen=True, gc=False):
    vendor_id: Annotated[int, "{Vendor-Id}"]
    auth_application_id: Annotated[int | None, "[Auth-Application-Id]"] = None
    acct_application_id: Annotated[int | None, "[Acct-Application-Id]"] = None


class SubscriptionId(Group, frozen=True, gc=False):
    kind: Annotated[SubscriptionIdType, "{Subscription-Id-Type}"]
    data: Annotated[str, "{Subscription-Id-Data}"]


class UserEquipment(Group, frozen=True, gc=False):
    kind: Annotated[UserEquipmentInfoType, "{User-Equipment-Info-Type}"]
    value: Annotated[bytes, "{User-Equipment-Info-Value}"]


class Units(Group, frozen=True, gc=False):
    """Units asked for, granted or used. Input is what the subscriber sent, output what the subscriber received."""

    tariff_time_change: ClassVar[Annotated[Instant, "[Tariff-Time-Change]"]]
    tariff_change_usage: ClassVar[Annotated[TariffChangeUsage, "[Tariff-Change-Usage]"]]
    reporting_reasons: Annotated[tuple[ReportingReason, ...], "*[Reporting-Reason]"] = ()
    time_s: Annotated[int | None, "[CC-Time]"] = None
    money: Annotated[bytes | None, "[CC-Money]"] = None
    """Kept as it came: Gy grants no money (TS 32.299 §6.5), so only its presence matters."""
    total: Annotated[int | None, "[CC-Total-Octets]"] = None
    input: Annotated[int | None, "[CC-Input-Octets]"] = None
    output: Annotated[int | None, "[CC-Output-Octets]"] = None
    service_specific: Annotated[int | None, "[CC-Service-Specific-Units]"] = None


class RedirectServer(Group, frozen=True, gc=False):
    kind: Annotated[RedirectAddressType, "{Redirect-Address-Type}"]
    address: Annotated[str, "{Redirect-Server-Address}"]


class FinalUnitIndication(Group, frozen=True, gc=False):
    """What to do when the granted units have been used: there will be no more (RFC 8506 §8.34)."""

    action: Annotated[FinalUnitAction, "{Final-Unit-Action}"]
    restriction_filters: Annotated[tuple[bytes, ...], "*[Restriction-Filter-Rule]"] = ()
    filter_ids: Annotated[tuple[str, ...], "*[Filter-Id]"] = ()
    redirect_server: Annotated[RedirectServer | None, "[Redirect-Server]"] = None


class Trigger(Group, frozen=True, gc=False):
    kinds: Annotated[tuple[int, ...], "*[Trigger-Type]"] = ()


class Mscc(Group, frozen=True, gc=False):
    """Multiple-Services-Credit-Control: one rating group, or the whole session when it names none (RFC 8506 §8.16)."""

    granted: Annotated[Units | None, "[Granted-Service-Unit]"] = None
    requested: Annotated[Units | None, "[Requested-Service-Unit]"] = None
    used: Annotated[tuple[Units, ...], "*[Used-Service-Unit]"] = ()
    tariff_change_usage: ClassVar[Annotated[TariffChangeUsage, "[Tariff-Change-Usage]"]]
    service_ids: Annotated[tuple[int, ...], "*[Service-Identifier]"] = ()
    rating_group: Annotated[int | None, "[Rating-Group]"] = None
    pool_references: ClassVar[Annotated[tuple[bytes, ...], "*[G-S-U-Pool-Reference]"]]
    validity_time_s: Annotated[int | None, "[Validity-Time]"] = None
    result_code: Annotated[int | None, "[Result-Code]"] = None
    final_unit: Annotated[FinalUnitIndication | None, "[Final-Unit-Indication]"] = None
    time_quota_threshold_s: Annotated[int | None, "[Time-Quota-Threshold]"] = None
    volume_quota_threshold: Annotated[int | None, "[Volume-Quota-Threshold]"] = None
    """Octets that remain when the client should come back (TS 32.299 §7.2.233A); 32 bits."""
    unit_quota_threshold: ClassVar[Annotated[int, "[Unit-Quota-Threshold]"]]
    quota_holding_time_s: Annotated[int | None, "[Quota-Holding-Time]"] = None
    quota_consumption_time_s: ClassVar[Annotated[int, "[Quota-Consumption-Time]"]]
    reporting_reasons: Annotated[tuple[ReportingReason, ...], "*[Reporting-Reason]"] = ()
    triggers: ClassVar[Annotated[tuple[Trigger, ...], "*[Trigger]"]]
    refund_information: ClassVar[Annotated[bytes, "[Refund-Information]"]]


class PsInformation(Group, frozen=True, gc=False):
    """Where and how the terminal is attached; the octets as TS 29.061 §16.4.7.2 defines them."""

    charging_id: Annotated[bytes | None, "[3GPP-Charging-Id]"] = None
    pdp_addresses: Annotated[tuple[bytes, ...], "*[PDP-Address]"] = ()
    called_station_id: Annotated[str | None, "[Called-Station-Id]"] = None
    sgsn_mcc_mnc: Annotated[str | None, "[3GPP-SGSN-MCC-MNC]"] = None
    time_zone: Annotated[bytes | None, "[3GPP-MS-TimeZone]"] = None
    user_location: Annotated[bytes | None, "[3GPP-User-Location-Info]"] = None
    rat_type: Annotated[bytes | None, "[3GPP-RAT-Type]"] = None
    user_equipment: Annotated[UserEquipment | None, "[User-Equipment-Info]"] = None


class ServiceInformation(Group, frozen=True, gc=False):
    subscription_ids: Annotated[tuple[SubscriptionId, ...], "*[Subscription-Id]"] = ()
    """TS 32.299 allows the subscriber to be named here instead of in the command."""
    ps: ClassVar[Annotated[PsInformation, "[PS-Information]"]]
