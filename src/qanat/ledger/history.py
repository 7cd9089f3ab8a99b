"""When traffic was used: where a subscriber's meter stood as each hour of use began.

What was used between two marks belongs to the hour of the first, so hours and days come out to the octet. A mark is made
with the first usage booked in an hour and costs the others one look. Usage counts when it is booked, not when a terminal
that was offline moved it. Hours are kept for two days, then the first of each day for a month.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.units import DAY, HOUR, Instant, Millis, Octets

HOURS_KEPT: Final = 48
DAYS_KEPT: Final = 31
_MARK: Final = struct.Struct("<IQ")
"""The hour, counted from 1970-01-01, and the octets used before it."""
_DAY: Final = DAY // HOUR


class UsageHistory(Record, frozen=True, kw_only=True):
    hour: int
    """Of the newest mark."""
    marks: bytes
    """Packed, since every subscriber's page in memory carries them."""


def mark_hour(work: Work, owner: Owner, *, used: int) -> None:
    """Note what was used so far, if nothing was booked in this hour yet.

    Hours to come were marked by a clock that has been set back: they go, and their usage to the last hour that was.
    """
    hour = work.now // HOUR
    before = work.get(UsageHistory, owner, "usage")
    if before is None or before.hour != hour:
        kept = list(_worth_keeping(before.marks, hour)) if before else []
        if not kept or kept[-1][0] < hour:
            kept.append((hour, used))
        marks = b"".join(_MARK.pack(*mark) for mark in kept)
        work.put(UsageHistory(owner=owner, id="usage", hour=hour, marks=marks))


def usage_by(work: Work, owner: Owner, *, span: Millis, count: int, used: int) -> list[tuple[Instant, Octets]]:
    """Return the usage of the last ``count`` hours or days up to now, the oldest first; ``used`` is the meter now."""
    history = work.get(UsageHistory, owner, "usage")
    marks = [*_MARK.iter_unpack(history.marks if history else b""), (0, used)]
    sums: Counter[int] = Counter()
    for (hour, before), (_, after) in pairwise(marks):
        sums[hour * HOUR // span] += after - before
    last = work.now // span
    # What was given back may be more than an hour used; it is no usage below nothing.
    return [(Instant(number * span), Octets(max(0, sums[number]))) for number in range(last - count + 1, last + 1)]


def _worth_keeping(marks: bytes, hour: int) -> Iterator[tuple[int, int]]:
    day = -1
    for marked, used in _MARK.iter_unpack(marks):
        recent, first_of_day = marked > hour - HOURS_KEPT, marked // _DAY != day
        day = marked // _DAY
        if marked <= hour and (recent or (first_of_day and day > hour // _DAY - DAYS_KEPT)):
            yield marked, used
