"""Values between payload and Python: one reader and one writer for each data format (RFC 6733 §4.2, §4.3).

A reader is given a message and where the payload begins and ends. It raises WrongLength, or ValueError for a value
that the format or the enumeration does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

from qanat.units import Instant
from qanat.wire.diameter.avp import Kind

Reader = Callable[[bytes, int, int], Any]
Writer = Callable[[Any], bytes]

_NTP_TO_UNIX_S: Final = 2_208_988_800
_ERA_S: Final = 1 << 32
_TOP: Final = 1 << 31
_BEGINS_S: Final = _TOP - _NTP_TO_UNIX_S
"""When the Time format begins, in Unix time: 20 January 1968, the first second whose top bit is set."""


class WrongLength(Exception):
    """The payload is not as long as its format."""


def instant_of(ntp_s: int) -> Instant:
    """Read the Time format: seconds since 1900, and after the roll-over of February 2036 since then (RFC 5905 §6)."""
    return Instant(((ntp_s ^ _TOP) + _BEGINS_S) * 1000)


def ntp_of(instant: Instant) -> int:
    return (instant // 1000 + _NTP_TO_UNIX_S) % _ERA_S


def reader(kind: Kind, values: type | None) -> Reader:
    """Return the reader for a format; ``values`` is the enumeration that bounds it, if one does."""
    if isinstance(values, type) and issubclass(values, IntEnum):
        return _member_reader(values)
    return _READERS[kind]


def writer(kind: Kind) -> Writer:
    return _WRITERS[kind]


def _u32(octets: bytes, start: int, stop: int) -> int:
    if stop - start != 4:
        raise WrongLength
    return int.from_bytes(octets[start:stop], "big")


def _u64(octets: bytes, start: int, stop: int) -> int:
    if stop - start != 8:
        raise WrongLength
    return int.from_bytes(octets[start:stop], "big")


def _i32(octets: bytes, start: int, stop: int) -> int:
    if stop - start != 4:
        raise WrongLength
    return int.from_bytes(octets[start:stop], "big", signed=True)


def _i64(octets: bytes, start: int, stop: int) -> int:
    if stop - start != 8:
        raise WrongLength
    return int.from_bytes(octets[start:stop], "big", signed=True)


def _time(octets: bytes, start: int, stop: int) -> Instant:
    return instant_of(_u32(octets, start, stop))


def _text(octets: bytes, start: int, stop: int) -> str:
    return octets[start:stop].decode()


def _identity(octets: bytes, start: int, stop: int) -> str:
    if start == stop:
        raise WrongLength
    return octets[start:stop].decode("ascii")


def _octets(octets: bytes, start: int, stop: int) -> bytes:
    return octets[start:stop]


def _address(octets: bytes, start: int, stop: int) -> bytes:
    """Keep an Address as it came, once its family and its length agree (RFC 6733 §4.3.1)."""
    exact = {b"\x00\x01": 6, b"\x00\x02": 18}.get(octets[start : start + 2])
    if stop - start < 2 or (exact is not None and stop - start != exact):
        raise WrongLength
    return octets[start:stop]


def _whole_group(octets: bytes, start: int, stop: int) -> bytes:
    if stop & 3:
        raise WrongLength
    return octets[start:stop]


def _member_reader(values: type[IntEnum]) -> Reader:
    members = {int(member).to_bytes(4, "big", signed=True): member for member in values}

    def read(octets: bytes, start: int, stop: int) -> IntEnum:
        member = members.get(octets[start:stop])
        if member is None:
            raise ValueError(f"{_i32(octets, start, stop)}, no {values.__name__}: it is one of {[*map(int, values)]}")
        return member

    return read


@lru_cache(maxsize=4096)
def _identity_octets(name: str) -> bytes:
    return name.encode("ascii")


_READERS: Final[dict[Kind, Reader]] = {
    Kind.OCTETS: _octets,
    Kind.TEXT: _text,
    Kind.IDENTITY: _identity,
    Kind.URI: _identity,
    Kind.FILTER: _octets,
    Kind.ADDRESS: _address,
    Kind.TIME: _time,
    Kind.ENUM: _i32,
    Kind.I32: _i32,
    Kind.I64: _i64,
    Kind.U32: _u32,
    Kind.U64: _u64,
    Kind.GROUP: _whole_group,
}
_WRITERS: Final[dict[Kind, Writer]] = {
    Kind.OCTETS: bytes,
    Kind.TEXT: str.encode,
    Kind.IDENTITY: _identity_octets,
    Kind.URI: _identity_octets,
    Kind.FILTER: bytes,
    Kind.ADDRESS: bytes,
    Kind.TIME: lambda instant: ntp_of(instant).to_bytes(4, "big"),
    Kind.ENUM: lambda number: number.to_bytes(4, "big", signed=True),
    Kind.I32: lambda number: number.to_bytes(4, "big", signed=True),
    Kind.I64: lambda number: number.to_bytes(8, "big", signed=True),
    Kind.U32: lambda number: number.to_bytes(4, "big"),
    Kind.U64: lambda number: number.to_bytes(8, "big"),
    Kind.GROUP: bytes,
}
assert _READERS.keys() == _WRITERS.keys() == set(Kind)
