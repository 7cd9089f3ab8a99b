"""What a credit-control request says, read once: what was used, and what is asked for.

Its services (MSCC) become uses and asks of one interrogation, so that all rating groups are one transaction; what a gateway
sends at command level (RFC 8506 §5.1: a single service) is read as one service.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from msgspec import Struct

from qanat.charging.interrogation import Ask, Use
from qanat.charging.session import Event
from qanat.server.gy.quirks import Quirks
from qanat.units import MAX_OCTETS, Octets, Unit
from qanat.wire.diameter.groups import Mscc
from qanat.wire.diameter.messages import CreditControlRequest
from qanat.wire.diameter.values import CcRequestType, ReportingReason

_EVENTS: Final = {
    CcRequestType.INITIAL: Event.FIRST,
    CcRequestType.UPDATE: Event.INTERMEDIATE,
    CcRequestType.TERMINATION: Event.FINAL,
    CcRequestType.EVENT: Event.ONCE,
}
assert _EVENTS.keys() == set(CcRequestType), "every type of request is an event"
_INTERMEDIATE: Final = Event.INTERMEDIATE
_FINAL: Final = Event.FINAL
_ONCE: Final = Event.ONCE
"""Read for every request: a member of an enumeration takes ten times as long to find as a name."""
_RETURNS: Final = frozenset(
    {ReportingReason.FINAL, ReportingReason.QUOTA_HOLDING_TIME, ReportingReason.UNUSED_QUOTA_TIMER}
)
"""Reasons with which a gateway gives its quota up (TS 32.299 §7.2.175)."""
_NOTHING: Final[tuple[Ask, ...]] = ()


class Said(Struct, frozen=True, gc=False):
    """What a request says, in the words of credit control."""

    event: Event
    uses: tuple[Use, ...]
    asks: tuple[Ask, ...]
    awaiting: tuple[tuple[Mscc, int], ...]
    """The services that are told what they get, each with how many of the asks are its own."""


def read(request: CreditControlRequest, quirks: Quirks) -> Said:
    event = _EVENTS[request.cc_request_type]
    as_hints = quirks.asks_are_hints and event is not _ONCE
    uses: list[Use] = []
    asks: list[Ask] = []
    awaiting: list[tuple[Mscc, int]] = []
    for service in services_of(request):
        wanted = _NOTHING if event is _FINAL else _asks(service, as_hints=as_hints)
        if service.used or (wanted and event is _INTERMEDIATE):
            # A new quota takes the place of the one before, so asking for one ends that (RFC 8506 §5.2).
            uses += _uses(service, ends=bool(wanted) or _gives_up(service))
        if event is not _FINAL:
            asks += wanted
            awaiting.append((service, len(wanted)))
    return Said(event, tuple(uses), tuple(asks), tuple(awaiting))


def most_used(uses: tuple[Use, ...]) -> int:
    """Return the largest count that is reported, of whatever unit."""
    return max([sum([use.octets for use in uses if use.unit == unit]) for unit in get_args(Unit)])


def services_of(request: CreditControlRequest) -> tuple[Mscc, ...]:
    """Return the services of a request; a single one may stand at command level (RFC 8506 §5.1)."""
    if request.services or not at_command_level(request):
        return request.services
    return (Mscc(requested=request.requested, used=request.used),)


def at_command_level(request: CreditControlRequest) -> bool:
    return not request.services and (request.requested is not None or bool(request.used))


def octets_used(request: CreditControlRequest) -> int:
    return sum([units.octets or 0 for service in services_of(request) for units in service.used])


def _uses(service: Mscc, *, ends: bool) -> list[Use]:
    """Return what was used of each unit, other units first; several Used-Service-Unit count together (PEERS.md)."""
    octets = seconds = specific = 0
    for units in service.used:
        octets += units.octets or 0
        seconds += units.time_s or 0
        specific += units.service_specific or 0
    uses, group = [], service.rating_group
    if seconds:
        uses.append(Use(octets=Octets(seconds), rating_group=group, unit="seconds"))
    if specific:
        uses.append(Use(octets=Octets(specific), rating_group=group, unit="units"))
    uses.append(Use(octets=Octets(octets), rating_group=group, ends=ends))
    return uses


def _asks(service: Mscc, *, as_hints: bool) -> Sequence[Ask]:
    """Return the units asked for: octets where it is left open; none where only money is asked for.

    How many is for the server to choose where what is requested is no more than a hint.
    """
    requested = service.requested
    if requested is None:
        return _NOTHING
    if requested.time_s is None and requested.service_specific is None:
        if requested.money is not None and requested.octets is None:
            return _NOTHING
        wanted = _wanted(requested.octets, as_hint=as_hints)
        return (Ask(rating_group=service.rating_group, wanted=wanted),)
    named: dict[Unit, int | None] = {
        "octets": requested.octets,
        "seconds": requested.time_s,
        "units": requested.service_specific,
    }
    return [
        Ask(rating_group=service.rating_group, wanted=_wanted(amount, as_hint=as_hints), unit=unit)
        for unit, amount in named.items()
        if amount is not None
    ]


def _wanted(amount: int | None, *, as_hint: bool) -> Octets | None:
    """Return how much is asked for, as far as it can be counted; None leaves it to the server."""
    return None if as_hint or not amount else Octets(min(amount, MAX_OCTETS))


def _gives_up(service: Mscc) -> bool:
    reasons = (*service.reporting_reasons, *(reason for units in service.used for reason in units.reporting_reasons))
    return any(reason in _RETURNS for reason in reasons)
