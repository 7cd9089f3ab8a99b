"""Base stations, and when they were heard."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.registry.base_stations import BaseStation, Heard
from qanat.server.http.views.common import Listed, when
from qanat.units import format_instant


class BaseStationView(BaseModel):
    base_station: str
    identity: str
    state: str
    subscriber: str
    operator: str
    place: str
    hardware: str
    serial: str
    version: str
    enrolled_at: str
    heard_at: str | None
    """To the minute; None before it was heard for the first time."""
    clock_ahead_ms: int
    """How far its own clock is ahead of the server's, as it says; it corrects itself."""

    @classmethod
    def of(cls, station: BaseStation, identity: str, heard: Heard | None = None) -> BaseStationView:
        return cls(
            base_station=station.id,
            identity=identity,
            state=station.state,
            subscriber=station.subscriber,
            operator=station.operator,
            place=station.place,
            hardware=station.hardware,
            serial=station.serial,
            version=station.version,
            enrolled_at=format_instant(station.enrolled_at),
            heard_at=when(heard.at) if heard else None,
            clock_ahead_ms=heard.ahead_ms if heard else 0,
        )


class BaseStationList(Listed):
    base_stations: list[BaseStationView]
