"""``qanat terminal`` and ``qanat station``: what the server and what the device does with it, under one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from qanat.console.lazy import LazyGroup

TERMINAL: Final[Mapping[str, str]] = {
    "code": "qanat.console.terminals:code",
    "bind": "qanat.console.terminals:bind",
    "list": "qanat.console.terminals:list_terminals",
    "revoke": "qanat.console.terminals:revoke",
    "enrol": "qanat.console.terminal:enrol",
    "run": "qanat.console.terminal:run",
    "status": "qanat.console.terminal:status",
    "shut": "qanat.console.terminal:shut",
    "release": "qanat.console.terminal:release",
    "join": "qanat.console.terminal:join",
}
STATION: Final[Mapping[str, str]] = {
    "code": "qanat.console.base_stations:code",
    "list": "qanat.console.base_stations:list_base_stations",
    "revoke": "qanat.console.base_stations:revoke",
    "enrol": "qanat.console.station:enrol",
    "run": "qanat.console.station:run",
    "status": "qanat.console.station:status",
    "shut": "qanat.console.station:shut",
    "release": "qanat.console.station:release",
}

terminal = LazyGroup("terminal", where=TERMINAL, help="Terminals: at the server, and on the device itself.")
station = LazyGroup("station", where=STATION, help="Base stations: at the server, and on the device itself.")
