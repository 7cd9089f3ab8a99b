"""Prices: octet for octet, or money for a gigabyte (10^9 octets)."""

from __future__ import annotations

from typing import Final

import msgspec

from qanat.units import Octets, format_money

GIGABYTE: Final = 1_000_000_000
OCTET_FOR_OCTET: Final = "octets"


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """``unit`` is a currency, or ``octets``: what was received is given back in octets."""

    unit: str = OCTET_FOR_OCTET
    per_gb: int = GIGABYTE
    """In minor units of the currency; octet for octet it is a gigabyte for a gigabyte."""

    def __str__(self) -> str:
        return "octet for octet" if self.unit == OCTET_FOR_OCTET else format_money(self.per_gb, self.unit)

    @property
    def money(self) -> int:
        """For comparing: octet for octet costs no money."""
        return 0 if self.unit == OCTET_FOR_OCTET else self.per_gb

    def of(self, octets: Octets, *, carried: int = 0) -> tuple[int, int]:
        """Return what so many octets cost in whole minor units, and what is left over, in billionths of one.

        ``carried`` is what was left over before: carried on, nothing is lost by rounding, however small the pieces.
        """
        return divmod(octets * self.per_gb + carried, GIGABYTE)


def accepts(most: Price | None, price: Price) -> bool:
    """Tell whether a demander who pays ``most`` takes this price; octet for octet suits everybody."""
    if price.unit == OCTET_FOR_OCTET:
        return True
    return most is not None and most.unit == price.unit and price.per_gb <= most.per_gb
