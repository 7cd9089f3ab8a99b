"""The layouts against the walk: whatever comes, both say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.diameter import samples

from qanat.server.gy.reading import octets_of
from qanat.units import Instant
from qanat.wire.diameter import codec, profiles
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.layout import Layout, Shape, learn
from qanat.wire.diameter.messages import CreditControlRequest, Message
from qanat.wire.diameter.profiles import avp, text, u32
from qanat.wire.diameter.results import Malformed
from qanat.wire.diameter.walk import walk

Verdict = Message | tuple[int, bytes]
MESSAGES = [*samples.BUILT.values(), encode(samples.ANSWER)]


def by_walk(octets: bytes) -> Verdict:
    try:
        return walk(octets)
    except Malformed as fault:
        return int(fault.result_code), fault.failed_avp


def by_decoder(decoder: Decoder, octets: bytes) -> Verdict:
    try:
        return decoder.decode(octets)
    except Malformed as fault:
        return int(fault.result_code), fault.failed_avp


def learnt() -> Decoder:
    """Return a decoder that has seen every sample."""
    decoder = Decoder()
    for octets in MESSAGES:
        assert by_decoder(decoder, octets) == by_walk(octets)
    return decoder


def test_what_a_layout_accepts_the_walk_reads_the_same_whatever_octet_is_changed() -> None:
    accepted = sum(accepted_changes(learn(octets), octets) for octets in MESSAGES)
    assert accepted > 1000, "the masks leave no hole"


def test_a_layout_opened_bit_by_bit_reads_as_the_walk_does_all_along() -> None:
    """Every fifth octet differs once, where that leaves the shape as it is; after each tenth of it all octets are tried."""
    for octets in MESSAGES:
        shape, accepted = Shape(octets), [0]
        for place in range(20, len(octets), 5):
            changed = octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]
            if shape.has(changed):
                shape.widen(changed)
                assert by_build(shape.layout.build, shape.layout.unpack(changed)) == by_walk(changed)
            if place % 50 == 0:
                accepted.append(accepted_changes(shape.layout, octets))
        assert accepted == sorted(accepted), "what was open stays open"


def accepted_changes(layout: Layout, octets: bytes) -> int:
    """Change every octet in turn; return how many changed messages the layout takes, having compared each with the walk's."""
    accepted = 0
    for place in range(len(octets)):
        for bit in (0x01, 0x04, 0x40, 0x80, 0xFF):
            changed = octets[:place] + bytes([octets[place] ^ bit]) + octets[place + 1 :]
            if layout.pieces(changed) == layout.fixed:
                accepted += 1
                read = by_build(layout.build, layout.unpack(changed))
                assert read in (by_walk(changed), "no UTF-8"), f"{place}, {bit:#04x}"
    return accepted


def by_build(build: Callable[..., Message], values: tuple[Any, ...]) -> Message | str:
    try:
        return build(*values)
    except UnicodeDecodeError:
        return "no UTF-8"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_number_of_changes_cuts_and_insertions_reads_the_same_both_ways(data: st.DataObject) -> None:
    decoder = learnt()
    for _ in range(4):
        octets = bytearray(data.draw(st.sampled_from(MESSAGES)))
        for place, value in data.draw(
            st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=4)
        ):
            octets[place] = value
        at = data.draw(st.integers(20, len(octets)))
        more = data.draw(st.binary(max_size=12))
        less = data.draw(st.sampled_from([0, 0, 4, 8]))
        changed = bytes(octets[:at] + more + octets[at + less :])
        if data.draw(st.booleans()):
            changed = b"\x01" + len(changed).to_bytes(3, "big") + changed[4:]
        assert by_decoder(decoder, changed) == by_walk(changed)


