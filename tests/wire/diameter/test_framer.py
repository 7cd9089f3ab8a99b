"""Streams that do not divide into messages."""

from __future__ import annotations

import pytest
from tests.wire.diameter.samples import ANSWER

from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.framer import Framer
from qanat.wire.diameter.header import MAX_MESSAGE_OCTETS
from qanat.wire.diameter.results import ResultCode


def header(first_word: int) -> bytes:
    return first_word.to_bytes(4, "big") + bytes(16)


@pytest.mark.parametrize("length", [0, 4, 16, 19, 21, 22, 23, MAX_MESSAGE_OCTETS + 4, 0xFFFFFC, 0xFFFFFF])
def test_a_length_that_cannot_be_ends_the_stream_at_once(length: int) -> None:
    framer = Framer()
    assert framer.feed(header(1 << 24 | length)) == []
    assert framer.fault is not None
    assert framer.fault.result_code is ResultCode.INVALID_MESSAGE_LENGTH


def test_sixteen_megabytes_claimed_are_never_gathered() -> None:
    framer = Framer()
    framer.feed(header(0x01FFFFFC))
    for _ in range(1000):
        assert framer.feed(bytes(4096)) == []
    assert len(framer.torn) == 20


def test_another_version_ends_the_stream() -> None:
    framer = Framer()
    framer.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert framer.fault is not None
    assert framer.fault.result_code is ResultCode.UNSUPPORTED_VERSION


def test_messages_before_the_break_are_still_served() -> None:
    octets, framer = encode(ANSWER), Framer()
    assert framer.feed(octets + octets + header(0x02000014)) == [octets, octets]
    assert framer.fault is not None


def test_many_messages_in_one_piece_come_out_in_order() -> None:
    octets = encode(ANSWER)
    assert Framer().feed(octets * 50) == [octets] * 50


@pytest.mark.parametrize("size", [1, 3, 19, 20, 21, 64])
def test_pieces_of_any_size_come_out_whole(size: int) -> None:
    octets, framer = encode(ANSWER) * 3, Framer()
    pieces = [octets[place : place + size] for place in range(0, len(octets), size)]
    assert [whole for piece in pieces for whole in framer.feed(piece)] == [encode(ANSWER)] * 3
