"""One question to the DNS, where a name leads, and what an answer to it says: RFC 1035 §4, for IPv6 RFC 3596 §2.

An answer stands alone: aliases (CNAME) are followed within it and nowhere else. One that was cut short (TC) is read for what it
holds: a part of the addresses leads there as well as all of them, and none says nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from qanat.errors import BadInput

Address = IPv4Address | IPv6Address

QUESTION_MAX: Final = 12 + 255 + 4
"""Octets of the longest question."""
ANSWER_MAX: Final = 512
"""Octets of the longest answer: no more than this comes to who asks without EDNS (RFC 1035 §2.3.4)."""

_HEAD: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")
_ASKS_FOR_RECURSION: Final = 0x0100
_IS_ANSWER, _OPERATION, _CUT_SHORT, _OUTCOME = 0x8000, 0x7800, 0x0200, 0x000F
_SETTLED: Final = (0, 3)
"""NOERROR and NXDOMAIN (RFC 1035 §4.1.1): whoever says anything else does not know."""
_INTERNET: Final = 1
_ALIAS: Final = 5
_NAME_MAX: Final = 255
_POINTS: Final = 0xC0


class Kind(IntEnum):
    """What is asked for."""

    A = 1
    AAAA = 28


class Malformed(BadInput):
    """Octets that are no DNS message."""


def question(name: str, kind: Kind, *, number: int) -> bytes:
    """Compose a question. Raises BadInput for what can't be a name."""
    return _HEAD.pack(number, _ASKS_FOR_RECURSION, 1, 0, 0, 0) + _spelled(name) + struct.pack("!HH", kind, _INTERNET)


def read_answer(octets: bytes, *, asked: bytes) -> list[Address] | None:
    """Return where the name leads, nothing when it is known to lead nowhere; None for what does not answer this question.

    Raises Malformed.
    """
    if len(octets) < len(asked) or octets[:2] != asked[:2] or octets[12 : len(asked)].lower() != asked[12:].lower():
        return None
    _, flags, questions, answers, _, _ = _HEAD.unpack_from(octets)
    if not flags & _IS_ANSWER or flags & _OPERATION or questions != 1 or flags & _OUTCOME not in _SETTLED:
        return None
    name, place = _name(octets, 12)
    kind: int = struct.unpack_from("!H", octets, place)[0]
    found = list(_records(octets, place + 4, answers))
    owner = _followed(name, {each: _name(octets, at)[0] for each, its, at, _ in found if its == _ALIAS})
    said = [_address(kind, octets[at : at + length]) for each, its, at, length in found if (each, its) == (owner, kind)]
    return None if flags & _CUT_SHORT and not said else said


def _spelled(name: str) -> bytes:
    try:
        parts = name.removesuffix(".").encode("idna").split(b".")
    except UnicodeError as error:
        raise BadInput(f"{name!r} is no name for the DNS: {error}") from error
    spelled = b"".join(bytes((len(part),)) + part for part in parts) + b"\0"
    if len(spelled) > _NAME_MAX or not all(parts):
        raise BadInput(f"{name!r} is no name for the DNS")
    return spelled


def _records(octets: bytes, place: int, count: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield owner and kind of each record, and where its data begins and how long that is."""
    for _ in range(count):
        owner, place = _name(octets, place)
        if place + _RECORD.size > len(octets):
            raise Malformed("a record ends before its data")
        kind, family, _, length = _RECORD.unpack_from(octets, place)
        place += _RECORD.size
        if place + length > len(octets):
            raise Malformed("the message ends within a record's data")
        if family == _INTERNET:
            yield owner, kind, place, length
        place += length


def _name(octets: bytes, place: int) -> tuple[bytes, int]:
    """Read a name, in lower case, and return where it ends. Each pointer leads back, so there is an end to it (§4.1.4)."""
    spelled, end, earliest = b"", 0, place
    while True:
        length = _octet(octets, place)
        if length & _POINTS == _POINTS:
            end = end or place + 2
            place = (length & ~_POINTS) << 8 | _octet(octets, place + 1)
            if place >= earliest:
                raise Malformed("a name points ahead")
            earliest = place
            continue
        if length & _POINTS:
            raise Malformed("a label of no known form")
        spelled += octets[place : place + 1 + length]
        place += 1 + length
        if len(spelled) > _NAME_MAX or place > len(octets):
            raise Malformed("a name without an end")
        if not length:
            return spelled.lower(), end or place


def _octet(octets: bytes, place: int) -> int:
    if place >= len(octets):
        raise Malformed("the message ends within a name")
    return octets[place]


def _followed(name: bytes, aliases: dict[bytes, bytes]) -> bytes:
    """Return what the aliases lead to; each is followed once."""
    while (further := aliases.pop(name, None)) is not None:
        name = further
    return name


def _address(kind: int, data: bytes) -> Address:
    try:
        return IPv4Address(data) if kind == Kind.A else IPv6Address(data)
    except ValueError as error:
        raise Malformed(f"an address of {len(data)} octets") from error
