"""The short way of what terminals ask most: from the parser to the store and back, past the application's layers.

Only what is wholly in order goes it: a request that arrives without delay, is signed by a terminal whose key is at hand, and is
decided without a refusal. Everything else goes the long way, through the application, which bounds what a stranger
may cost, says what is wrong and remembers it. To decide again there is safe: a refusal or a fault left no trace.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from qanat.refusals import Refused
from qanat.server.http.admission import VOUCHED
from qanat.server.http.agents import SHORT, encoded
from qanat.server.http.heads import BoundedHeads
from qanat.server.http.services import Services

_HEAD: Final = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-request-id: {}\r\n"

_PATIENCE_S: Final = 1.0
"""A body that takes longer to arrive goes the long way, which bounds it in time and size."""


class Connection(BoundedHeads):
    """A connection of uvicorn's, which frames and orders requests as ever, and may lead them the short way."""

    def __init__(self, services: Services, **given: Any) -> None:
        super().__init__(services.settings.http.body_timeout_s, **given)
        self.services = services
        self._arriving: RequestResponseCycle | None = None
        """A request that may go the short way once it is whole."""
        self._patience: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._be_patient()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._be_patient()  # with the request behind it, which may be here in part

    def _be_patient(self) -> None:
        if self._arriving is None:
            return
        if self.flow.read_paused or self._arriving.waiting_for_100_continue:  # nothing more would come by itself
            self.go_long(self._arriving)
        elif self._patience is None:
            self._patience = self.loop.call_later(_PATIENCE_S, self.go_long, self._arriving)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._arriving is not None:
            self._go(self._arriving)

    def go_long(self, cycle: RequestResponseCycle) -> None:
        """Lead a request through the application."""
        self._await_no_more()
        super()._start_asgi_task(cycle, self.app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["path"] not in SHORT or cycle.scope["method"] != "POST":
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._arriving = cycle
        else:  # it was whole when the one before it was answered
            self._go(cycle)

    def _go(self, cycle: RequestResponseCycle) -> None:
        self._await_no_more()
        if not _take(self, cycle):
            self.go_long(cycle)

    def _await_no_more(self) -> None:
        self._arriving = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Asked:
    """A request on the short way; waits for what it asked to be durable."""

    __slots__ = ("_begun_s", "_connection", "_cycle", "_id", "_terminal")

    def __init__(self, connection: Connection, cycle: RequestResponseCycle, terminal: str) -> None:
        self._connection = connection
        self._cycle = cycle
        self._terminal = terminal
        self._begun_s = time.perf_counter()
        self._id = connection.services.under_way.begin()

    def settled(self, outcome: msgspec.Struct | Refused) -> None:
        services = self._connection.services
        services.under_way.end()
        if isinstance(outcome, Refused):
            self._go_long()
            return
        self._answer(encoded(services, outcome))
        services.under_way.answered(self._cycle.scope["path"], 200, time.perf_counter() - self._begun_s)

    def failed(self, _: Exception) -> None:
        self._connection.services.under_way.end()
        self._go_long()

    def _answer(self, body: bytes) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        if cycle.transport.is_closing():
            return
        head = _HEAD.format(len(body), self._id).encode()
        defaults = b"".join([b"%b: %b\r\n" % header for header in self._connection.server_state.default_headers])
        farewell = b"" if cycle.keep_alive else b"connection: close\r\n"
        cycle.transport.write(b"%b%b%b\r\n%b" % (head, defaults, farewell, body))
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def _go_long(self) -> None:
        self._cycle.scope[VOUCHED] = self._terminal  # type: ignore[typeddict-unknown-key]
        self._connection.go_long(self._cycle)


def _take(connection: Connection, cycle: RequestResponseCycle) -> bool:
    """Decide a request if it is wholly in order; its answer follows when that is durable."""
    services, scope, body = connection.services, cycle.scope, bytes(cycle.body)
    if services.under_way.is_full or len(body) > services.settings.http.body_limit or connection.flow.write_paused:
        return False
    # Of two headers of one name the first counts, as on the long way.
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(tuple(scope["headers"]))}
    terminal = services.admission.vouch(method="POST", path=scope["path"], headers=headers, body=body)
    if terminal is None:
        return False
    asked = _Asked(connection, cycle, terminal)
    try:
        question = SHORT[scope["path"]](services, terminal, body)
    except msgspec.DecodeError as error:
        asked.failed(error)
    else:
        services.store.submit(question.decide, asked)
    return True
