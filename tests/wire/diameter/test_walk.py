"""Whatever is wrong with a request has a Result-Code and names the AVP at fault (RFC 6733 §7)."""

from __future__ import annotations

import pytest
from tests.wire.diameter import samples

from qanat.wire.diameter import profiles
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.messages import CreditControlRequest, ErrorAnswer
from qanat.wire.diameter.profiles import avp, text, u32, u64
from qanat.wire.diameter.reply import refuse
from qanat.wire.diameter.results import Malformed, ResultCode
from qanat.wire.diameter.walk import MAX_OF_ONE, walk

PROXY = avp("Proxy-Info", text("Proxy-Host", "relay.test"), avp("Proxy-State", b"state"))


def ccr(*extra: bytes, without: str = "") -> bytes:
    """Return a small request with something more, or something less."""
    avps = {
        "Session-Id": text("Session-Id", "a;1;2"),
        "Origin-Host": text("Origin-Host", "gw.test"),
        "Origin-Realm": text("Origin-Realm", "test"),
        "Destination-Realm": text("Destination-Realm", "qanat.test"),
        "Auth-Application-Id": u32("Auth-Application-Id", 4),
        "Service-Context-Id": text("Service-Context-Id", profiles.CONTEXT),
        "CC-Request-Type": u32("CC-Request-Type", 1),
        "CC-Request-Number": u32("CC-Request-Number", 0),
    }
    return profiles.request(samples.FIRST, *(octets for name, octets in avps.items() if name != without), *extra)


def fault(octets: bytes) -> Malformed:
    """Return the walk's verdict, once the decoder has given the same one."""
    with pytest.raises(Malformed) as caught:
        walk(octets)
    with pytest.raises(Malformed) as again:
        Decoder().decode(octets)
    assert (again.value.result_code, again.value.failed_avp) == (caught.value.result_code, caught.value.failed_avp)
    return caught.value


def unknown(*, mandatory: bool, vendor: int = 0) -> bytes:
    flags = 0x40 * mandatory | 0x80 * bool(vendor)
    head = (60_000).to_bytes(4, "big") + (flags << 24 | (16 if vendor else 12)).to_bytes(4, "big")
    return head + (vendor.to_bytes(4, "big") if vendor else b"") + b"what"


@pytest.mark.parametrize(
    "name",
    ["Session-Id", "Origin-Host", "Origin-Realm", "Destination-Realm", "CC-Request-Type", "CC-Request-Number"],
)
def test_a_missing_avp_is_5005_with_an_example_of_it(name: str) -> None:
    verdict = fault(ccr(without=name))
    assert verdict.result_code is ResultCode.MISSING_AVP
    assert verdict.failed_avp == BY_NAME[name].example()
    assert name in str(verdict)


def test_a_missing_avp_in_a_group_is_named_inside_that_group() -> None:
    verdict = fault(ccr(avp("Subscription-Id", text("Subscription-Id-Data", "001010000000001"))))
    assert verdict.result_code is ResultCode.MISSING_AVP
    assert verdict.failed_avp == avp("Subscription-Id", u32("Subscription-Id-Type", 0))


def test_an_avp_that_comes_twice_is_5009_with_the_second() -> None:
    second = u32("CC-Request-Number", 7)
    verdict = fault(ccr(second))
    assert (verdict.result_code, verdict.failed_avp) == (ResultCode.AVP_OCCURS_TOO_MANY_TIMES, second)


def test_an_avp_that_comes_more_often_than_anybody_sends_it_is_5009_and_not_collected() -> None:
    one = text("Route-Record", "relay.test")
    assert isinstance(walk(ccr(*[one] * MAX_OF_ONE)), CreditControlRequest)
    verdict = fault(ccr(*[one] * (MAX_OF_ONE + 1)))
    assert (verdict.result_code, verdict.failed_avp) == (ResultCode.AVP_OCCURS_TOO_MANY_TIMES, one)


@pytest.mark.parametrize(
    ("name", "value"),
    [("CC-Request-Type", 9), ("Requested-Action", 4), ("Multiple-Services-Indicator", 2), ("CC-Request-Type", 2**31)],
)
def test_a_value_outside_its_enumeration_is_5004_with_the_avp(name: str, value: int) -> None:
    wrong = u32(name, value)
    verdict = fault(ccr(wrong, without=name))
    assert (verdict.result_code, verdict.failed_avp) == (ResultCode.INVALID_AVP_VALUE, wrong)


