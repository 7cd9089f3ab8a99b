"""The twenty octets before the AVPs (RFC 6733 §3)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from qanat.wire.diameter.messages import ERROR, REQUEST
from qanat.wire.diameter.results import Malformed, ResultCode, Unframeable

HEADER_OCTETS: Final = 20
MAX_MESSAGE_OCTETS: Final = 1 << 18
"""The longest message taken. The format allows 16 MB; the longest credit-control request seen is under 8 kB."""
LONGEST: Final = 0xFFFFFF
"""What a header can say, and so the longest message sent: an answer repeats much of its request, and adds to it."""

HEADER: Final = Struct("!IIIII")
VERSION: Final = 1
BEGINNINGS: Final = range(VERSION << 24 | HEADER_OCTETS, (VERSION << 24 | MAX_MESSAGE_OCTETS) + 1, 4)
"""The first words that a message may have: version 1, and a length in fours."""


@dataclass(frozen=True, slots=True)
class Header:
    """A message's header as it came; nothing but its length is checked."""

    length: int
    flags: int
    command: int
    application: int
    hop_by_hop: int
    end_to_end: int

    @property
    def is_request(self) -> bool:
        return bool(self.flags & REQUEST)

    @property
    def is_error(self) -> bool:
        return bool(self.flags & ERROR)


def read_header(octets: bytes) -> Header:
    """Read the header of a message that the framer cut out, or that stands alone. Raises Malformed."""
    if len(octets) < HEADER_OCTETS:
        raise Unframeable(
            f"{len(octets)} octets are no Diameter message: a header has 20",
            result_code=ResultCode.INVALID_MESSAGE_LENGTH,
        )
    version_length, flags_command, application, hop_by_hop, end_to_end = HEADER.unpack_from(octets)
    if version_length not in BEGINNINGS:
        raise fault_of(version_length)
    length = version_length & 0xFFFFFF
    if length != len(octets):
        raise Malformed(
            f"the header says {length} octets and {len(octets)} came", result_code=ResultCode.INVALID_MESSAGE_LENGTH
        )
    return Header(
        length=length,
        flags=flags_command >> 24,
        command=flags_command & 0xFFFFFF,
        application=application,
        hop_by_hop=hop_by_hop,
        end_to_end=end_to_end,
    )


def fault_of(version_length: int) -> Unframeable:
    """Return what is wrong with a first word that is none of ``BEGINNINGS``."""
    version, length = version_length >> 24, version_length & 0xFFFFFF
    if version != VERSION:
        return Unframeable(f"version {version} is not spoken here, only 1", result_code=ResultCode.UNSUPPORTED_VERSION)
    return Unframeable(
        f"no message is {length} octets long: 20 to {MAX_MESSAGE_OCTETS}, in fours",
        result_code=ResultCode.INVALID_MESSAGE_LENGTH,
    )
