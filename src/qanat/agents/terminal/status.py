"""What ``qanat terminal status`` shows: the identity, the journal, and what the running agent last wrote."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qanat.agents import journal
from qanat.agents.durable import is_locked
from qanat.agents.holding import Held, Snapshot
from qanat.agents.notebook import Notebook
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.assemble import journal_path, state_path
from qanat.agents.terminal.look import readings, standing
from qanat.agents.terminal.state_file import read_state
from qanat.agents.terminal.witness import Testimony
from qanat.units import Instant
from qanat.wire.agent import CloudSim, PlanView, RefusalBody, TerminalView


class QuotaStatus(msgspec.Struct, frozen=True, kw_only=True):
    quota: str
    octets: int
    used: int
    left: int
    valid_until: Instant
    final: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    terminal: str
    identity: str | None
    """The identity code by which people name it, by the server; null when it did not answer."""
    server: str
    interface: str
    sim: CloudSim
    subscriber: str | None
    binding_code: str | None
    running: bool
    state: str
    session: str | None
    quotas: list[QuotaStatus]
    unreported: int
    """Octets that passed and that the server has not confirmed: by the journal, and the counters as they stand."""
    journal_rows: int
    gate: str
    """What the running agent says of it; of what stands without an agent, what the kernel says."""
    channel: str
    reported_at: Instant | None
    refusal: RefusalBody | None
    available: int | None
    """What the plans still hold, by the server; null when it did not answer."""
    plans: list[PlanView] | None
    server_silent: str
    """Why the server did not answer; then subscriber and binding code are those of the enrolment."""
    witness: Testimony | None
    """What the interface itself counted beside the gate, when they were last compared."""


def status_of(state: Path, said: TerminalView | str) -> Status:
    """Look, without disturbing a running agent, and add what the server said, or why it said nothing.

    Raises NotEnrolled, JournalFault, JournalDamaged.
    """
    identity = identities.load(state)
    view = None if isinstance(said, str) else said
    known = view or identity
    path = journal_path(state)
    book = Notebook(journal.read_only(path) if path.exists() else Snapshot(journal=""))
    _charge_what_passed_since(book, identity.interface)
    seen = read_state(state_path(state))
    is_running = is_locked(path)
    return Status(
        terminal=identity.terminal,
        identity=None if view is None else view.identity,
        server=identity.server,
        interface=identity.interface,
        sim=identity.sim,
        subscriber=known.subscriber,
        binding_code=known.binding_code,
        running=is_running,
        state=seen.state if seen is not None and is_running else "stopped",
        session=None if book.kept.session is None else book.kept.session.name,
        quotas=[_quota(held) for held in book.live],
        unreported=book.unreported,
        journal_rows=len(book.kept.rows),
        gate=seen.gate if seen is not None and is_running else standing(identity.interface),
        channel="" if seen is None else seen.channel,
        reported_at=None if seen is None else seen.reported_at,
        refusal=None if seen is None else seen.refusal,
        available=None if view is None else view.available,
        plans=None if view is None else view.plans,
        server_silent=said if isinstance(said, str) else "",
        witness=None if seen is None else seen.witness,
    )


def _quota(held: Held) -> QuotaStatus:
    return QuotaStatus(
        quota=held.quota,
        octets=held.octets,
        used=held.used,
        left=held.left,
        valid_until=held.valid_until,
        final=held.final,
    )


def _charge_what_passed_since(book: Notebook, interface: str) -> None:
    """Charge the book, our own copy of it, with what the counters have grown by since the journal's last commit."""
    if book.kept.epoch is None:
        return
    for reading in readings(interface):
        if book.kept.epoch.follows(reading):
            book.charge(reading)
