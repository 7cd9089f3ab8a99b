"""Text as it may be printed, whoever wrote it: names, places and reasons are strangers' as well."""

from __future__ import annotations

import re
from typing import Final

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""C0 and C1: no part of what people read."""
_STEERS: Final = re.compile(CONTROL.pattern + r"|[\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor or turns its lines around: those, and the marks of Unicode's annex 9."""


def plain(line: str) -> str:
    """Return a line with what steers a terminal written out."""
    return _STEERS.sub(lambda found: ascii(found[0])[1:-1], line)


def plain_lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))
