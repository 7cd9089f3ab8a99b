"""What many views share."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.units import Instant, format_instant


class Listed(BaseModel):
    next: str = ""
    """Go on with this in ``after``; empty at the end."""


class Done(BaseModel):
    done: bool = True


def when(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)
