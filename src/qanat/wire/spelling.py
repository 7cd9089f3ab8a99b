r"""How texts are spelt that travel, and the same in words: who is refused one is told those, not a regular expression.

``(?!\n)``: ``$`` alone lets a newline follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$(?!\n)"
NOTE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)"
SERIAL: Final = r"^[A-Za-z0-9._:-]+$(?!\n)"
CURRENCY: Final = r"^[A-Z]{3}$(?!\n)"

WORDS: Final[Mapping[str, str]] = {
    NAME: "letters, digits and . _ : @ - only, a letter or a digit first",
    NOTE: "no control characters",
    SERIAL: "letters, digits and . _ : - only",
    CURRENCY: "three capital letters (ISO 4217), as in EUR",
}
MISSPELT: Final = "Expected `str` matching regex "
"""How msgspec begins what it says of a text that is spelt otherwise."""


def in_words(message: str) -> str:
    """Return what msgspec says of a text, its place included, with words for the regular expression."""
    for pattern, words in WORDS.items():
        message = message.replace(f"{MISSPELT}{pattern!r}", f"Expected {words}")
    return message