def test_text_that_is_no_utf8_is_5004_also_where_a_layout_knows_the_shape() -> None:
    good, bad = (ccr(avp("User-Name", name)) for name in (b"alice", b"\xff\xfe\xfd\xfc\xfb"))
    decoder = Decoder()
    assert decoder.decode(good) == decoder.decode(good)
    with pytest.raises(Malformed) as caught:
        decoder.decode(bad)
    assert caught.value.result_code is ResultCode.INVALID_AVP_VALUE
    assert caught.value.failed_avp == avp("User-Name", b"\xff\xfe\xfd\xfc\xfb")


@pytest.mark.parametrize(
    "wrong",
    [
        avp("CC-Request-Number", bytes(8)),
        avp("Event-Timestamp", bytes(3)),
        avp("Multiple-Services-Credit-Control", avp("Used-Service-Unit", avp("CC-Total-Octets", bytes(4)))),
        avp("Service-Information", avp("PS-Information", avp("3GPP-PDP-Type", bytes(8)))),
        avp("Service-Information", avp("PS-Information", avp("PDP-Address", b"\x00\x01\x0a"))),
    ],
)
def test_a_length_that_is_not_its_formats_is_5014_with_the_avp_in_its_groups(wrong: bytes) -> None:
    verdict = fault(ccr(wrong, without="CC-Request-Number" if wrong.startswith(b"\0\0\1\x9f") else ""))
    assert (verdict.result_code, verdict.failed_avp) == (ResultCode.INVALID_AVP_LENGTH, wrong)


@pytest.mark.parametrize("length", [0, 7, 13, 0xFFFFFF])
def test_a_length_that_cannot_be_is_5014_with_a_zero_filled_example(length: int) -> None:
    torn = (415).to_bytes(4, "big") + (0x40 << 24 | length).to_bytes(4, "big") + bytes(4)
    verdict = fault(ccr(torn, without="CC-Request-Number"))
    assert verdict.result_code is ResultCode.INVALID_AVP_LENGTH
    assert verdict.failed_avp == u32("CC-Request-Number", 0)


def test_an_avp_longer_than_its_group_is_5014_inside_that_group() -> None:
    torn = (421).to_bytes(4, "big") + (0x40 << 24 | 64).to_bytes(4, "big") + bytes(8)
    verdict = fault(ccr(avp("Requested-Service-Unit", torn), avp("User-Name", bytes(64))))
    assert verdict.result_code is ResultCode.INVALID_AVP_LENGTH
    assert verdict.failed_avp == avp("Requested-Service-Unit", u64("CC-Total-Octets", 0))


def test_an_unknown_mandatory_avp_is_5001_and_an_unknown_optional_one_is_ignored() -> None:
    for vendor in (0, 10415, 99999):
        verdict = fault(ccr(unknown(mandatory=True, vendor=vendor)))
        assert verdict.result_code is ResultCode.AVP_UNSUPPORTED
        assert verdict.failed_avp == unknown(mandatory=True, vendor=vendor)
        assert isinstance(walk(ccr(unknown(mandatory=False, vendor=vendor))), CreditControlRequest)


def test_reserved_avp_flags_are_3009() -> None:
    octets = bytearray(u32("Origin-State-Id", 5))
    octets[4] |= 0x01
    assert fault(ccr(bytes(octets))).result_code is ResultCode.INVALID_AVP_BITS


def test_m_and_p_bits_of_known_avps_are_not_judged() -> None:
    for flags in (0x00, 0x20, 0x60):
        octets = bytearray(text("Destination-Host", "ocs.test"))
        octets[4] = flags
        message = walk(ccr(bytes(octets)))
        assert isinstance(message, CreditControlRequest)
        assert message.destination_host == "ocs.test"


def test_padding_is_not_judged() -> None:
    octets = avp("Destination-Host", b"alice")
    assert walk(ccr(octets[:-3] + b"xyz")) == walk(ccr(octets))


