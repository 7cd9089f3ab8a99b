"""``qanat terminal``: what the server and what the device does with terminals, under one name."""

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
    "release": "qanat.console.terminal:release",
}

terminal = LazyGroup("terminal", where=TERMINAL, help="Terminals: at the server, and on the device itself.")
