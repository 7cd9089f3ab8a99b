"""What we ask of the machine: time and chance, which no other module asks for, and names that last."""

from __future__ import annotations

import gc
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Final

from qanat.units import Instant

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""


class SystemClock:
    def now(self) -> Instant:
        return time.time_ns() // 1_000_000  # type: ignore[return-value]  # calling Instant takes longer than asking


class SteadyClock:
    """Tells how long something takes: it begins at the system's time, and goes on evenly while somebody sets that."""

    def __init__(self) -> None:
        self._begun_ns = time.time_ns() - time.monotonic_ns()

    def now(self) -> Instant:
        return Instant((self._begun_ns + time.monotonic_ns()) // 1_000_000)


def tune() -> None:
    """Set the interpreter up for a process that serves. Call it once everything is loaded; repeating is safe.

    What stands now stays for ever, and records hold no cycles, so there is hardly any garbage to look for: a look at 50,000
    objects kept everybody waiting for 4 to 11 ms, one at 2,000 takes 0.3. A thread waits half a millisecond at most for Python's
    lock, where 5 ms are the rule: somebody waits for what it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 3, 8_000)
    sys.setswitchinterval(0.0005)


def sync_directory(directory: Path) -> None:
    """Make new names durable: they stand in the directory, not in the files. Raises OSError."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def create_private(file: Path) -> None:
    """Make an empty file that only its owner reads. Raises FileExistsError, OSError."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def fresh_token() -> str:
    """Return 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def fresh_id(prefix: str) -> str:
    """Return a new identifier such as ``trm-4jx0s…``: 80 random bits, lower case, speakable on the phone."""
    return f"{prefix}-{_spelled(16)}"


def fresh_code() -> str:
    """Return a new code for people to type, such as ``7K2M-9QXD-V4TH``: 60 random bits."""
    return "-".join(_spelled(4) for _ in range(3)).upper()


def fresh_symbols(letters: int) -> str:
    """Return random symbols of the same alphabet, upper case: 5 bits each."""
    return _spelled(letters).upper()


def _spelled(letters: int) -> str:
    """Return 5 random bits a letter; all from one call, since the system is asked for every request's id."""
    bits = secrets.randbits(5 * letters)
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 5 * letters, 5))


def fresh_leap() -> int:
    """Return by how much numbers that must never meet go on: 2^27 to 2^28, so that 2^53 has room for millions of leaps."""
    return (1 << 27) + secrets.randbelow(1 << 27)


def fresh_question() -> int:
    """Return a number for a question to the DNS, 16 bits that nobody else can guess."""
    return secrets.randbits(16)


def fresh_seed() -> int:
    """Return a seed for a simulated world, short enough to be said."""
    return secrets.randbelow(100_000)
