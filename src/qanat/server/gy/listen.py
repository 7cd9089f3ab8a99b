"""The Gy listener: TCP on 3868, TLS on 5658, as many peers as come.

Stopping: accept nobody new, answer what is under way, take leave of every peer (DPR), close.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import Final

from qanat.clock import Clock
from qanat.errors import BadInput
from qanat.server.gy.connection import Connection
from qanat.server.gy.front import Front
from qanat.server.gy.peers import Roster
from qanat.server.listening import address_of
from qanat.server.notices import Notices
from qanat.server.place import ALONE, Place
from qanat.server.settings import Gy, Settings
from qanat.store.store import Store
from qanat.wire.diameter.values import DisconnectCause

_LOOK_S: Final = 0.1
_STOP_S: Final = 5.0


class GyListener:
    """``start`` returns once connections are accepted, ``stop`` once every request under way was answered.

    ``clock`` says for how long a peer is silent; when something is due is asked of the store's.
    """

    def __init__(
        self, store: Store, clock: Clock, settings: Settings, roster: Roster, notices: Notices, *, place: Place = ALONE
    ) -> None:
        self._settings = settings.gy
        self._place = place
        self._roster = roster
        self._make = partial(Front, store, clock, settings, roster, SystemRandom())
        self._notices = notices
        self._servers: list[asyncio.Server] = []
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and return the address as ``host:port``. Raises CannotListen, BadInput."""
        await self._roster.load()
        self._front = self._make()
        self._notices.listen(self._front.teller.on_change)
        loop = asyncio.get_running_loop()
        listening = self._place.door(self._settings.listen or self._settings.tls_listen, "--gy")
        secure = None if self._settings.listen else _tls(self._settings)
        protocol = partial(Connection, self._front)
        self._servers.append(await loop.create_server(protocol, sock=listening, ssl=secure, backlog=2048))
        if self._settings.listen and self._settings.tls_listen:
            second = self._place.door(self._settings.tls_listen, "--gy-tls")
            self._servers.append(
                await loop.create_server(protocol, sock=second, ssl=_tls(self._settings), backlog=2048)
            )
        self._looking = asyncio.create_task(self._look_around(), name="gy")
        return address_of(listening)

    @property
    def front(self) -> Front:
        """What all connections share, once it has started."""
        return self._front

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        deadline = asyncio.get_running_loop().time() + _STOP_S
        await self._until(lambda: not self._front.under_way, deadline)
        for connection in list(self._front.connections):
            connection.leave(DisconnectCause.REBOOTING)
        await self._until(lambda: not self._front.connections, deadline)
        for connection in list(self._front.connections):
            connection.close()
        if self._looking is not None:
            self._looking.cancel()

    async def _until(self, done: Callable[[], bool], deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while not done() and loop.time() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_S, self._settings.answer_within_s / 2))
            self._front.look_around()


def _tls(settings: Gy) -> ssl.SSLContext:
    """Return the context for TLS 1.2 and later; with authorities, peers must show a certificate of theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
        if settings.tls_authorities:
            context.load_verify_locations(settings.tls_authorities)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise BadInput(
            f"TLS for Gy needs gy.tls_certificate and gy.tls_key, PEM files: {error}", field="gy.tls_certificate"
        ) from error
    return context
