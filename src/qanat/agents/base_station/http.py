"""A small HTTP/1.1 server for what faces the demanders: short requests, short answers, one for each connection.

Whoever is on the access side may talk to it, so everything is bounded: size, time, connections in all and from one
device, which may have as many IPv6 addresses as it likes. Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from qanat.agents.kernel.neighbour import Address

if TYPE_CHECKING:
    from ssl import SSLContext

HEAD_MAX: Final = 8 * 1024
BODY_MAX: Final = 8 * 1024
REQUEST_WITHIN_S: Final = 5.0
ANSWER_WITHIN_S: Final = 15.0
CONNECTIONS_MAX: Final = 512
CONNECTIONS_OF_ONE_MAX: Final = 8
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?")

_EVERY_ANSWER: Final = {
    "cache-control": "private, no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # Without a referrer a browser would call its own form's origin null (Fetch §3.2).
    "referrer-policy": "same-origin",
    "connection": "close",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: Address
    local: Address
    """The address of ours that the connection ended at."""
    port: int
    is_secret: bool = False
    """It came over TLS."""
    query: str = ""

    @property
    def origin(self) -> str:
        """Where this server is for the device that asks; over TLS it has a name."""
        host = self.headers.get("host", "")
        if self.is_secret and _HOST.fullmatch(host):
            return f"https://{host}"
        scheme = "https" if self.is_secret else "http"
        return (
            f"{scheme}://[{self.local}]:{self.port}"
            if self.local.version == 6
            else f"{scheme}://{self.local}:{self.port}"
        )

    @property
    def is_for_us(self) -> bool:
        """Tell whether it was meant for this server, and not led here on its way to another (RFC 9110 §7.2).

        Only plain requests are led here.
        """
        return self.is_secret or f"http://{self.headers.get('host', '')}" in (
            self.origin,
            self.origin.removesuffix(":80"),
        )

    @property
    def is_from_elsewhere(self) -> bool:
        """Tell whether another site's page sent it in this person's name."""
        return self.headers.get("origin", self.origin) != self.origin

    def form(self) -> dict[str, str]:
        return _fields(self.body.decode(errors="replace"))

    def asked(self) -> dict[str, str]:
        """Return what the address says after its question mark."""
        return _fields(self.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Answer]]


class Bad(Exception):
    """A request that is not answered in its own sense."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class HttpServer:
    def __init__(
        self, handler: Handler, *, device_of: Callable[[Address], Hashable], failed: Callable[[Exception], None]
    ) -> None:
        """``device_of`` tells what is the same for all addresses of one device."""
        self._handler = handler
        self._device_of = device_of
        self._failed = failed
        self._open: Counter[Hashable] = Counter()
        self._servers: list[asyncio.Server] = []

    async def listen(self, host: str | None, port: int, *, tls: SSLContext | None = None) -> None:
        within_s = None if tls is None else REQUEST_WITHIN_S
        server = await asyncio.start_server(
            self._converse, host, port, limit=HEAD_MAX, ssl=tls, ssl_handshake_timeout=within_s
        )
        self._servers.append(server)

    def close(self) -> None:
        for server in self._servers:
            server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        device = self._device_of(_plain(writer.get_extra_info("peername")[0]))
        self._open[device] += 1
        try:
            if self._open.total() > CONNECTIONS_MAX or self._open[device] > CONNECTIONS_OF_ONE_MAX:
                return
            writer.write(_packed(await self._answer(reader, writer)))
            await asyncio.wait_for(writer.drain(), REQUEST_WITHIN_S)
        except (OSError, TimeoutError):
            return  # it hung up, or sleeps
        finally:
            self._open[device] -= 1
            if not self._open[device]:
                del self._open[device]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        try:
            request = await asyncio.wait_for(_read(reader, writer), REQUEST_WITHIN_S)
            return await asyncio.wait_for(self._handler(request), ANSWER_WITHIN_S)
        except Bad as bad:
            return Answer(status=bad.status, body=f"{bad.status.phrase}\n".encode())
        except (OSError, TimeoutError):
            raise
        except Exception as fault:
            self._failed(fault)
            return Answer(status=500, body=b"Internal Server Error\n")


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise Bad(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
    except asyncio.IncompleteReadError as error:
        raise Bad(HTTPStatus.BAD_REQUEST) from error
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, version = (*first.split(" "), "", "")[:3]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not version.startswith("HTTP/1.") or "transfer-encoding" in headers:
        raise Bad(HTTPStatus.BAD_REQUEST)
    local = writer.get_extra_info("sockname")
    return Request(
        method=method,
        path=path.partition("?")[0],
        query=path.partition("?")[2],
        headers=headers,
        body=await _body(reader, headers.get("content-length", "0")),
        peer=_plain(writer.get_extra_info("peername")[0]),
        local=_plain(local[0]),
        port=int(local[1]),
        is_secret=writer.get_extra_info("sslcontext") is not None,
    )


async def _body(reader: asyncio.StreamReader, length: str) -> bytes:
    if not (length.isascii() and length.isdigit()):
        raise Bad(HTTPStatus.BAD_REQUEST)
    if len(length) > 9 or int(length) > BODY_MAX:
        raise Bad(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise Bad(HTTPStatus.BAD_REQUEST) from error


def _fields(encoded: str) -> dict[str, str]:
    """Return the first value of each field; none of them, if there are too many."""
    try:
        fields = parse_qs(encoded, max_num_fields=16)
    except ValueError:
        return {}
    return {name: values[0].strip() for name, values in fields.items()}


def _plain(text: str) -> Address:
    """Read an address as the sockets give it: an IPv6 one may name its interface, or hold an IPv4 one."""
    address = ip_address(text.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _packed(answer: Answer) -> bytes:
    headers = {
        **_EVERY_ANSWER,
        "content-type": answer.kind,
        "content-length": str(len(answer.body)),
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {int(answer.status)} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
