"""The HTTP listener: uvicorn inside our own event loop. Signals are ours; the socket is bound before anybody is told."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

from qanat.errors import Fault
from qanat.server.settings import Http, host_port


class CannotListen(Fault):
    """An address could not be bound: another process has it, or it is not of this machine."""


class HttpListener:
    """``start`` returns once connections are accepted, ``stop`` once every request under way was answered."""

    def __init__(self, app: ASGIApp, settings: Http) -> None:
        self._settings = settings
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
        listening = _bind(self._settings.listen)
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listening])
        self._task = asyncio.create_task(self._run(listening), name="http")
        host, port = listening.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _run(self, listening: socket.socket) -> None:
        await self._server.main_loop()
        await self._server.shutdown(sockets=[listening])


def _bind(listen: str) -> socket.socket:
    host, port = host_port(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise CannotListen(
            f"can't listen on {listen}: {error.strerror}. Choose another address with --http HOST:PORT, "
            "or stop the process that has it"
        ) from error
    listening.setblocking(False)
    return listening
