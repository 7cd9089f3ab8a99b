"""Finds the server: where the system says, else where it was last, and when nobody is there, where the DNS says to the agent.

The system's own questions are stopped by a shut gate; those of the agent are let through (``asker``, ``kernel_gate``).
"""

from __future__ import annotations

from contextlib import suppress

from qanat.agents.channel import Server
from qanat.agents.log import Log
from qanat.agents.signalling import Endpoint, endpoints_known
from qanat.agents.terminal.asker import Asker
from qanat.errors import BadInput, Unreachable


class Finder:
    """Blocking; the agent calls it in a thread."""

    def __init__(self, server: Server, asker: Asker, log: Log) -> None:
        self._server = server
        self._asker = asker
        self._log = log

    def find(self, *, is_lost: bool) -> list[Endpoint]:
        """Return where the server is; none, and the log says so, when nobody knows. ``is_lost``: not where it was last."""
        try:
            self._server.look_up()
        except Unreachable as fault:
            if is_lost or not self._server.known:
                self._ask()
            if not self._server.known:
                self._log("server has no address", sentence=str(fault))
        return endpoints_known(self._server)

    def _ask(self) -> None:
        found = []
        with suppress(BadInput):  # what is no name leads nowhere
            found = self._asker.ask(self._server.host)
        if found:
            self._server.found(found)
            self._log("server found by a question of our own", addresses=" ".join(map(str, found)))
