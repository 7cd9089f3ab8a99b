"""What the server knows of this terminal, asked for within a few seconds: binding, balance and plans as they are now."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Final

from qanat.agents.channel import read_server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of
from qanat.agents.reporter import Reporter
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.enrol import channels_of
from qanat.clock import Clock
from qanat.errors import Fault
from qanat.wire.agent import TerminalView

WITHIN_S: Final = 4.0
PATH: Final = "/v1/agent/terminal"


def ask(state: Path, *, clock: Clock) -> TerminalView | str:
    """Return the server's view, or why there is none. Raises NotEnrolled."""
    identity = identities.load(state)
    reporter = Reporter(
        read_server(identity.server),
        key=key_of(state),
        key_id=identity.terminal,
        channels=channels_of(identity.interface, identity.channels),
        clock=CorrectedClock(clock),
    )
    said: list[TerminalView | str] = []
    # A thread that may be left behind: whoever looks at a status does not wait for every channel's last chance.
    asking = Thread(target=lambda: said.append(_asked(reporter)), daemon=True)
    asking.start()
    asking.join(WITHIN_S)
    return said[0] if said else f"no answer within {WITHIN_S:.0f} s"


def _asked(reporter: Reporter) -> TerminalView | str:
    try:
        return reporter.get(PATH, TerminalView)
    except Fault as fault:
        return str(fault)
