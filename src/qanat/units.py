"""Octets, instants and money: the words in which everything is counted.

Volumes are whole integers below 2**63; no float ever touches an amount. Sizes that people write
(``1GB``, ``1GiB``, ``500MB``) are admitted here, once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Literal, NewType

Octets = NewType("Octets", int)
"""A count of traffic at the IP layer, 0 … 2**63−1."""

Unit = Literal["octets", "seconds", "units"]
"""What a bucket holds: traffic, time, or what a service counts by itself (messages, lookups)."""

Instant = NewType("Instant", int)
"""Milliseconds since 1970-01-01T00:00Z."""

Millis = NewType("Millis", int)
"""A span of time in milliseconds."""

MinorUnits = NewType("MinorUnits", int)
"""Money in the smallest unit of its currency (cents, fen, yen)."""

MAX_OCTETS: Final = Octets(2**63 - 1)
MAX_PUBLIC_OCTETS: Final = Octets(2**53 - 1)
"""The largest amount admitted from outside: JSON readers keep integers exact up to here (RFC 8259 §6)."""

SECOND: Final = Millis(1_000)
MINUTE: Final = Millis(60_000)
HOUR: Final = Millis(3_600_000)
DAY: Final = Millis(86_400_000)

_FACTORS: Final = {
    "": 1,
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", start=1)},
}
_SIZE: Final = re.compile(r"(\d+)(?:\.(\d+))?\s*([a-zA-Z]*)")
_AMOUNT: Final = re.compile(r"(\d+)(?:\.(\d+))?")
_DECIMALS: Final = {
    currency: places
    for places, currencies in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for currency in currencies.split()
}
"""Of the currencies that have not two (ISO 4217 list one)."""


def later(now: Instant, span: Millis) -> Instant:
    return Instant(now + span)


def format_instant(at: Instant) -> str:
    """Write an instant for a person: ``2026-11-21T22:15:26Z`` (RFC 3339)."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_size(text: str) -> Octets:
    """Read a size as people write it: plain octets, or with ``kB MB GB TB`` (1000) or ``KiB MiB GiB TiB`` (1024).

    Exact: ``1.5GB`` is 1,500,000,000. Raises ValueError, naming the text and the cure, for anything else, for a
    fraction of an octet, and for more than 2**53−1.
    """
    cure = f"{text!r} is no size: write octets (500000000) or a unit, as in 500MB, 1.5GB or 2GiB"
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(cure)
    whole, fraction, unit = match[1], match[2] or "", match[3]
    factor = {name.lower(): value for name, value in _FACTORS.items()}.get(unit.lower())
    if factor is None:
        raise ValueError(cure)
    octets, rest = divmod(int(whole + fraction) * factor, 10 ** len(fraction))
    if rest:
        raise ValueError(f"{text!r} is a fraction of an octet: write a whole number of octets")
    if octets > MAX_PUBLIC_OCTETS:
        raise ValueError(f"{text!r} is more than {MAX_PUBLIC_OCTETS} octets (2^53-1), the largest amount accepted")
    return Octets(octets)


def format_size(octets: int) -> str:
    """Write octets for a person, rounded down to three figures: ``1.23 GB``. For reading only, never for counting."""
    if abs(octets) < 1000:
        return f"{octets} B"
    sign, value = ("-" if octets < 0 else ""), abs(octets)
    for prefix in "kMGTPE":
        scaled = value // 10
        if value < 1_000_000:
            whole, hundredths = divmod(scaled, 100)
            digits = 2 if whole < 10 else 1 if whole < 100 else 0
            fraction = f".{hundredths:02d}"[: digits + 1] if digits else ""
            return f"{sign}{whole}{fraction} {prefix}B"
        value //= 1000
    return f"{octets} B"


def format_count(count: int, unit: Unit) -> str:
    """Return a count with its unit, for people: ``1.50 GB``, ``3,600 s``, ``10 units``."""
    if unit == "octets":
        return format_size(count)
    return f"{count:,} s" if unit == "seconds" else f"{count:,} units"


def number_of(count: int, one: str, more: str = "") -> str:
    """Say how many there are: ``1 entry``, ``2,000 entries``. ``more`` is ``one`` with an s by default."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def parse_money(text: str, currency: str) -> MinorUnits:
    """Read an amount in major units: ``9.90`` is 990 in EUR, ``990`` in JPY. Raises ValueError, naming the text and the cure."""
    match, places = _AMOUNT.fullmatch(text.strip()), _decimals(currency)
    if match is None or len(match[2] or "") > places:
        raise ValueError(f"{text!r} is no amount of {currency}: write it as in {sample_of_money(currency)}")
    minor = int(match[1] + (match[2] or "").ljust(places, "0"))
    if minor > MAX_PUBLIC_OCTETS:
        raise ValueError(
            f"{text!r} is more than {format_money(MAX_PUBLIC_OCTETS, currency)}, the largest amount accepted"
        )
    return MinorUnits(minor)


def sample_of_money(currency: str) -> str:
    """Return how an amount may be written: ``9.90``, or ``990`` where the currency has no decimals."""
    return format_amount(990, currency)


def format_money(amount: int, currency: str) -> str:
    """Write minor units in major ones, with their currency: ``9.90 EUR``, ``990 JPY``."""
    return f"{format_amount(amount, currency)} {currency}"


def format_amount(amount: int, unit: str) -> str:
    """Write what a unit counts: money, whose unit is an ISO 4217 code, in major units; octets with their thousands."""
    if not unit.isupper():
        return f"{amount:,}"
    sign, places = "-" if amount < 0 else "", _decimals(unit)
    major, minor = divmod(abs(amount), 10**places)
    return f"{sign}{major}.{minor:0{places}d}" if places else f"{sign}{major}"


def _decimals(currency: str) -> int:
    return _DECIMALS.get(currency, 2)
