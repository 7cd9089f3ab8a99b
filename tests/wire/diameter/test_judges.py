"""Other implementations as judges: python-diameter reads what we write and we read it, tshark dissects everything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from diameter.message import Avp, AvpGrouped
from diameter.message import Message as Theirs
from diameter.message.commands import CreditControlRequest as TheirRequest
from diameter.message.commands.credit_control import (
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
)
from msgspec.structs import replace
from tests.tshark import capture, complaints, tshark
from tests.wire.diameter import samples

from qanat.server.gy.reading import subscribers_of
from qanat.wire.diameter.courtesies import Identity, courtesy, farewell, introduction, introduction_answer, watchdog
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.groups import FinalUnitIndication, Mscc, RedirectServer, Units
from qanat.wire.diameter.messages import (
    AbortSessionAnswer,
    AbortSessionRequest,
    CreditControlRequest,
    DeviceWatchdogAnswer,
    DisconnectPeerAnswer,
    ReAuthAnswer,
    ReAuthRequest,
)
from qanat.wire.diameter.profiles import avp, text, u32
from qanat.wire.diameter.reply import refuse
from qanat.wire.diameter.results import Malformed, ResultCode
from qanat.wire.diameter.values import (
    CcSessionFailover,
    CreditControlFailureHandling,
    DisconnectCause,
    FinalUnitAction,
    ReAuthRequestType,
    RedirectAddressType,
)
from qanat.wire.diameter.walk import walk

US = Identity(
    origin_host="ocs.qanat.test", origin_realm="qanat.test", addresses=(b"\x00\x01\x7f\x00\x00\x01",), origin_state_id=7
)
SESSION = samples.FIRST.session_id
TO_CLIENT = (SESSION, "ocs.qanat.test", "qanat.test", "open5gs.test", "smf.open5gs.test", 4)
FROM_CLIENT = (SESSION, 2001, "smf.open5gs.test", "open5gs.test")


def refused() -> bytes:
    """Return the answer to a request with an AVP missing in a group."""
    kind = u32("Subscription-Id-Type", 1)
    inside = avp("Subscription-Id", text("Subscription-Id-Data", "001010000000001"))
    whole = avp("Subscription-Id", kind, text("Subscription-Id-Data", "001010000000001"))
    broken = samples.BUILT["open5gs_first"].replace(whole, inside)
    broken = broken[:1] + len(broken).to_bytes(3, "big") + broken[4:]
    with pytest.raises(Malformed) as caught:
        walk(broken)
    reply = refuse(broken, caught.value, origin_host="ocs.qanat.test", origin_realm="qanat.test")
    assert reply is not None
    return reply


def everything() -> list[bytes]:
    hello, alive, bye = introduction(US, (1, 2)), watchdog(US, (3, 4)), farewell(US, (5, 6), DisconnectCause.BUSY)
    redirect = FinalUnitIndication(
        FinalUnitAction.REDIRECT, redirect_server=RedirectServer(RedirectAddressType.URL, "https://top.up/")
    )
    full = replace(
        samples.ANSWER,
        services=(
            Mscc(granted=Units(time_s=60, total=5), service_ids=(7,), rating_group=2, quota_holding_time_s=30),
            Mscc(rating_group=3, result_code=4012, final_unit=redirect, time_quota_threshold_s=10),
        ),
        cc_session_failover=CcSessionFailover.SUPPORTED,
        failure_handling=CreditControlFailureHandling.RETRY_AND_TERMINATE,
        origin_state_id=7,
        error_message="credit limit reached",
        failed_avps=(avp("Failed-AVP", u32("CC-Time", 1)),),
    )
    return [
        encode(hello),
        encode(introduction_answer(US, hello, ResultCode.SUCCESS)),
        encode(alive),
        encode(courtesy(US, DeviceWatchdogAnswer, alive)),
        *samples.BUILT.values(),
        encode(samples.ANSWER),
        encode(full),
        encode(ReAuthRequest(0xC0, 7, 8, *TO_CLIENT, ReAuthRequestType.AUTHORIZE_ONLY, rating_group=1)),
        encode(ReAuthAnswer(0x40, 7, 8, *FROM_CLIENT)),
        encode(AbortSessionRequest(0xC0, 9, 10, *TO_CLIENT)),
        encode(AbortSessionAnswer(0x40, 9, 10, *FROM_CLIENT)),
        refused(),
        encode(bye),
        encode(courtesy(US, DisconnectPeerAnswer, bye)),
    ]


def values(avps: list[Avp]) -> int:
    """Have python-diameter decode every value, group by group; return how many there were."""
    return sum(values(avp.value) if isinstance(avp, AvpGrouped) else len([avp.value]) for avp in avps)


def test_python_diameter_reads_every_avp_and_writes_all_back_octet_for_octet() -> None:
    for octets in everything():
        theirs = Theirs.from_bytes(octets, plain_msg=True)
        assert theirs.as_bytes() == octets
        assert values(theirs.avps) >= 3


def test_python_diameter_finds_the_grant_where_it_looks_for_it() -> None:
    theirs = Theirs.from_bytes(encode(samples.ANSWER))
    (service,) = theirs.multiple_services_credit_control
    assert service.granted_service_unit.cc_total_octets == 10_000_000
    assert (service.rating_group, service.validity_time, service.result_code) == (1, 600, 2001)


def test_a_request_written_by_python_diameter_is_read() -> None:
    theirs = TheirRequest()
    theirs.header.application_id = 4
    theirs.session_id = "client.test;1;2;3"
    theirs.origin_host = b"client.test"
    theirs.origin_realm = b"test"
    theirs.destination_realm = b"qanat.test"
    theirs.service_context_id = "32251@3gpp.org"
    theirs.cc_request_type = 1
    theirs.cc_request_number = 0
    theirs.auth_application_id = 4
    theirs.subscription_id = [SubscriptionId(subscription_id_type=1, subscription_id_data="001010000000001")]
    theirs.multiple_services_credit_control = [
        MultipleServicesCreditControl(
            requested_service_unit=RequestedServiceUnit(cc_total_octets=4096), rating_group=9, service_identifier=[1, 2]
        )
    ]
    ours = walk(theirs.as_bytes())
    assert isinstance(ours, CreditControlRequest)
    assert subscribers_of(ours)[0].data == "001010000000001"
    assert ours.services == (Mscc(requested=Units(total=4096), service_ids=(1, 2), rating_group=9),)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark: apt-get install tshark")
def test_tshark_finds_every_message_and_nothing_malformed_or_unknown(tmp_path: Path) -> None:
    messages = everything()
    capture(tmp_path / "all.pcap", messages)
    assert len(tshark(tmp_path / "all.pcap", "-Y", "diameter")) == len(messages)
    assert complaints(tmp_path / "all.pcap") == []
