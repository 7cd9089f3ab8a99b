"""What a running agent leaves for ``status`` to read beside the journal: things that need not survive it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from qanat.agents.channel import Server
from qanat.agents.holder import Holder
from qanat.agents.state_folder import show, shown
from qanat.agents.terminal.gate import Gate, Reading
from qanat.agents.terminal.in_advance import InAdvance
from qanat.agents.terminal.meter import Meter
from qanat.agents.terminal.witness import Testimony
from qanat.clock import Clock
from qanat.errors import Fault
from qanat.units import Instant
from qanat.wire.agent import RefusalBody

EVERY_MS: Final = 2_000


class State(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    at: Instant
    state: str
    gate: str
    passed: int
    signalling: int
    refused: int
    unreported: int
    channel: str
    reported_at: Instant | None
    refusal: RefusalBody | None
    witness: Testimony | None = None
    server: list[tuple[int, str]] = []
    """Where the server's name led: the next agent begins behind a shut gate, and the DNS with it."""


class StateFile:
    """Written whole now and then, without waiting for the disk."""

    def __init__(self, path: Path, clock: Clock, server: Server, in_advance: InAdvance) -> None:
        self._path = path
        self._clock = clock
        self._server = server
        self._in_advance = in_advance
        self._written_at = Instant(0)
        self._reported_at: Instant | None = None

    def reported(self, now: Instant) -> None:
        self._reported_at = now

    def write_now_and_then(self, holder: Holder, meter: Meter, channel: str) -> None:
        if self._clock.now() - self._written_at >= EVERY_MS:
            self.write(holder, meter, channel)

    def write(self, holder: Holder, meter: Meter, channel: str) -> None:
        self._written_at = self._clock.now()
        gate, reading, testimony = _seen(meter)
        state = State(
            pid=os.getpid(),
            at=self._written_at,
            state=holder.state.name.lower(),
            gate=(gate or self._in_advance).describe(),
            passed=0 if reading is None else reading.passed.total,
            signalling=0 if reading is None else reading.signalling.total,
            refused=0 if reading is None else reading.refused.total,
            unreported=holder.book.unreported,
            channel=channel,
            reported_at=self._reported_at,
            refusal=holder.refusal,
            witness=testimony,
            server=self._server.known,
        )
        with suppress(OSError):  # a full disk: the journal says so, and this file is only for looking at
            show(self._path, state)


def _seen(meter: Meter) -> tuple[Gate | None, Reading | None, Testimony | None]:
    try:
        testimony = meter.testify()
        return meter.gate, None if meter.gate is None else meter.gate.reading(), testimony
    except Fault:
        return meter.gate, None, None


def read_state(path: Path) -> State | None:
    """Return what the agent last wrote; None when there is nothing to read."""
    return shown(path, State)
