"""Whose records are due, longest due first: an owner with many of them must not keep the others from being found.

Records are read in the order of an index, and only as many as it takes: after an outage all there are may be due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from qanat.ids import Owner

_FURTHER: Final = 8
"""So many times more records are read when the last were those of too few owners."""


async def first_owners(owners_of_first: Callable[[int], Awaitable[list[Owner]]], limit: int) -> list[Owner]:
    """Return so many owners, or all there are, of records whose first so many it can be asked for."""
    records = limit
    while True:
        found = await owners_of_first(records)
        owners = list(dict.fromkeys(found))
        if len(owners) >= limit or len(found) < records:
            return owners[:limit]
        records *= _FURTHER
