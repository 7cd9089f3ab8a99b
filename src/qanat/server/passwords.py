"""Passwords: hashed and checked in threads, a few at once, and tried only so often.

argon2id takes 64 MiB and a good part of a second on purpose, so neither the event loop nor memory may be at the mercy
of whoever asks. Nothing here tells a wrong name from a wrong password, not even by the time it takes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from functools import cached_property
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from qanat.clock import Clock
from qanat.refusals import Refusal, Refused
from qanat.units import MINUTE, Instant

_NAMES_KEPT: Final = 10_000


class Passwords:
    """Hashes and checks passwords, ``at_once`` of them in parallel."""

    def __init__(self, *, at_once: int, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(at_once)

    async def hash(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, stored: str | None) -> bool:
        """Tell whether the password fits; a name without a password costs the same time and never fits."""
        async with self._slots:
            return await asyncio.to_thread(self._check, password, stored)

    def _check(self, password: str, stored: str | None) -> bool:
        nobody = self._nobody
        try:
            return self._hasher.verify(stored or nobody, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("nobody has this password")


def too_many_tries(first: int, now: Instant) -> Refused:
    return Refused(Refusal.TOO_MANY_TRIES, {"wait_s": (first + MINUTE - now) // 1000 + 1})


class Tries:
    """How often somebody may try in a minute. Bounded: whoever tried longest ago is forgotten first."""

    def __init__(self, *, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._tries: OrderedDict[str, deque[Instant]] = OrderedDict()

    def count(self, who: str) -> Refused | None:
        """Count a try, or refuse it."""
        now = self._clock.now()
        tries = self._tries.setdefault(who, deque())
        self._tries.move_to_end(who)
        while tries and not now - MINUTE < tries[0] <= now:  # nor does one count that a clock since set back let come
            tries.popleft()
        if len(tries) >= self._per_minute:
            return too_many_tries(tries[0], now)
        tries.append(now)
        if len(self._tries) > _NAMES_KEPT:
            self._tries.popitem(last=False)
        return None

    def take_back(self, who: str) -> None:
        """Count the last try not: it was right."""
        tries = self._tries.get(who)
        if tries:
            tries.pop()

    def forget(self, who: str) -> None:
        """Begin anew after a success."""
        self._tries.pop(who, None)
