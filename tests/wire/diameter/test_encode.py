"""What is written can be read: every message class, every field."""

from __future__ import annotations

from dataclasses import replace as replaced
from functools import cache
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.wire.diameter import samples

from qanat.units import Instant
from qanat.wire.diameter.avp import Kind
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.grammar import COMPILED, Slot
from qanat.wire.diameter.groups import FinalUnitIndication, Mscc, RedirectServer, Units
from qanat.wire.diameter.leaves import instant_of, ntp_of
from qanat.wire.diameter.messages import ANSWERS, REQUESTS, Message
from qanat.wire.diameter.profiles import avp, open5gs, text, u32
from qanat.wire.diameter.values import FinalUnitAction, RedirectAddressType
from qanat.wire.diameter.walk import walk

LEAVES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.OCTETS: st.binary(max_size=20),
    Kind.TEXT: st.text(max_size=20),
    Kind.IDENTITY: st.text("abcdefghijklmnopqrstuvwxyz0123456789.", min_size=1, max_size=30),
    Kind.FILTER: st.just(b"permit in ip from any to assigned"),
    Kind.ADDRESS: st.binary(min_size=4, max_size=4).map(b"\x00\x01".__add__),
    Kind.TIME: st.integers(0, 2**32 - 1).map(instant_of),
    Kind.ENUM: st.integers(-(2**31), 2**31 - 1),
    Kind.U32: st.integers(0, 2**32 - 1),
    Kind.U64: st.integers(0, 2**64 - 1),
}


@cache
def fields(made: type) -> st.SearchStrategy[tuple[Any, ...]]:
    """Draw the values of every field of a message or group, by its grammar."""
    return st.tuples(*(values(slot, get_type_hints(made)[slot.field]) for slot in COMPILED[made].fields))


def values(slot: Slot, hint: Any) -> st.SearchStrategy[Any]:
    one = item(slot, hint)
    if slot.many:
        return st.lists(one, min_size=int(slot.required), max_size=3).map(tuple)
    return one if slot.required else st.none() | one


def item(slot: Slot, hint: Any) -> st.SearchStrategy[Any]:
    if slot.group is not None:
        make = slot.group.make
        return fields(make).map(lambda drawn: make(*drawn))
    if slot.whole:
        return st.just(avp(slot.avp.name, u32("Vendor-Id", 0)))
    inner = next((one for one in get_args(hint) if one is not type(None)), hint)
    return st.sampled_from(list(inner)) if hasattr(inner, "__members__") else LEAVES[slot.avp.kind]


@pytest.mark.parametrize("made", [*REQUESTS, *ANSWERS])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_message_comes_back_as_it_was_sent(made: type[Message], data: st.DataObject) -> None:
    flags = data.draw(st.sampled_from([0x80, 0xC0, 0xD0] if made in REQUESTS else [0x00, 0x40]))
    identifiers = data.draw(st.tuples(*[st.integers(0, 2**32 - 1)] * 2))
    message = made(flags, *identifiers, *data.draw(fields(made)))
    octets = encode(message)
    assert len(octets) == int.from_bytes(octets[1:4], "big")
    assert walk(octets) == message


@pytest.mark.parametrize(
    ("final_unit", "octets"),
    [
        (FinalUnitIndication(FinalUnitAction.TERMINATE), avp("Final-Unit-Indication", u32("Final-Unit-Action", 0))),
        (
            FinalUnitIndication(
                FinalUnitAction.REDIRECT, redirect_server=RedirectServer(RedirectAddressType.URL, "https://top.up/")
            ),
            avp(
                "Final-Unit-Indication",
                u32("Final-Unit-Action", 1),
                avp(
                    "Redirect-Server",
                    u32("Redirect-Address-Type", 2),
                    text("Redirect-Server-Address", "https://top.up/"),
                ),
            ),
        ),
        (
            FinalUnitIndication(FinalUnitAction.RESTRICT_ACCESS, filter_ids=("walled-garden",)),
            avp("Final-Unit-Indication", u32("Final-Unit-Action", 2), text("Filter-Id", "walled-garden")),
        ),
    ],
)
def test_the_three_final_unit_actions_are_written_by_their_grammar(
    final_unit: FinalUnitIndication, octets: bytes
) -> None:
    service = Mscc(granted=Units(total=1), final_unit=final_unit)
    assert octets in encode(replace(samples.ANSWER, services=(service,)))


def test_a_message_longer_than_a_header_can_say_is_not_written() -> None:
    with pytest.raises(ValueError, match="longer than"):
        encode(replace(samples.ANSWER, error_message="x" * 2**24))


def test_time_rolls_over_in_2036() -> None:
    assert instant_of(0x83AA7E80) == 0
    assert instant_of(0) == 2_085_978_496_000
    assert ntp_of(Instant(2_085_978_496_000)) == 0


def test_a_repeated_request_carries_the_t_flag() -> None:
    first = walk(open5gs(samples.GATEWAY, samples.UPDATE))
    again = walk(open5gs(samples.GATEWAY, replaced(samples.UPDATE, repeated=True)))
    assert (first.is_repeated, again.is_repeated) == (False, True)
    assert replace(again, flags=first.flags) == first
