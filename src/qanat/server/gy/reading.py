"""What a credit-control request says, read once: what was used, and what is asked for.

Its services (MSCC) become uses and asks of one interrogation, so that all rating groups are one transaction; what a gateway
sends at command level (RFC 8506 §5.1: a single service) is read as one service.
"""

from __future__ import annotations

from typing import Final, get_args
from zlib import crc32

from msgspec.msgpack import Encoder

from qanat.charging.interrogation import Ask, Interrogation, Use
from qanat.charging.session import Event
from qanat.ids import SessionId
from qanat.registry.subscribers import Subscriber, barred
from qanat.server.gy.quirks import Quirks
from qanat.units import MAX_OCTETS, Octets, Unit
from qanat.wire.diameter.groups import Mscc, SubscriptionId, Units
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
_WORDS: Final = {event: event.value for event in Event}
"""And twice as long to pack as its word."""
_RETURNS: Final = frozenset(
    {ReportingReason.FINAL, ReportingReason.QUOTA_HOLDING_TIME, ReportingReason.UNUSED_QUOTA_TIMER}
)
"""Reasons with which a gateway gives its quota up (TS 32.299 §7.2.175)."""
_encode: Final = Encoder().encode


Awaiting = tuple[Mscc, int, int]
"""A service that is told what it gets, and where its own asks begin and end among all."""


def read(
    request: CreditControlRequest, quirks: Quirks
) -> tuple[Event, tuple[Use, ...], tuple[Ask, ...], tuple[Awaiting, ...]]:
    """Return what a request says, and the services that wait for an answer."""
    event = _EVENTS[request.cc_request_type]
    as_hints = quirks.asks_are_hints and event is not _ONCE
    uses: tuple[Use, ...] = ()
    asks: tuple[Ask, ...] = ()
    awaiting: tuple[Awaiting, ...] = ()
    for service in services_of(request):
        wanted: tuple[Ask, ...] = ()
        if event is not _FINAL:
            wanted = _asks(service, as_hints=as_hints)
            begin = len(asks)
            asks += wanted
            awaiting += ((service, begin, len(asks)),)
        if service.used or (wanted and event is _INTERMEDIATE):
            # A new quota takes the place of the one before, so asking for one ends that (RFC 8506 §5.2).
            uses += _uses(service, ends=True if wanted else _gives_up(service))
    return event, uses, asks, awaiting


def interrogation(
    request: CreditControlRequest, subscriber: Subscriber, event: Event, uses: tuple[Use, ...], asks: tuple[Ask, ...]
) -> Interrogation:
    """Return what was read as the subscriber's interrogation. What is used is less than 2**64."""
    return Interrogation(
        session=SessionId(request.session_id),
        owner=subscriber.owner,
        event=event,
        number=request.cc_request_number,
        digest=crc32(_encode((_WORDS[event], [use.said() for use in uses], [ask.said() for ask in asks]))),
        front="gy",
        holder=request.origin_host,
        uses=uses,
        asks=asks,
        barred=barred(subscriber),
        names_quotas=False,
    )


def most_used(uses: tuple[Use, ...]) -> int:
    """Return the largest count that is reported, of whatever unit."""
    return max([sum([use.octets for use in uses if use.unit == unit]) for unit in get_args(Unit)])


def subscribers_of(request: CreditControlRequest) -> tuple[SubscriptionId, ...]:
    """Return every name the request gives the subscriber, the command's own first."""
    inside = request.service_information
    return request.subscription_ids if inside is None else request.subscription_ids + inside.subscription_ids


def services_of(request: CreditControlRequest) -> tuple[Mscc, ...]:
    """Return the services of a request; a single one may stand at command level (RFC 8506 §5.1)."""
    if request.services or not at_command_level(request):
        return request.services
    return (Mscc(requested=request.requested, used=request.used),)


def at_command_level(request: CreditControlRequest) -> bool:
    return not request.services and (request.requested is not None or bool(request.used))


def octets_of(units: Units) -> int | None:
    """Return the total octets; where a client sends only the two directions, their sum (Open5GS)."""
    if units.total is not None or (units.input is None and units.output is None):
        return units.total
    return (units.input or 0) + (units.output or 0)


def octets_used(request: CreditControlRequest) -> int:
    return sum([octets_of(units) or 0 for service in services_of(request) for units in service.used])


def _uses(service: Mscc, *, ends: bool) -> tuple[Use, ...]:
    """Return what was used of each unit, other units first; several Used-Service-Unit count together (docs/decisions/0009)."""
    octets = seconds = specific = 0
    for units in service.used:
        octets += octets_of(units) or 0
        seconds += units.time_s or 0
        specific += units.service_specific or 0
    group = service.rating_group
    uses: tuple[Use, ...] = ()
    if seconds:
        uses += (Use(octets=Octets(seconds), rating_group=group, unit="seconds"),)
    if specific:
        uses += (Use(octets=Octets(specific), rating_group=group, unit="units"),)
    uses += (Use(octets=Octets(octets), rating_group=group, ends=ends),)
    return uses


def _asks(service: Mscc, *, as_hints: bool) -> tuple[Ask, ...]:
    """Return the units asked for: octets where it is left open; none where only money is asked for.

    How many is for the server to choose where what is requested is no more than a hint.
    """
    requested = service.requested
    if requested is None:
        return ()
    if requested.time_s is None and requested.service_specific is None:
        if requested.money is not None and octets_of(requested) is None:
            return ()
        wanted = None if as_hints else _wanted(octets_of(requested))
        return (Ask(rating_group=service.rating_group, wanted=wanted),)
    named: dict[Unit, int | None] = {
        "octets": octets_of(requested),
        "seconds": requested.time_s,
        "units": requested.service_specific,
    }
    return tuple(
        Ask(rating_group=service.rating_group, wanted=None if as_hints else _wanted(amount), unit=unit)
        for unit, amount in named.items()
        if amount is not None
    )


def _wanted(amount: int | None) -> Octets | None:
    """Return how much is asked for, as far as it can be counted; None leaves it to the server."""
    return Octets(min(amount, MAX_OCTETS)) if amount else None


def _gives_up(service: Mscc) -> bool:
    reasons = (*service.reporting_reasons, *(reason for units in service.used for reason in units.reporting_reasons))
    return any(reason in _RETURNS for reason in reasons)
