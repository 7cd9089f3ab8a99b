"""Octets and messages side by side; the remarks in the vectors were checked against RFC 6733 §3, §4.1."""

from __future__ import annotations

from dataclasses import replace
from struct import Struct
from typing import Any

import pytest
from tests.wire.diameter import samples

from qanat.server.gy.reading import octets_of, subscribers_of
from qanat.units import Instant
from qanat.wire.diameter import profiles
from qanat.wire.diameter.avp import VENDOR, Kind
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.dictionary import BY_KEY
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.framer import Framer
from qanat.wire.diameter.grammar import Slot
from qanat.wire.diameter.groups import SubscriptionId, Units
from qanat.wire.diameter.messages import CreditControlRequest
from qanat.wire.diameter.values import CcRequestType, MultipleServicesIndicator, ReportingReason, SubscriptionIdType
from qanat.wire.diameter.walk import walk

_HEAD = Struct("!III").unpack_from


def request(name: str) -> CreditControlRequest:
    message = walk(samples.vector(name))
    assert isinstance(message, CreditControlRequest)
    return message


def test_open5gs_intermediate_interrogation_is_read_field_by_field() -> None:
    message = request("open5gs_update")
    assert (message.hop_by_hop, message.end_to_end, message.is_repeated) == (0x1001, 0x2002, False)
    assert message.session_id == "smf.open5gs.test;1700000000;1;app_gy"
    assert (message.origin_host, message.origin_realm) == ("smf.open5gs.test", "open5gs.test")
    assert (message.destination_host, message.destination_realm) == ("ocs.qanat.test", "qanat.test")
    assert message.service_context_id == "32251@3gpp.org"
    assert (message.cc_request_type, message.cc_request_number) == (CcRequestType.UPDATE, 1)
    assert subscribers_of(message) == (
        SubscriptionId(SubscriptionIdType.IMSI, "001010000000001"),
        SubscriptionId(SubscriptionIdType.E164, "37060000001"),
    )
    (service,) = message.services
    assert service.rating_group is None
    assert service.requested == Units(total=1_000_000)
    assert service.used == (
        Units(reporting_reasons=(ReportingReason.THRESHOLD,), time_s=60, input=123_456, output=9_876_543_210),
    )
    assert octets_of(service.used[0]) == 9_876_666_666


