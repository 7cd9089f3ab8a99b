"""Connections to the server that are kept open between questions: for a base station, whose demanders wait for answers.

The kernel watches an idle connection, so that one whose other end has gone is seen to be gone. If it goes at the moment
in which it is used, nobody can say whether the question arrived: it has to be signed and asked anew, and every question
may be.
"""

from __future__ import annotations

import http.client
import select
import socket
from collections import deque
from typing import Final

from qanat.agents.channel import FAILURES, Reply, Server, connect, converse, unreachable
from qanat.errors import Unreachable

_KEPT: Final = 8
"""For each way; more than these are in use at once only for moments."""
_GONE: Final = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_WATCHED: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)

Way = tuple[Server, str | None]


class StaleConnection(Unreachable):
    """The other end had closed a connection that was kept: ask again."""


class KeptChannels:
    """Used like ``channel.exchange``, by any number of threads; a connection belongs to one question at a time."""

    def __init__(self) -> None:
        self._idle: dict[Way, deque[http.client.HTTPConnection]] = {}

    def exchange(
        self, server: Server, *, interface: str | None, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Reply:
        """Send one request and read the reply. Raises StaleConnection and Unreachable."""
        idle = self._idle.setdefault((server, interface), deque(maxlen=_KEPT))
        kept = _open_one(idle)
        try:
            connection = kept or _watched(connect(server, interface))
            try:
                reply = converse(connection, server, method=method, path=path, body=body, headers=headers)
            except BaseException:
                connection.close()
                raise
        except FAILURES as error:
            if kept is not None and isinstance(error, _GONE):
                idle.clear()
                raise StaleConnection(f"{server.authority} had closed the connection") from error
            raise unreachable(server, interface, error) from error
        if connection.sock is not None:
            idle.append(connection)
        return reply


def _open_one(idle: deque[http.client.HTTPConnection]) -> http.client.HTTPConnection | None:
    """Take the one used last, unless its other end has said something since: that can only be its end."""
    while True:
        try:
            connection = idle.pop()
        except IndexError:
            return None
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        if not poll.poll(0):
            return connection
        connection.close()


def _watched(connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
    for level, option, value in _WATCHED:
        connection.sock.setsockopt(level, option, value)
    return connection
