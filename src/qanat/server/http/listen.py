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
                proxy_headers=False,
                ws="none",
                timeout_keep_alive=75,
                timeout_graceful_shutdown=services.settings.http.stop_timeout_s,
                backlog=2048,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and return the address as ``host:port``. Raises CannotListen, BadInput."""
        listening = self._place.door(self._services.settings.http.listen, "--http")
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listening])
        self._task = asyncio.create_task(self._run(listening), name="http")
        return address_of(listening)

    async def stop(self) -> None:
        self._services.pulse.close()  # lets those go who would watch for ever
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _run(self, listening: socket.socket) -> None:
        await self._server.main_loop()
        await self._server.shutdown(sockets=[listening])
