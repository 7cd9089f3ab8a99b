"""Base stations: enrolled with a one-time code, owned by a subscriber, active until revoked.

Like terminals, but without a SIM: a base station carries other people's traffic. Its subscriber answers for what it
reports beyond what it was granted.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller, caller_may_serve
from qanat.registry.codes import enrolled_already, usable_code, use_code
from qanat.registry.names import base_station_owner, claim, public_key_owner, subscriber_owner
from qanat.registry.subscribers import active_or_refused
from qanat.units import Instant
from qanat.wire.base_station import BaseStationEnrolment


class BaseStation(Record, frozen=True, kw_only=True):
    public_key: str
    hardware: str
    serial: str
    version: str
    place: str
    operator: str
    subscriber: str
    state: Literal["active", "revoked"] = "active"
    enrolled_at: Instant


class BaseStationLink(Record, frozen=True, kw_only=True):
    """On the subscriber's page: this base station is its own."""


class Heard(Record, frozen=True, kw_only=True):
    """On the base station's page: when it was heard last, to the minute, and how far its own clock is ahead of ours."""

    at: Instant
    ahead_ms: int = 0


def note_heard(work: Work, id: str, *, ahead_ms: int) -> None:
    """Write down that a base station was heard."""
    work.put(Heard(owner=base_station_owner(id), id="heard", at=work.now, ahead_ms=ahead_ms))
    work.act = "base station heard"


def last_heard(work: Work, id: str) -> Heard | None:
    return work.get(Heard, base_station_owner(id), "heard")


def enrol_base_station(work: Work, asked: BaseStationEnrolment, *, id: str) -> BaseStation | Refused:
    """Enrol a base station whose key has proved itself, or return it as it is if this key did so before.

    ``id`` is what a new one will be called.
    """
    code = usable_code(work, asked.code, public_key=asked.public_key, device="base station")
    if isinstance(code, Refused):
        return code
    if code.terminal:
        return base_station_or_refused(work, code.terminal)
    known = enrolled_already(work, asked.public_key)
    if known:
        return known
    subscriber = active_or_refused(work, code.subscriber)
    if isinstance(subscriber, Refused):
        return subscriber
    base_station = BaseStation(
        owner=base_station_owner(id),
        id=id,
        public_key=asked.public_key,
        hardware=asked.hardware,
        serial=asked.serial,
        version=asked.version,
        place=asked.place,
        operator=subscriber.operator,
        subscriber=subscriber.id,
        enrolled_at=work.now,
    )
    work.put(base_station)
    work.put(BaseStationLink(owner=subscriber_owner(subscriber.id), id=id))
    claim(work, public_key_owner(asked.public_key), holder=base_station.owner)
    use_code(work, code, public_key=asked.public_key, terminal=id)
    work.act = "base station enrolled"
    return base_station


def revoke_base_station(work: Work, base_station: BaseStation) -> BaseStation:
    """End a base station: it admits nobody and is granted nothing. What it still reports is counted. Repeating is safe."""
    revoked = replace(base_station, state="revoked")
    work.put(revoked)
    work.act = "base station revoked"
    return revoked


def find_base_station(work: Work, id: str) -> BaseStation | None:
    return work.get(BaseStation, base_station_owner(id), id)


def base_station_or_refused(work: Work, id: str) -> BaseStation | Refused:
    return find_base_station(work, id) or Refused(Refusal.UNKNOWN_BASE_STATION, {"base_station": id})


def usable_base_station(work: Work, id: str) -> BaseStation | Refused:
    """Return the base station unless it was revoked."""
    found = base_station_or_refused(work, id)
    if isinstance(found, BaseStation) and found.state == "revoked":
        return Refused(Refusal.BASE_STATION_REVOKED, {"base_station": id})
    return found


def reach_base_station(work: Work, caller: Caller, id: str) -> BaseStation | Refused:
    """Return the base station if the caller may act for it; to all others it does not exist."""
    found = find_base_station(work, id)
    if found is None:
        return Refused(Refusal.UNKNOWN_BASE_STATION, {"base_station": id})
    own = caller.role == "subscriber" and found.subscriber == caller.who
    if not own and not caller_may_serve(caller, found.operator):
        return Refused(Refusal.UNKNOWN_BASE_STATION, {"base_station": id})
    return found


def base_stations_of(work: Work, subscriber: str) -> list[BaseStation]:
    links = work.all(BaseStationLink, subscriber_owner(subscriber))
    return [found for link in links if (found := find_base_station(work, link.id))]
