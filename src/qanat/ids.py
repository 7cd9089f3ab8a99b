"""Identifiers, shards, and the check digits that let a person's typing error be seen.

Every record belongs to an *owner*, written ``kind/name`` (``subscriber/alice``, ``imsi/001010000000001``), and every
owner to one shard. ``kind/name#17`` pins an owner to shard 17: so an operator keeps one set of accounts in each shard.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NewType
from zlib import crc32

SHARDS: Final = 1024

Owner = NewType("Owner", str)
Shard = NewType("Shard", int)
EVERY_SHARD: Final = tuple(map(Shard, range(SHARDS)))
SessionId = NewType("SessionId", str)
QuotaId = NewType("QuotaId", str)
Iccid = NewType("Iccid", str)
Imsi = NewType("Imsi", str)


@lru_cache(maxsize=200_000)
def shard_of(owner: str) -> Shard:
    """Return the shard an owner lives in: the pinned one, or a hash that never changes (CRC-32, not ``hash``)."""
    _, pinned, number = owner.rpartition("#")
    return Shard(int(number) if pinned else crc32(owner.encode()) % SHARDS)


def luhn_digit(digits: str) -> str:
    """Return the check digit for a string of decimal digits (ITU-T E.118 Annex A, ISO/IEC 7812-1 Annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def is_iccid(text: str) -> bool:
    """Tell whether this is an ICCID: 89, 18 or 19 digits with the check digit, which must be right (ITU-T E.118 §4)."""
    return (
        text.isascii()
        and text.isdigit()
        and text.startswith("89")
        and 19 <= len(text) <= 20
        and text[-1] == luhn_digit(text[:-1])
    )


def is_imsi(text: str) -> bool:
    """Tell whether this is an IMSI: 6 to 15 decimal digits (3GPP TS 23.003 §2.2)."""
    return text.isascii() and text.isdigit() and 6 <= len(text) <= 15


def is_msisdn(text: str) -> bool:
    """Tell whether this is an international number without its plus sign: 5 to 15 digits (ITU-T E.164 §6.2)."""
    return text.isascii() and text.isdigit() and 5 <= len(text) <= 15 and not text.startswith("0")
