"""Puts a terminal's parts together from its state folder, and runs them."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from pathlib import Path

from qanat.agents.channel import read_server
from qanat.agents.claim import claim
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of
from qanat.agents.journal import Journal
from qanat.agents.kernel.lay import until_it_stands
from qanat.agents.kernel.link import NoSuchInterface
from qanat.agents.link import LinkWatch
from qanat.agents.log import Log
from qanat.agents.opening import open_behind_shut_gate
from qanat.agents.reporter import Reporter
from qanat.agents.signalling import endpoints_known, endpoints_now
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.asker import Asker, resolvers
from qanat.agents.terminal.choose_gate import choose_gate
from qanat.agents.terminal.enrol import channels_of
from qanat.agents.terminal.finder import Finder
from qanat.agents.terminal.gate import Carried, Gate
from qanat.agents.terminal.in_advance import InAdvance
from qanat.agents.terminal.meter import Meter
from qanat.agents.terminal.run import Agent
from qanat.agents.terminal.state_file import StateFile, read_state
from qanat.clock import Clock


def run_terminal(
    state: Path,
    *,
    interface: str | None,
    channels: list[str],
    report_interval_s: int | None,
    log: Log,
    clock: Clock,
) -> None:
    """Run the agent until SIGTERM or SIGINT. Raises a Fault that names its cure."""
    identity = identities.load(state)
    interface = interface or identity.interface
    corrected = CorrectedClock(clock)
    server = read_server(identity.server)
    reporter = Reporter(
        server,
        key=key_of(state),
        key_id=identity.terminal,
        channels=channels_of(interface, channels or identity.channels),
        clock=corrected,
    )
    before = read_state(state_path(state))
    if before is not None:
        server.remember(before.server)

    def open_gate(carried: Carried | None) -> Gate:
        # Where a gate was deleted everything passes until it is laid again: no DNS is waited for.
        signalling = endpoints_known(server) if carried else endpoints_now(server, log)
        return choose_gate(interface, signalling=signalling, asks_from=[asker.port], carried=carried)

    def shut() -> None:
        in_advance.stand()
        with suppress(NoSuchInterface):
            gate = until_it_stands(lambda _: choose_gate(interface, signalling=endpoints_known(server)))
            gate.detach()

    with (
        claim("terminal", interface),
        closing(InAdvance(interface)) as in_advance,
        closing(Asker(resolvers)) as asker,
        closing(open_behind_shut_gate(lambda: Journal(journal_path(state)), shut=shut, log=log)) as journal,
        closing(LinkWatch(interface)) as watch,
    ):
        in_advance.stand()
        finder = Finder(server, asker, log)
        agent = Agent(
            journal=journal,
            meter=Meter(open_gate, log, earlier=None if before is None else before.witness),
            in_advance=in_advance,
            watch=watch,
            reporter=reporter,
            clock=corrected,
            log=log,
            state_file=StateFile(state_path(state), clock, server, in_advance),
            report_interval_s=report_interval_s,
            resolve=lambda: finder.find(is_lost=reporter.is_lost),
        )
        asyncio.run(agent.run())


def journal_path(state: Path) -> Path:
    return state / "journal.db"


def state_path(state: Path) -> Path:
    return state / "state.json"
