"""What ``qanat station status`` shows: the identity, the journal, and what the running agent last wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from qanat.agents.base_station import identity as identities
from qanat.agents.base_station.assemble import slots_path, state_path
from qanat.agents.base_station.slots import read_only
from qanat.agents.base_station.state_file import SessionState, read_state
from qanat.agents.durable import is_locked
from qanat.agents.notebook import Notebook
from qanat.units import format_size


class Status(msgspec.Struct, frozen=True, kw_only=True):
    base_station: str
    identity: str
    server: str
    access: str
    uplink: str
    running: bool
    trades: list[str]
    """In the journal now."""
    unreported: int
    """Octets that passed and that the server has not confirmed, as of the journal's last commit."""
    sessions: list[SessionState]
    counters: dict[str, int]
    merging: list[str]
    away: list[str]
    """Interfaces that are away or down."""


def status_of(state: Path) -> Status:
    """Look, without disturbing a running agent. Raises NotEnrolled, JournalFault, JournalDamaged."""
    identity = identities.load(state)
    path = slots_path(state)
    slots = read_only(path) if path.exists() else []
    is_running = is_locked(path)
    seen = read_state(state_path(state)) if is_running else None
    return Status(
        base_station=identity.base_station,
        identity=identity.identity,
        server=identity.server,
        access=identity.access,
        uplink=identity.uplink,
        running=is_running,
        trades=[slot.visit.admitted.trade for slot in slots if slot.visit is not None],
        unreported=sum(Notebook(slot.snapshot).unreported for slot in slots),
        sessions=[] if seen is None else seen.shown,
        counters={} if seen is None else seen.counters,
        merging=[] if seen is None else seen.merging,
        away=[] if seen is None else seen.away,
    )


def lines(status: Status, *, to_run: str) -> Iterator[str]:
    """Say it in words, one line for each thing."""
    yield f"base station  {status.base_station} at {status.server}"
    yield f"identity code {status.identity}"
    yield f"gateway       {status.access} to {status.uplink}"
    yield f"agent         {'running' if status.running else f'not running: start it with {to_run}'}"
    if status.away:
        yield f"away          {', '.join(status.away)}: nothing passes until it is up under this name"
    yield f"trades        {len(status.trades)}, {format_size(status.unreported)} not confirmed by the server yet"
    for one in status.sessions:
        used = format_size(one.up + one.down)
        yield f"  {one.trade}  {', '.join(one.addresses)}  {one.state}, {used} used, {format_size(one.left)} held"
        if one.refusal is not None:
            yield f"    refused: {one.refusal.sentence} {one.refusal.cure}"
    for name, octets in status.counters.items():
        yield f"{name.replace('_', ' '):<13} {format_size(octets)}"
    if status.merging:
        yield f"offloads on   {', '.join(status.merging)}: some packet headers go uncounted"
