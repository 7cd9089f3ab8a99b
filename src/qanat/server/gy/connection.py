"""One transport connection around the pure peer machine: octets in, octets out, timers, and back-pressure.

Answers of one batch leave in one write. A peer that does not read is not read from either, and is closed when that lasts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from qanat.server.gy.quirks import DEFAULT, PROFILES, Quirks
from qanat.units import Instant
from qanat.wire.diameter.messages import CreditControlRequest, Message
from qanat.wire.diameter.peer import Close, Opened, Peer, Send, TurnedAway, Unreadable, WakeAt
from qanat.wire.diameter.states import State
from qanat.wire.diameter.values import DisconnectCause

if TYPE_CHECKING:
    from qanat.server.gy.front import Front

_log: Final = structlog.get_logger("gy")
_HIGH_WATER: Final = 1 << 18
"""Octets of answers that may wait for a peer to read them."""


class Connection(asyncio.Protocol):
    """Made for each connection that is accepted; speaks for it until it is lost."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer: Peer | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._outgoing: list[bytes] = []
        self._wakes_at: Instant | None = None
        self.origin_host = ""
        self.origin_realm = ""
        self.last_asked = ""
        """The Origin-Host of the last request: the peer's own, or of somebody behind a relay."""
        self.quirks: Quirks = PROFILES[DEFAULT]

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write"), "TCP and TLS only"
        self._transport = transport  # type: ignore[assignment]
        if not self._front.admit(self):
            transport.close()
            return
        transport.set_write_buffer_limits(high=_HIGH_WATER)  # type: ignore[attr-defined]
        self._peer = self._front.new_peer(transport.get_extra_info("sockname"))
        for action in self._peer.start():
            self._do(action)

    def data_received(self, data: bytes) -> None:
        if self._peer is None:
            return
        serve = self._front.serve
        for action in self._peer.receive(data, self._front.clock.now()):
            if type(action) is CreditControlRequest:
                serve(self, action)
            else:
                self._do(action)
        self.flush()

    def pause_writing(self) -> None:
        assert self._transport is not None, "only a connection pauses"
        self._transport.pause_reading()
        self._stalled = self._loop.call_later(self._front.settings.unread_s, self._give_up)

    def resume_writing(self) -> None:
        assert self._transport is not None, "only a connection resumes"
        if self._stalled is not None:
            self._stalled.cancel()
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._stalled is not None:
            self._stalled.cancel()
        if self._peer is not None:
            self._peer.lost(self._front.clock.now())
        self._transport = None
        self._front.gone(self)

    # What the front calls

    def send(self, octets: bytes) -> None:
        """Send with whatever else is sent before the event loop turns."""
        if not self._outgoing:
            self._front.flush_soon(self)
        self._outgoing.append(octets)

    def flush(self) -> None:
        """Send what waits to be sent, in one write."""
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def identifiers(self) -> tuple[int, int]:
        assert self._peer is not None, "requests of ours go to peers that introduced themselves"
        return self._peer.identifiers()

    def tick(self, at: Instant) -> None:
        """An instant has come that the front was asked to wake us at; only the last one counts."""
        if at == self._wakes_at and self._peer is not None and self._transport is not None:
            for action in self._peer.tick(self._front.clock.now()):
                self._do(action)

    def leave(self, cause: DisconnectCause) -> None:
        """Tell the peer that we go; the connection ends when it has answered, or too late."""
        if self._peer is None or self._peer.state is State.AWAIT_CER:
            self.close()
            return
        for action in self._peer.stop(cause, self._front.clock.now()):
            self._do(action)

    def close(self) -> None:
        self.flush()
        if self._transport is not None:
            self._transport.close()

    # What the machine asks for

    def _do(self, action: object) -> None:
        match action:
            case Send(octets):
                self.send(octets)
            case Message():
                self._front.deliver(self, action)
            case WakeAt(at):
                self._wakes_at = at
                self._front.wake_at(at, self)
            case Opened(origin_host, origin_realm, _):
                self._front.left(self)
                self.origin_host, self.origin_realm, self.last_asked = origin_host, origin_realm, ""
                self._front.opened(self)
                assert self._peer is not None, "it is the one that opened"
                self._peer.read = self._front.decoder_of(origin_host).decode
            case TurnedAway(origin_host, origin_realm, result_code):
                self._front.turned_away(origin_host, origin_realm, result_code)
            case Unreadable(fault):
                self._front.results[fault.result_code] += 1
                _log.info("refused a message", peer=self.origin_host, fault=str(fault))
            case Close(reason):
                _log.info("closed", peer=self.origin_host or "a stranger", reason=reason)
                self.close()

    def _give_up(self) -> None:
        _log.warning("closed: the peer reads no answers", peer=self.origin_host)
        if self._transport is not None:
            self._transport.abort()
