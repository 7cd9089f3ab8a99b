"""One AVP: its definition, its header, its padding (RFC 6733 §4.1), and the basic data formats (§4.2, §4.3).

What an AVP means is ``dictionary``; where it may stand is ``messages``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final

VENDOR: Final = 0x80
MANDATORY: Final = 0x40
RESERVED: Final = 0x1F
"""Must be clear. Not among them 0x20, which was for end-to-end security in RFC 3588: old stacks send it, we never do."""

BASE_HEADER: Final = Struct("!II")
VENDOR_HEADER: Final = Struct("!III")
PADDINGS: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By payload octets modulo four."""


class Kind(Enum):
    """A data format: how long its payload is, or None, and the least it may be."""

    OCTETS = ("OctetString", None, 0)
    TEXT = ("UTF8String", None, 0)
    IDENTITY = ("DiameterIdentity", None, 1)
    URI = ("DiameterURI", None, 1)
    FILTER = ("IPFilterRule", None, 0)
    ADDRESS = ("Address", None, 6)
    TIME = ("Time", 4, 4)
    ENUM = ("Enumerated", 4, 4)
    I32 = ("Integer32", 4, 4)
    I64 = ("Integer64", 8, 8)
    U32 = ("Unsigned32", 4, 4)
    U64 = ("Unsigned64", 8, 8)
    GROUP = ("Grouped", None, 0)

    def __init__(self, title: str, exact_octets: int | None, least_octets: int) -> None:
        self.title = title
        self.exact_octets = exact_octets
        self.least_octets = least_octets


@dataclass(frozen=True, slots=True)
class Avp:
    """An AVP as its specification defines it. ``vendor`` 0 is the IETF: then the V bit is clear."""

    name: str
    code: int
    kind: Kind
    vendor: int
    mandatory: bool
    """Whether we send it with the M bit. A receiver that knows the AVP accepts either (PEERS: python-diameter)."""

    @property
    def key(self) -> int:
        """Code and vendor in one integer, as ``dictionary`` is asked."""
        return self.vendor << 32 | self.code

    def header(self, payload_octets: int) -> bytes:
        flags = MANDATORY << 24 if self.mandatory else 0
        if self.vendor:
            return VENDOR_HEADER.pack(self.code, VENDOR << 24 | flags | 12 + payload_octets, self.vendor)
        return BASE_HEADER.pack(self.code, flags | 8 + payload_octets)

    def encode(self, payload: bytes) -> bytes:
        octets = len(payload)
        return self.header(octets) + payload + PADDINGS[octets & 3]

    def example(self) -> bytes:
        """Return the AVP with the least payload there is, zero-filled: how a missing one is named (RFC 6733 §7.5)."""
        return self.encode(bytes(self.kind.least_octets))
