"""Enrolment: the base station brings a key and the one-time code that its subscriber issued."""

from __future__ import annotations

from pathlib import Path

from qanat.agents.base_station.identity import Identity, store
from qanat.agents.channel import read_server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of, public_text
from qanat.agents.hardware import VERSION, hardware, serial_of
from qanat.agents.kernel.link import require_interfaces
from qanat.agents.reporter import ANY_ROUTE, Reporter
from qanat.clock import Clock
from qanat.wire.base_station import BaseStationEnrolled, BaseStationEnrolment


def enrol(
    state: Path, *, server: str, code: str, access: str, uplink: str, place: str, serial: str | None, clock: Clock
) -> Identity:
    """Register and keep the identity. Repeating with the same code is safe.

    Raises BadInput and NoSuchInterface before the code is spent, Rejected, NoAnswer.
    """
    found = read_server(server)
    require_interfaces(access, uplink)
    key = key_of(state)
    public = public_text(key)
    reporter = Reporter(found, key=key, key_id=public, channels=[ANY_ROUTE], clock=CorrectedClock(clock))
    request = BaseStationEnrolment(
        code=code,
        public_key=public,
        hardware=hardware(),
        serial=serial or serial_of(public),
        version=VERSION,
        place=place,
    )
    answer = reporter.enrol("/v1/base-stations", request, BaseStationEnrolled, server=server)
    identity = Identity(
        server=server,
        base_station=answer.base_station,
        identity=answer.identity,
        subscriber=answer.subscriber,
        operator=answer.operator,
        place=place,
        access=access,
        uplink=uplink,
    )
    store(state, identity)
    return identity
