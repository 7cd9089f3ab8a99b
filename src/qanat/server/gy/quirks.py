"""What one kind of gateway does differently: data, one row for each (docs/decisions/0009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    refuse_whole: bool = False
    """Refuse the command rather than the service: for gateways that look at the command's Result-Code only."""
    asks_are_hints: bool = False
    """What it requests is a constant: the plan and the measured rate know better."""
    recheck_s: int | None = None
    """It does not come back when it is told to re-authorise, so a last quota is short-lived: a top-up works then."""
    told_final: bool = True
    """It is told which quota is the last one. Others end the session at their next report once they know, for whatever
    reason they report, and never hear of a top-up: they are refused when nothing is left instead."""
    can_abort: bool = True
    """It ends a session when told to; others are told to re-authorise, and refused when they do."""


PROFILES: Final[dict[str, Quirks]] = {
    "strict": Quirks(),
    "open5gs": Quirks(asks_are_hints=True, recheck_s=60, told_final=False, can_abort=False),
    "magma": Quirks(can_abort=False),
    "whole": Quirks(refuse_whole=True),
}
DEFAULT: Final = "strict"
