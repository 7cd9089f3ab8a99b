"""What is on its way to the server: one message at a time, repeated with the same contents until it has an answer.

Knows when to report, when to try again, and how long a server that is away is left alone. What a message says is the
holder's. Pure, like the holder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from qanat.units import SECOND, Instant, Millis, later
from qanat.wire.agent import Interrogation, UsageReport

TRY_AGAIN_S: Final = (1, 2, 4, 8, 15, 30, 60)
"""Waits after the first, second, … failure to reach the server over any channel; none is longer than the report interval,
at which a server that is there hears from every holder anyway."""
RETRY_AFTER_MAX_S: Final = 300
"""A server that asks to be left alone for longer is tried again after this."""
RETRY_WITHIN: Final = Millis(RETRY_AFTER_MAX_S * 1250)
"""The longest wait that a server can ask for, with its spread of a quarter."""

Message = Interrogation | UsageReport


class Outbox:
    __slots__ = (
        "_failures",
        "_found_no_way",
        "_interval_s",
        "_name",
        "_report_at",
        "_retry_at",
        "_wish_s",
        "outstanding",
    )

    def __init__(self, pending: Interrogation | None, *, name: str, report_interval_s: int | None) -> None:
        """``name`` spreads the retries; ``report_interval_s`` overrules the server's wish."""
        self.outstanding: Message | None = pending
        self._name = name
        self._wish_s = report_interval_s
        self._interval_s = report_interval_s or 10
        self._report_at = Instant(0)
        self._retry_at: Instant | None = None
        self._failures = 0
        self._found_no_way = False

    def start(self, now: Instant, *, owes_rows: bool) -> None:
        self._retry_at = None if self.outstanding is None else now
        self._report_at = now if owes_rows else self._next_report(now)

    @property
    def is_asking(self) -> bool:
        return isinstance(self.outstanding, Interrogation)

    def expects(self, session: str, number: int) -> Interrogation | None:
        """Return the question that this is the answer to."""
        asked = self.outstanding
        return (
            asked if isinstance(asked, Interrogation) and (asked.session, asked.number) == (session, number) else None
        )

    # What happens to a message

    def ask(self, message: Interrogation) -> None:
        self._failures = 0
        self.send(message)

    def send(self, message: Message) -> None:
        self.outstanding, self._retry_at = message, None

    def answered(self, now: Instant) -> None:
        self.drop()
        self._failures = 0
        self._report_at = self._next_report(now)

    def drop(self) -> None:
        self.outstanding = self._retry_at = None

    def failed(self, now: Instant, *, at_least_s: int) -> int:
        """Try again later; return the seconds."""
        patient_s = min(TRY_AGAIN_S[min(self._failures, len(TRY_AGAIN_S) - 1)], self._interval_s)
        wait_s = max(patient_s, at_least_s)
        self._failures += 1
        self.wait(now, wait_s)
        self._found_no_way = not at_least_s
        return wait_s

    def wait(self, now: Instant, wait_s: int) -> None:
        """Wait a quarter more or less, by the name, so that a thousand holders do not come back at once."""
        spread = 750 + crc32(f"{self._name}/{self._failures}".encode()) % 500
        self._retry_at = later(now, Millis(wait_s * spread))
        self._found_no_way = False

    def hurry(self, now: Instant) -> None:
        """There is another way: what found none goes at once, and what is under way waits short if it finds none."""
        self._failures = 0
        if self._found_no_way and self._retry_at is not None:
            self._retry_at = now

    def wish(self, report_interval_s: int) -> None:
        """The server wants reports so often."""
        self._interval_s = self._wish_s or report_interval_s

    # When to do what

    def repeats(self, now: Instant) -> Message | None:
        """Return what is to be sent again now."""
        return self.outstanding if self._retry_at is not None and now >= self._retry_at else None

    def reports(self, now: Instant) -> bool:
        return self.outstanding is None and now >= self._report_at

    def bound(self, now: Instant) -> None:
        """The clock may have been set back: no wait is longer than it was meant to be."""
        self._report_at = min(self._report_at, self._next_report(now))
        if self._retry_at is not None:
            self._retry_at = min(self._retry_at, later(now, RETRY_WITHIN))

    def wakes(self, *, has_usage: bool) -> Iterator[Instant]:
        """Give the times at which there will be something to do."""
        if self.outstanding is None and has_usage:
            yield self._report_at
        if self._retry_at is not None:
            yield self._retry_at

    def _next_report(self, now: Instant) -> Instant:
        return later(now, Millis(self._interval_s * SECOND))
