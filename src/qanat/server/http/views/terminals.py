"""Terminals, their codes, and the cloud SIMs they are lent."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.registry.codes import EnrolmentCode
from qanat.registry.sims import Pool, SimProfile
from qanat.registry.terminals import Terminal
from qanat.server.http.views.common import Listed
from qanat.units import format_instant


class TerminalView(BaseModel):
    terminal: str
    state: str
    subscriber: str
    operator: str
    hardware: str
    serial: str
    version: str
    iccid: str
    imsi: str
    enrolled_at: str

    @classmethod
    def of(cls, terminal: Terminal) -> TerminalView:
        return cls(
            terminal=terminal.id,
            state=terminal.state,
            subscriber=terminal.subscriber,
            operator=terminal.operator,
            hardware=terminal.hardware,
            serial=terminal.serial,
            version=terminal.version,
            iccid=terminal.iccid,
            imsi=terminal.imsi,
            enrolled_at=format_instant(terminal.enrolled_at),
        )


class CodeView(BaseModel):
    """An enrolment code, shown this once."""

    code: str
    operator: str
    subscriber: str
    expires_at: str

    @classmethod
    def of(cls, code: str, issued: EnrolmentCode) -> CodeView:
        expires_at = format_instant(issued.expires_at)
        return cls(code=code, operator=issued.operator, subscriber=issued.subscriber, expires_at=expires_at)


class SimView(BaseModel):
    iccid: str
    imsi: str
    operator: str
    state: str
    terminal: str
    subscriber: str

    @classmethod
    def of(cls, profile: SimProfile) -> SimView:
        return cls(
            iccid=profile.id,
            imsi=profile.imsi,
            operator=profile.operator,
            state=profile.state,
            terminal=profile.terminal,
            subscriber=profile.subscriber,
        )


class PoolView(BaseModel):
    """How a pool stands, and what a request added to it."""

    operator: str
    free: int
    profiles: int
    added: int = 0
    existing: int = 0

    @classmethod
    def of(cls, pool: Pool) -> PoolView:
        return cls(operator=pool.id, free=pool.free, profiles=pool.profiles)


class TerminalList(Listed):
    terminals: list[TerminalView]


class SimList(Listed):
    sims: list[SimView]
    pools: list[PoolView]
