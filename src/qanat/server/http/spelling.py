"""What the interface's regular expressions mean, for whoever is refused a text: the framework names the expression itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qanat.registry.names import NAME
from qanat.registry.peers import ORIGIN_HOST
from qanat.server.gy.quirks import PROFILES
from qanat.wire import spelling

CURRENCY: Final = r"^[A-Z]{3}$"
PERIOD: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
STATUS: Final = r"^(active|suspended)$"
PROFILE: Final = f"^({'|'.join(PROFILES)})$"

WORDS: Final[Mapping[str, str]] = {
    **spelling.WORDS,
    NAME: "1 to 64 letters, digits and . _ @ -, a letter or a digit first",
    ORIGIN_HOST: "a host's name of letters, digits and . _ -, or *. and what several names end in",
    CURRENCY: spelling.WORDS[spelling.CURRENCY],
    PERIOD: "a year and a month, as in 2026-11",
    STATUS: "active or suspended",
    PROFILE: f"one of {', '.join(PROFILES)}",
}
