"""Our dictionary against another implementation's (python-diameter): codes, vendors, formats, M bits."""

from __future__ import annotations

import pytest
from diameter.message.avp.dictionary import AVP_DICTIONARY, AVP_VENDOR_DICTIONARY

from qanat.wire.diameter.avp import Avp, Kind
from qanat.wire.diameter.dictionary import BY_KEY, BY_NAME

FORMATS = {
    Kind.OCTETS: {"AvpOctetString", "AvpUtf8String"},
    Kind.TEXT: {"AvpUtf8String", "AvpOctetString"},
    Kind.IDENTITY: {"AvpUtf8String", "AvpOctetString"},
    Kind.URI: {"AvpUtf8String", "AvpOctetString"},
    Kind.FILTER: {"AvpUtf8String", "AvpOctetString"},
    Kind.ADDRESS: {"AvpAddress"},
    Kind.TIME: {"AvpTime"},
    Kind.ENUM: {"AvpEnumerated", "AvpInteger32", "AvpUnsigned32"},
    Kind.I32: {"AvpInteger32", "AvpEnumerated"},
    Kind.I64: {"AvpInteger64"},
    Kind.U32: {"AvpUnsigned32", "AvpEnumerated", "AvpInteger32"},
    Kind.U64: {"AvpUnsigned64"},
    Kind.GROUP: {"AvpGrouped"},
}
"""What carries the same octets: an enumeration and an integer of 32 bits do, text and octets do."""


def theirs(avp: Avp) -> dict[str, object] | None:
    table = AVP_VENDOR_DICTIONARY.get(avp.vendor, {}) if avp.vendor else AVP_DICTIONARY
    found: dict[str, object] | None = table.get(avp.code)
    return found


COMPARED = [avp for avp in BY_KEY.values() if theirs(avp) is not None]


def test_most_of_the_dictionary_has_a_judge() -> None:
    assert len(COMPARED) > 0.85 * len(BY_KEY)


@pytest.mark.parametrize("avp", COMPARED, ids=lambda avp: avp.name)
def test_an_avp_is_what_another_implementation_says_it_is(avp: Avp) -> None:
    judge = theirs(avp)
    assert judge is not None
    assert _plain(str(judge["name"])) == _plain(avp.name)
    assert getattr(judge["type"], "__name__", "") in FORMATS[avp.kind]


def _plain(name: str) -> str:
    """Editions differ in prefixes, in case, and in how words are shortened."""
    return name.lower().removeprefix("3gpp-").removesuffix("s").replace("accounting-", "acct-")


@pytest.mark.parametrize(
    ("name", "code", "vendor"),
    [
        ("Multiple-Services-Credit-Control", 456, 0),
        ("Service-Information", 873, 10415),
        ("PS-Information", 874, 10415),
        ("Volume-Quota-Threshold", 869, 10415),
        ("Quota-Holding-Time", 871, 10415),
        ("AoC-Request-Type", 2055, 10415),
        ("3GPP-User-Location-Info", 22, 10415),
        ("QoS-Final-Unit-Indication", 669, 0),
    ],
)
def test_avps_that_charging_hangs_on_have_their_registered_codes(name: str, code: int, vendor: int) -> None:
    assert (BY_NAME[name].code, BY_NAME[name].vendor) == (code, vendor)
