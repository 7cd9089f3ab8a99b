"""The HTTP listener: uvicorn inside our own event loop. Signals are ours; the socket is bound before anybody is told."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

import uvicorn

from qanat.server.http.app import make_app
from qanat.server.http.services import Services
from qanat.server.http.short_way import Connection
from qanat.server.listening import address_of
from qanat.server.place import ALONE, Place


class HttpListener:
    """``start`` returns once connections are accepted, ``stop`` once every request under way was answered."""

    def __init__(self, services: Services, *, place: Place = ALONE) -> None:
        self._services = services
        self._place = place
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(services),
                http=partial(Connection, services),  # type: ignore[arg-type]  # is called, no more
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(services.settings.http.proxies),
                forwarded_allow_ips=services.settings.http.proxies,
                ws="none",
                timeout_keep_alive=75,
                timeout_graceful_shutdown=services.settings.http.stop_timeout_s,
                backlog=2048,
            )
        )
        self._ticking: asyncio.Task[None] | None = None
        self._sockets: list[socket.socket] = []

    async def start(self) -> str:
        """Listen, and return the address as ``host:port``. Raises CannotListen, BadInput."""
        listening = self._place.door(self._services.settings.http.listen, "--http")
        self._sockets.append(listening)
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=self._sockets)
        self._ticking = asyncio.create_task(self._server.main_loop(), name="http")
        return address_of(listening)

    async def stop(self) -> None:
        self._services.pulse.close()  # lets those go who would watch for ever
        self._services.under_way.stop()
        if self._ticking is not None:
            self._ticking.cancel()  # it keeps the date, and would look for a reason to end ten times a second
            await asyncio.wait({self._ticking})
            if not await self._nothing_is_under_way():
                await self._server.shutdown(sockets=self._sockets)  # waits for the rest, and looks ten times a second

    async def _nothing_is_under_way(self) -> bool:
        """Accept nothing new and close every connection that waits for its next request; tell whether that was all."""
        for server in self._server.servers:
            server.close()
        state = self._server.server_state
        for connection in list(state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # a connection that was closed is gone when the loop comes round
        return not state.connections and not state.tasks
