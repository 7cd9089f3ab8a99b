"""What a running base station leaves for ``status`` to read: things that need not survive it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from qanat.agents.base_station.run import BaseStation
from qanat.agents.base_station.session import Session
from qanat.agents.state_folder import show, shown
from qanat.clock import Clock
from qanat.errors import Fault
from qanat.units import Instant
from qanat.wire.agent import RefusalBody

EVERY_S: Final = 2.0
SHOWN_MAX: Final = 1000


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    trade: str
    demander: str
    supplier: str
    addresses: list[str]
    link_address: str
    state: str
    up: int
    down: int
    left: int
    unreported: int
    refusal: RefusalBody | None


class State(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    at: Instant
    sessions: int
    shown: list[SessionState]
    counters: dict[str, int]
    """Refused, forged and free octets over all."""
    merging: list[str]
    away: list[str] = []
    """Interfaces that are away or down."""


class StateFile:
    """Written whole now and then, without waiting for the disk."""

    def __init__(self, path: Path, station: BaseStation, clock: Clock) -> None:
        self._path = path
        self._station = station
        self._clock = clock

    def keep_up_to_date(self) -> None:
        self._write()
        asyncio.get_running_loop().call_later(EVERY_S, self.keep_up_to_date)

    def _write(self) -> None:
        with suppress(OSError, Fault):  # the log says what is wrong; this file is only for looking at
            show(self._path, self._state())

    def _state(self) -> State:
        sessions = self._station.guests.sessions
        return State(
            pid=os.getpid(),
            at=self._clock.now(),
            sessions=len(sessions),
            shown=[_state(session) for session in list(sessions.values())[:SHOWN_MAX]],
            counters={name: int(octets) for name, octets in self._station.gateway.shared().items()},
            merging=self._station.gateway.merging,
            away=self._station.gateway.sides.away,
        )


def _state(session: Session) -> SessionState:
    epoch = session.holder.book.epoch
    return SessionState(
        trade=session.trade,
        demander=session.visit.admitted.demander,
        supplier=session.visit.admitted.supplier,
        addresses=session.visit.addresses,
        link_address=session.visit.link_address,
        state=session.holder.state.name.lower(),
        up=epoch.up,
        down=epoch.down,
        left=session.left,
        unreported=session.holder.book.unreported,
        refusal=session.refusal,
    )


def read_state(path: Path) -> State | None:
    """Return what the agent last wrote; None when there is nothing to read."""
    return shown(path, State)