@settings(max_examples=150, deadline=None)
@given(
    session=st.text(min_size=1, max_size=60),
    number=st.integers(0, 2**32 - 1),
    octets=st.integers(0, 2**63 - 1),
    place=st.integers(0, 9999),
)
def test_other_values_in_a_known_shape_are_read_as_they_are(session: str, number: int, octets: int, place: int) -> None:
    decoder = learnt()
    asked = replace(
        samples.UPDATE, session_id=session, number=number, input_octets=octets, output_octets=1, hop_by_hop=place
    )
    for profile in (profiles.open5gs, profiles.magma):
        built = profile(samples.GATEWAY, asked)
        for _ in range(2):
            message = decoder.decode(built)
            assert message == walk(built)
            assert isinstance(message, CreditControlRequest)
            assert (message.session_id, message.cc_request_number) == (session, number)
            assert octets_of(message.services[0].used[0]) == octets + 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_with_a_code(noise: bytes) -> None:
    framed = b"\x01" + (20 + len(noise)).to_bytes(3, "big") + bytes.fromhex("c00001100000000400000001 00000002") + noise
    verdict = by_walk(framed)
    assert isinstance(verdict, tuple)
    assert verdict[0] in {5001, 5004, 5005, 5009, 5014, 5015, 3009}
    assert by_walk(noise) in [(5015, b""), (5011, b"")] or noise.startswith(b"\x01")


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        (text("Called-Station-Id", "internet"), avp("Called-Station-Id", b"intern\xff\xff"), 5004),
        (text("3GPP-SGSN-MCC-MNC", "00101"), avp("3GPP-SGSN-MCC-MNC", b"001\xc3\x28"), 5004),
        (u32("User-Equipment-Info-Type", 0), u32("User-Equipment-Info-Type", 9), 5004),
        (u32("Event-Timestamp", 1), u32("Event-Timestamp", 1) * 2, 5009),
    ],
)
def test_what_no_field_keeps_is_refused_all_the_same_by_walk_and_layout(right: bytes, wrong: bytes, code: int) -> None:
    update = samples.BUILT["open5gs_update"]
    right = right if right in update else update[update.index(right[:8]) :][: len(right)]
    decoder = Decoder()
    for place in range(len(right) - 4, len(right)):  # so that text there is seen to vary
        other = right[:place] + b"7" + right[place + 1 :]
        by_decoder(decoder, update.replace(right, other))
    broken = update.replace(right, wrong)
    broken = b"\x01" + len(broken).to_bytes(3, "big") + broken[4:]
    verdict = by_decoder(decoder, broken)
    assert verdict == by_walk(broken)
    assert isinstance(verdict, tuple)
    assert verdict[0] == code


def test_a_peer_with_ever_new_shapes_fills_no_memory() -> None:
    decoder = Decoder()
    for place in range(3 * codec.MAX_SHAPES):
        asked = replace(samples.UPDATE, session_id="s" * (1 + place))
        assert decoder.decode(profiles.open5gs(samples.GATEWAY, asked)) is not None
        for reason in range(10):
            host = replace(samples.GATEWAY, origin_host=f"gw{reason}.test")
            decoder.decode(profiles.open5gs(host, samples.UPDATE))
    assert decoder.shapes <= codec.MAX_SHAPES


def test_the_shape_of_a_message_longer_than_any_seen_is_not_learnt() -> None:
    decoder, session = Decoder(), "s" * codec.LEARN_UP_TO
    long = profiles.open5gs(samples.GATEWAY, replace(samples.UPDATE, session_id=session))
    assert (decoder.decode(long), decoder.shapes) == (walk(long), 0)


def test_a_shape_is_learnt_once_and_walked_again_only_where_it_differs_for_the_first_time() -> None:
    decoder = Decoder()
    for place in range(100):
        decoder.decode(profiles.open5gs(samples.GATEWAY, replace(samples.UPDATE, number=place, input_octets=place)))
    assert (decoder.shapes, decoder.walked) == (1, 2)
    for place in range(100):
        elsewhere = replace(samples.UPDATE, number=place, imsi=f"00101{place:010}")
        assert decoder.decode(profiles.open5gs(samples.GATEWAY, elsewhere)) is not None
    assert (decoder.shapes, decoder.walked) == (1, 3)


def test_as_many_shapes_as_are_kept_settle_after_a_few_messages_each() -> None:
    """As behind a relay: subscriber, time and usage differ in every message."""
    decoder, chance, walked = Decoder(), Random(1), 0
    for turn in range(8):
        walked = decoder.walked
        for length in range(200):
            asked = replace(
                samples.UPDATE,
                session_id="s" * (20 + length),
                imsi=f"00101{chance.randrange(10**10):010}",
                at=Instant(samples.UPDATE.at + 1000 * chance.randrange(10**6)),
                number=turn,
                input_octets=chance.randrange(10**9),
            )
            decoder.decode(profiles.open5gs(samples.GATEWAY, asked))
    assert (decoder.shapes, decoder.walked - walked) == (200, 0)
