"""Symbols that people say and type: Crockford's base 32, in which no two sound or look alike, with a check symbol.

The check is a code over the field of 32 elements: in up to 31 symbols it sees every single wrong one, and every two that
changed places.
"""

from __future__ import annotations

from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_FIELD: Final = 0b100101
"""x^5 + x^2 + 1, primitive over GF(2)."""


def plain(text: str) -> str:
    """Return the symbols alone, however a person wrote them."""
    return text.upper().translate(_ALIKE)


def with_check(symbols: str) -> str:
    return symbols + ALPHABET[_syndrome(symbols + "0")]


def checks(symbols: str) -> bool:
    """Tell whether these are symbols of which the last one is right for the others."""
    return symbols != "" and set(symbols) <= set(ALPHABET) and _syndrome(symbols) == 0


def _syndrome(symbols: str) -> int:
    """Evaluate the symbols as a polynomial at x, by Horner's rule: the check symbol is the constant term."""
    value = 0
    for symbol in symbols:
        value <<= 1
        if value & 32:
            value ^= _FIELD
        value ^= ALPHABET.index(symbol)
    return value