def test_groups_deeper_than_real_ones_are_refused_and_not_followed() -> None:
    deep = b""
    for _ in range(40):
        deep = avp("PS-Information", deep)
    assert fault(ccr(deep)).result_code is ResultCode.INVALID_AVP_VALUE


def test_header_faults_have_their_codes() -> None:
    octets = bytearray(ccr())
    for place, value, code in (
        (4, 0xE0, ResultCode.INVALID_HDR_BITS),
        (7, 0x11, ResultCode.COMMAND_UNSUPPORTED),
        (11, 0x05, ResultCode.APPLICATION_UNSUPPORTED),
        (11, 0x00, ResultCode.APPLICATION_UNSUPPORTED),
        (0, 0x02, ResultCode.UNSUPPORTED_VERSION),
        (3, octets[3] + 4, ResultCode.INVALID_MESSAGE_LENGTH),
    ):
        wrong = bytes(octets[:place]) + bytes([value]) + bytes(octets[place + 1 :])
        assert fault(wrong).result_code is code
    assert fault(bytes(octets[:12])).result_code is ResultCode.INVALID_MESSAGE_LENGTH


def test_every_request_at_fault_is_answered_with_what_its_sender_needs() -> None:
    octets = ccr(PROXY, unknown(mandatory=True))
    verdict = fault(octets)
    reply = refuse(octets, verdict, origin_host="ocs.qanat.test", origin_realm="qanat.test")
    assert reply is not None
    assert reply[4] == 0x40, "a permanent failure keeps the E bit clear"
    answer = walk(reply[:4] + b"\x60" + reply[5:])  # with the E bit it reads by the generic grammar
    assert isinstance(answer, ErrorAnswer)
    assert (answer.hop_by_hop, answer.end_to_end) == (0x1001, 0x2002)
    assert (answer.session_id, answer.result_code) == ("a;1;2", 5001)
    assert (answer.cc_request_type, answer.cc_request_number, answer.auth_application_id) == (1, 0, 4)
    assert answer.failed_avps == (avp("Failed-AVP", unknown(mandatory=True)),)
    assert answer.proxy_infos == (PROXY,)


@pytest.mark.parametrize("number", [0, 2**31, 2**32 - 1])
def test_a_request_at_fault_is_answered_whatever_its_type_and_number(number: int) -> None:
    """Found by atheris: a number above 2**31 was repeated as a negative one, which no answer can carry."""
    numbers = (u32("CC-Request-Number", number), u32("CC-Request-Type", number))
    octets = profiles.request(samples.FIRST, text("Session-Id", "a;1;2"), *numbers, unknown(mandatory=True))
    reply = refuse(octets, fault(octets), origin_host="ocs.qanat.test", origin_realm="qanat.test")
    assert reply is not None
    assert all(echoed in reply for echoed in numbers)


def test_a_vendors_avp_with_the_code_of_ours_is_not_repeated_as_ours() -> None:
    """Found by atheris: code 284 of 3GPP is no Proxy-Info."""
    theirs = bytes.fromhex("0000011c 80000010 000028af 00000001")
    octets = ccr(theirs, unknown(mandatory=True))
    reply = refuse(octets, fault(octets), origin_host="ocs.qanat.test", origin_realm="qanat.test")
    assert reply is not None
    assert theirs not in reply


def test_a_protocol_error_is_answered_with_the_e_bit() -> None:
    octets = bytearray(ccr())
    octets[7] = 0x11
    reply = refuse(bytes(octets), fault(bytes(octets)), origin_host="ocs.qanat.test", origin_realm="qanat.test")
    assert reply is not None
    assert reply[4:8] == bytes.fromhex("60000111")
    assert isinstance(walk(reply), ErrorAnswer)


def test_an_answer_at_fault_is_not_answered() -> None:
    octets = bytearray(ccr(unknown(mandatory=True)))
    octets[4] = 0x40
    verdict = fault(bytes(octets))
    assert refuse(bytes(octets), verdict, origin_host="a.test", origin_realm="test") is None


def test_proxy_info_is_kept_for_the_answer() -> None:
    message = walk(ccr(PROXY, PROXY, text("Route-Record", "relay.test")))
    assert isinstance(message, CreditControlRequest)
    assert message.proxy_infos == (PROXY, PROXY)