class Noted:
    """Watches a walk: what it reads, by name, also where no field keeps it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def value(self, slot: Slot, value: Any, *, start: int, data: int, stop: int) -> Any:
        self.values[slot.avp.name] = value
        return value

    def ignored(self, data: int, stop: int) -> None:
        """Only what is read."""


def noted_in(name: str) -> dict[str, Any]:
    noted = Noted()
    walk(samples.vector(name), noted)
    return noted.values


def test_where_the_terminal_is_attached_is_judged_though_no_field_keeps_it() -> None:
    noted = noted_in("open5gs_update")
    assert noted["Event-Timestamp"] == Instant(1_700_000_000_000)
    assert noted["Called-Station-Id"] == "internet"
    assert noted["3GPP-User-Location-Info"] == bytes.fromhex("8200f110000100f11000000101")
    assert noted["3GPP-RAT-Type"] == b"\x06"
    assert noted["User-Equipment-Info-Value"] == b"3501000000000101"


def test_open5gs_names_several_services_once_and_a_cause_at_the_end() -> None:
    said = [noted_in(f"open5gs_{kind}") for kind in ("first", "update", "final")]
    not_supported = MultipleServicesIndicator.NOT_SUPPORTED
    assert [values.get("Multiple-Services-Indicator") for values in said] == [not_supported, None, None]
    assert [values.get("Termination-Cause") for values in said] == [None, None, 1]
    first, final = request("open5gs_first"), request("open5gs_final")
    assert (first.destination_host, final.services[0].requested) == (None, None)
    assert first.services[0].used == ()


def shape(octets: bytes, start: int = 20) -> list[Any]:
    """Return the AVPs of a message in order: code and flags, and what is in a group."""
    found: list[Any] = []
    while start < len(octets):
        code, flags, length = _HEAD(octets, start)[0], octets[start + 4], _HEAD(octets, start)[1] & 0xFFFFFF
        vendor, data = (_HEAD(octets, start)[2], 12) if flags & VENDOR else (0, 8)
        is_group = BY_KEY[vendor << 32 | code].kind is Kind.GROUP
        found.append((code, flags, shape(octets[: start + length], start + data) if is_group else None))
        start += length + 3 & ~3
    return found


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("first", ReportingReason.THRESHOLD),
        ("update", ReportingReason.THRESHOLD),
        ("idle", ReportingReason.UNUSED_QUOTA_TIMER),
        ("final", ReportingReason.FINAL),
    ],
)
def test_the_profile_of_open5gs_sends_the_avps_that_open5gs_itself_sent(kind: str, reason: ReportingReason) -> None:
    """Captured from an SMF built of its main branch (2.8.0), attached through GTPv2-C, Gx and PFCP."""
    asked = replace(samples.INTERROGATIONS["update" if kind == "idle" else kind], reason=reason)
    assert shape(profiles.open5gs(samples.GATEWAY, asked)) == shape(samples.vector(f"open5gs_itself_{kind}"))


def test_reports_of_open5gs_itself_are_read_to_the_octet() -> None:
    reports = [request(f"open5gs_itself_{kind}").services[0] for kind in ("update", "idle", "final")]
    assert [octets_of(service.used[0]) for service in reports] == [3_000, 1_200, 33]
    assert [service.used[0].reporting_reasons for service in reports] == [(ReportingReason.THRESHOLD,), (), ()]
    assert [service.reporting_reasons for service in reports[1:]] == [
        (ReportingReason.UNUSED_QUOTA_TIMER,),
        (ReportingReason.FINAL,),
    ]


def test_magma_always_names_a_rating_group_and_totals() -> None:
    message = request("magma_update")
    (service,) = message.services
    assert noted_in("magma_update")["Multiple-Services-Indicator"] is MultipleServicesIndicator.SUPPORTED
    assert service.rating_group == 1
    assert service.requested == Units()
    assert service.used[0].total == octets_of(service.used[0]) == 9_876_666_666
    assert service.reporting_reasons == (ReportingReason.THRESHOLD,)


@pytest.mark.parametrize("name", samples.BUILT)
def test_profiles_build_their_vectors_octet_for_octet(name: str) -> None:
    assert samples.BUILT[name].hex() == samples.vector(name).hex()


def test_answer_is_written_octet_for_octet_in_the_order_clients_expect() -> None:
    assert encode(samples.ANSWER).hex() == samples.vector("credit_control_answer").hex()
    assert walk(samples.vector("credit_control_answer")) == samples.ANSWER


@pytest.mark.parametrize("name", samples.vector_names())
def test_a_vector_comes_through_whole_octet_by_octet_and_with_more_behind_it(name: str) -> None:
    octets = samples.vector(name)
    assert Framer().feed(octets) == [octets]
    slow = Framer()
    assert [message for place in range(len(octets)) for message in slow.feed(octets[place : place + 1])] == [octets]
    followed = Framer()
    assert followed.feed(octets + octets[:7]) == [octets]
    assert followed.feed(octets[7:]) == [octets]


@pytest.mark.parametrize("name", samples.vector_names())
def test_layouts_read_a_vector_as_the_walk_does(name: str) -> None:
    octets, decoder = samples.vector(name), Decoder()
    assert decoder.decode(octets) == decoder.decode(octets) == walk(octets)


@pytest.mark.parametrize("name", samples.vector_names())
def test_what_is_read_is_written_so_that_it_reads_the_same(name: str) -> None:
    message = walk(samples.vector(name))
    assert walk(encode(message)) == message
