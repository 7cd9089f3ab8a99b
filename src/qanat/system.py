"""The only module that asks the machine for time and chance."""

from __future__ import annotations

import secrets
import time

from qanat.units import Instant


class SystemClock:
    def now(self) -> Instant:
        return Instant(time.time_ns() // 1_000_000)


def fresh_token() -> str:
    """Return 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def fresh_id(prefix: str) -> str:
    """Return a new identifier such as ``trm-4jx0s…``: 80 random bits, lower case, speakable on the phone."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
    return f"{prefix}-" + "".join(secrets.choice(alphabet) for _ in range(16))
