"""Questions to the DNS and what answers say: octets as they stand on the wire, and any octets at all."""

from __future__ import annotations

import struct
from contextlib import suppress
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.errors import BadInput
from qanat.wire.dns import ANSWER_MAX, QUESTION_MAX, Kind, Malformed, question, read_answer

ASKED = question("qanat.test", Kind.A, number=0x1234)
ASKED6 = question("Qanat.Test", Kind.AAAA, number=0x1234)
SAYS = 0x8180
POINTER = b"\xc0\x0c"
HOME = IPv4Address("192.0.2.7")


def spelled(name: str) -> bytes:
    return b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")) + b"\0"


def record(owner: bytes, kind: int, data: bytes, *, family: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", kind, family, 300, len(data)) + data


def answer(*records: bytes, asked: bytes = ASKED, flags: int = SAYS, count: int | None = None) -> bytes:
    head = struct.pack("!5H", flags, 1, len(records) if count is None else count, 0, 0)
    return asked[:2] + head + asked[12:] + b"".join(records)


LEADS_HOME = answer(record(POINTER, 1, HOME.packed))


def test_a_question_is_spelled_as_the_standard_spells_it() -> None:
    assert ASKED.hex(" ") == "12 34 01 00 00 01 00 00 00 00 00 00 05 71 61 6e 61 74 04 74 65 73 74 00 00 01 00 01"
    assert question("qanat.test.", Kind.A, number=0x1234) == ASKED
    assert question("münchen.test", Kind.AAAA, number=0)[12:] == b"\x0exn--mnchen-3ya\x04test\0\0\x1c\0\1"


def test_the_longest_name_fits_a_question_and_a_longer_one_is_none() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(question(longest, Kind.A, number=0)) == QUESTION_MAX


@pytest.mark.parametrize("name", ["", ".", "a..b", ".a", "a" * 64, ".".join(["a" * 63] * 4), "\udcff.test"])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(BadInput):
        question(name, Kind.A, number=0)


def test_an_answer_gives_every_address_of_the_kind_that_was_asked_for() -> None:
    two = answer(record(POINTER, 1, HOME.packed), record(spelled("QANAT.test"), 1, b"\x0a\0\0\1"))
    assert read_answer(two, asked=ASKED) == [HOME, IPv4Address("10.0.0.1")]
    six = answer(record(POINTER, 28, ip_address("2001:db8::7").packed), record(POINTER, 1, HOME.packed), asked=ASKED6)
    assert read_answer(six, asked=ASKED6) == [ip_address("2001:db8::7")]


def test_an_answer_that_was_cut_short_is_read_for_what_it_holds() -> None:
    assert read_answer(answer(record(POINTER, 1, HOME.packed), flags=SAYS | 0x0200), asked=ASKED) == [HOME]


def test_an_answer_that_was_cut_short_before_its_first_address_says_nothing() -> None:
    """That there is none, it does not say: another resolver may fit it in."""
    assert read_answer(answer(flags=SAYS | 0x0200), asked=ASKED) is None
    assert read_answer(answer(record(POINTER, 5, spelled("else.test")), flags=SAYS | 0x0200), asked=ASKED) is None


def test_aliases_are_followed_within_an_answer_in_any_order() -> None:
    found = answer(
        record(spelled("c.test"), 1, HOME.packed),
        record(spelled("b.test"), 5, spelled("C.test")),
        record(POINTER, 5, b"\1b\xc0\x12"),  # b. and then what follows "qanat" in the question
    )
    assert read_answer(found, asked=ASKED) == [HOME]


def test_aliases_that_lead_in_a_circle_lead_nowhere() -> None:
    circle = answer(record(POINTER, 5, spelled("b.test")), record(spelled("b.test"), 5, POINTER))
    assert read_answer(circle, asked=ASKED) == []


def test_a_name_that_is_not_there_or_has_no_such_address_leads_nowhere() -> None:
    assert read_answer(answer(flags=SAYS | 3), asked=ASKED) == []
    assert read_answer(answer(), asked=ASKED) == []


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        ASKED,
        answer(record(POINTER, 1, HOME.packed), asked=b"\x43\x21" + ASKED[2:]),
        answer(record(POINTER, 1, HOME.packed), asked=question("other.test", Kind.A, number=0x1234)),
        answer(record(POINTER, 1, HOME.packed), asked=ASKED6),
        answer(flags=SAYS | 2),
        answer(flags=SAYS | 5),
        answer(flags=SAYS | 0x2800),
    ],
    ids=["nothing", "a question", "number", "name", "kind", "server failure", "refused", "an update"],
)
def test_what_does_not_answer_the_question_is_told_apart(octets: bytes) -> None:
    assert read_answer(octets, asked=ASKED) is None


def test_addresses_of_other_names_and_families_do_not_count() -> None:
    others = answer(record(spelled("other.test"), 1, HOME.packed), record(POINTER, 1, HOME.packed, family=3))
    assert read_answer(others, asked=ASKED) == []


@pytest.mark.parametrize(
    "octets",
    [
        answer(record(POINTER, 1, b"\1\2\3")),
        answer(record(b"\xc0\x1c", 1, HOME.packed)),  # a pointer at itself
        answer(record(b"\xc0\xff", 1, HOME.packed)),
        answer(record(b"\x41a\0", 1, HOME.packed)),
        answer(record((b"\x3f" + b"a" * 63) * 4 + b"\0", 1, HOME.packed)),
        answer(record(POINTER, 1, HOME.packed), count=2),
    ],
    ids=["three octets", "at itself", "ahead", "label", "too long", "too few"],
)
def test_an_answer_that_is_broken_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        read_answer(octets, asked=ASKED)


def test_an_answer_that_ends_early_says_nothing_and_what_follows_one_does_not_matter() -> None:
    for end in range(len(LEADS_HOME)):
        with suppress(Malformed):
            assert read_answer(LEADS_HOME[:end], asked=ASKED) is None
    assert read_answer(LEADS_HOME + b"\xff" * 9, asked=ASKED) == [HOME]


@given(st.binary(max_size=ANSWER_MAX), st.integers(0, 12))
def test_any_octets_behind_the_question_are_read_to_an_end(octets: bytes, count: int) -> None:
    with suppress(Malformed):
        said = read_answer(answer(octets, count=count), asked=ASKED)
        assert said is not None
        assert {each.version for each in said} <= {4}


@given(st.data())
def test_a_real_answer_with_octets_changed_is_read_or_malformed(data: st.DataObject) -> None:
    real = bytearray(answer(record(POINTER, 5, b"\1b\xc0\x12"), record(b"\xc0\x28", 1, HOME.packed)))
    assert read_answer(bytes(real), asked=ASKED) == [HOME]
    for place, octet in data.draw(st.dictionaries(st.integers(0, len(real) - 1), st.integers(0, 255))).items():
        real[place] = octet
    with suppress(Malformed):
        read_answer(bytes(real), asked=ASKED)
