"""What the workers of a host tell and ask each other: notices, peers, figures. Nothing that is true rests on it.

Each worker hears the others on a socket in the data directory that only its owner can open. One question or notice is
one connection: a line of JSON there, a line back. A worker that is being started again is not waited for.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from qanat.server.place import Place

_log: Final = structlog.get_logger("siblings")
_WAIT_S: Final = 1.0
_LONGEST: Final = 1 << 24

Answer = Callable[[Any], Awaitable[Any]]


class Siblings:
    """``on`` says what a word does here; ``ask`` says it to all others."""

    def __init__(self, place: Place) -> None:
        self.worker = place.worker
        self.alone = place.alone
        self._others = [path for worker, path in place.house.items() if worker != place.worker]
        self._own = place.doors.get(HOUSE)
        self._answers: dict[str, Answer] = {}
        self._server: asyncio.Server | None = None
        self._telling: set[asyncio.Task[Any]] = set()

    def on(self, word: str, answer: Answer) -> None:
        self._answers[word] = answer

    async def start(self) -> None:
        if self._own is not None:
            self._server = await asyncio.start_unix_server(self._hear, sock=self._own, limit=_LONGEST)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def ask(self, word: str, body: Any = None) -> list[Any]:
        """Return what the others answer, of those that do."""
        answers = await asyncio.gather(*(self._ask(path, word, body) for path in self._others))
        return [answer[0] for answer in answers if answer]

    def tell(self, word: str, body: Any = None) -> None:
        """Say something to all others and go on."""
        if self._others:
            task = asyncio.create_task(self.ask(word, body))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _ask(self, path: str, word: str, body: Any) -> list[Any]:
        """Return the answer in a list; an empty one if there was none."""
        with suppress(OSError, TimeoutError, msgspec.DecodeError):
            async with asyncio.timeout(_WAIT_S):
                reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST)
                try:
                    writer.write(msgspec.json.encode([word, body]) + b"\n")
                    line = await reader.readline()
                finally:
                    writer.close()
            if line:
                return [msgspec.json.decode(line)]
        return []

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            word, body = msgspec.json.decode(await reader.readline())
            try:
                said = await self._answers[word](body)
            except Exception as error:
                _log.error("mistake of ours", word=word, exc_info=error)
            else:
                writer.write(msgspec.json.encode(said) + b"\n")
                await writer.drain()
        writer.close()


HOUSE: Final = "house"
"""The door on which a worker hears the others."""


def house_socket(path: str) -> socket.socket:
    """Bind a socket for siblings, in the place of one that an earlier server left behind."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own.bind(path)
    own.setblocking(False)
    return own
