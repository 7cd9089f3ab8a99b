"""A lean HTTP/1.1 client for load: one connection, one request at a time, kept alive. Parsing is httptools'."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import httptools

from qanat.errors import Unreachable

_CHUNK: Final = 65_536


class Connection:
    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Send a request and return status and body of its answer. Raises Unreachable: whether it arrived is unknown."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(head.encode() + body)
            answer = _Answer()
            parser = httptools.HttpResponseParser(answer)
            while not answer.complete:
                data = await reader.read(_CHUNK)
                if not data:
                    raise ConnectionResetError("the server hung up")
                parser.feed_data(data)
        except OSError as error:
            self.close()
            raise Unreachable(str(error)) from error
        return parser.get_status_code(), bytes(answer.body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class _Answer:
    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True
