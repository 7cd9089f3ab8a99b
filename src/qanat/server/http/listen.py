"""The HTTP listener: uvicorn inside our own event loop. Signals are ours; the socket is bound before anybody is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from qanat.server.listening import address_of
from qanat.server.place import ALONE, Place
from qanat.server.settings import Http


class HttpListener:
    """``start`` returns once connections are accepted, ``stop`` once every request under way was answered."""

    def __init__(
        self, app: ASGIApp, settings: Http, *, place: Place = ALONE, ending: Callable[[], None] = lambda: None
    ) -> None:
        """``ending`` is called before a stop waits: it lets those go who would watch for ever."""
        self._ending = ending
        self._settings = settings
        self._place = place
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_keep_alive=75,
                timeout_graceful_shutdown=settings.stop_timeout_s,
                backlog=2048,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and return the address as ``host:port``. Raises CannotListen, BadInput."""
        listening = self._place.door(self._settings.listen, "--http")
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listening])
        self._task = asyncio.create_task(self._run(listening), name="http")
        return address_of(listening)

    async def stop(self) -> None:
        self._ending()
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _run(self, listening: socket.socket) -> None:
        await self._server.main_loop()
        await self._server.shutdown(sockets=[listening])
