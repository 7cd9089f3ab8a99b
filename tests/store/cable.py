"""A cable between us and PostgreSQL that can be cut at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Cable:
    """Passes octets on between a socket in ``folder`` and the one in ``host``."""

    def __init__(self, host: str, folder: Path) -> None:
        self.folder = folder
        self.cuts = 0
        self._host = host
        self._cut_request: bytes | None = None
        self._cut_answer_to: bytes | None = None

    async def lay(self) -> None:
        self._server = await asyncio.start_unix_server(self._connected, str(self.folder / _SOCKET))

    def cut_before(self, words: bytes) -> None:
        """Cut once, when a request with these words is on its way to the database."""
        self._cut_request = words

    def cut_after(self, words: bytes) -> None:
        """Cut once, when the answer to a request with these words is on its way back: it was done."""
        self._cut_answer_to = words

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(f"{self._host}/{_SOCKET}")
        asked = bytearray()

        def ask(octets: bytes) -> bool:
            asked[:] = octets
            return self._is_cut("_cut_request", octets)

        def answer(octets: bytes) -> bool:
            return self._is_cut("_cut_answer_to", bytes(asked))

        with suppress(OSError):
            await asyncio.wait(
                {
                    asyncio.create_task(_pass_on(reader, there_writer, ask)),
                    asyncio.create_task(_pass_on(there_reader, writer, answer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        writer.close()
        there_writer.close()

    def _is_cut(self, when: str, octets: bytes) -> bool:
        words = getattr(self, when)
        if words is None or words not in octets:
            return False
        setattr(self, when, None)
        self.cuts += 1
        return True


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, is_cut: Callable[[bytes], bool]) -> None:
    while octets := await source.read(1 << 20):
        if is_cut(octets):
            return
        target.write(octets)
        await target.drain()
