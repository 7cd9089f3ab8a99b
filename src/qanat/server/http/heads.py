"""The head of a request, bounded in length and time: uvicorn takes one of any length, for ever, from anybody.

A body is bounded by ``shield``, and how long a connection may idle between two requests by uvicorn.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX: Final = 1 << 16
"""Octets, give or take what arrives with the last of them. A signed request's head has six hundred."""


class BoundedHeads(HttpToolsProtocol):
    """A connection of uvicorn's that ends when a head is too long, or too late: the first of a new connection, too."""

    def __init__(self, head_within_s: float, **given: Any) -> None:
        super().__init__(**given)
        self._head_within_s = head_within_s
        self._in_head = True
        self._head_octets = 0
        self._head_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_octets += len(data)
        if self._head_octets > HEAD_MAX:
            self.send_400_response(f"The head of the request is longer than {HEAD_MAX} octets.")
        elif self._head_late is None:
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_octets = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._await_no_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_no_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_late = self.loop.call_later(self._head_within_s, self._give_up)

    def _await_no_head(self) -> None:
        if self._head_late is not None:
            self._head_late.cancel()
            self._head_late = None

    def _give_up(self) -> None:
        """Close, unless an answer is under way: then the rest of the head is perhaps only not read yet."""
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
        else:
            self._await_head()
