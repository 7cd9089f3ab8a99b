"""One way to the server: an HTTP exchange over one interface, or over whichever route the system chooses.

``http.client`` rather than an asynchronous library: one short exchange each interval needs no more, and the agent stays
some megabytes smaller. Every wait is bounded. Whoever asks often keeps its connections (``kept_channel``).
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from qanat.agents.kernel.link import Links, NoSuchInterface
from qanat.agents.kernel.route import Routes
from qanat.errors import BadInput, Unreachable

TIMEOUT_S: Final = 5.0
"""The longest silence."""
ANSWER_WITHIN_S: Final = 30.0
"""From a question to the last octet of its answer, however steadily they drip."""
BODY_MAX: Final = 1 << 20
_WRITTEN: Final = "write http://HOST:PORT or https://HOST, and an IPv6 address in brackets, as in http://[::1]:8080"
FAILURES: Final = (OSError, http.client.HTTPException)
"""What a conversation may end in."""
_GET_ADDRESS: Final = 0x8915  # SIOCGIFADDR


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, read from its URL."""

    scheme: str
    host: str
    port: int
    _known: list[tuple[int, str]] = field(default_factory=list, compare=False, repr=False)

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def addresses(self) -> list[tuple[int, str]]:
        """Resolve to (address family, address). Raises Unreachable.

        While the name has no address the last ones stand: the DNS may lie behind the gate that is shut.
        """
        try:
            self.look_up()
        except Unreachable:
            if not self._known:
                raise
        return self.known

    def look_up(self) -> None:
        """Have the system resolve the name, and remember its addresses. Raises Unreachable when it has none now."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{self.host} has no address ({error}); check the name and the DNS") from error
        self.remember([(int(family), str(address[0])) for family, _, _, _, address in found])

    @property
    def known(self) -> list[tuple[int, str]]:
        """The addresses that were found last."""
        return list(self._known)

    def remember(self, known: list[tuple[int, str]]) -> None:
        """Take these for the last ones."""
        self._known[:] = known

    def found(self, addresses: Iterable[IPv4Address | IPv6Address]) -> None:
        """Remember where somebody else than the system found it."""
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        self.remember([(int(families[each.version]), str(each)) for each in addresses])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def read_server(url: str) -> Server:
    """Read ``http://HOST[:PORT]`` or ``https://…``. Raises BadInput."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInput(f"{url!r}: {error}; {_WRITTEN}", field="server") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadInput(f"{url!r} is no server: {_WRITTEN}", field="server")
    return Server(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def exchange(
    server: Server, *, interface: str | None, method: str, path: str, body: bytes, headers: dict[str, str]
) -> Reply:
    """Send one request over the interface and read the reply. Raises Unreachable."""
    try:
        with closing(connect(server, interface)) as connection:
            return converse(connection, server, method=method, path=path, body=body, headers=headers)
    except FAILURES as error:
        raise unreachable(server, interface, error) from error


def connect(server: Server, interface: str | None) -> http.client.HTTPConnection:
    """Open a connection. Raises one of FAILURES."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT_S)
    connection.sock = _secured(_dial(server, interface), server)
    return connection


def converse(
    connection: http.client.HTTPConnection,
    server: Server,
    *,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    within_s: float = ANSWER_WITHIN_S,
) -> Reply:
    """Send one request and read the reply, from which ``connection.sock`` is None if it can't be used again.

    Raises one of FAILURES.
    """
    overdue = threading.Timer(within_s, _cut, (connection.sock,))
    overdue.daemon = True
    overdue.start()
    try:
        connection.request(method, path, body=body, headers={"host": server.authority, **headers})
        answer = connection.getresponse()
        content = answer.read(BODY_MAX)
    finally:
        overdue.cancel()
    if not answer.isclosed():
        connection.close()  # a body longer than we read
    return Reply(
        status=answer.status, headers={name.lower(): value for name, value in answer.getheaders()}, body=content
    )


def _cut(sock: socket.socket) -> None:
    """End both directions under whoever reads; also of TLS, which would else be taken apart in the reader's hands."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def unreachable(server: Server, interface: str | None, error: Exception) -> Unreachable:
    why = getattr(error, "strerror", None) or error or type(error).__name__
    return Unreachable(f"{server.authority} over {interface or 'any route'}: {why}")


def _dial(server: Server, interface: str | None) -> socket.socket:
    fault: OSError | None = None
    for family, address in server.addresses():
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(TIMEOUT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if interface is not None:
                if not _is_way(interface, address):
                    raise OSError(errno.ENETUNREACH, "no route")
                _leave_through(sock, interface)
            sock.connect((address, server.port))
        except OSError as error:
            sock.close()
            fault = error
        else:
            return sock
    raise fault or OSError("no address")


def _is_way(interface: str, address: str) -> bool:
    """Tell it before a socket bound to the interface looks for the server among its neighbours until the time is out."""
    with closing(Links()) as links, closing(Routes()) as routes:
        try:
            link = links.find(interface)
        except NoSuchInterface:
            return False
        return link.is_up and routes.leads_to(link, ip_address(address))


def _leave_through(sock: socket.socket, interface: str) -> None:
    """Bind to the interface; where the system does not permit that, to its address."""
    name = interface.encode()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
    except PermissionError:
        own = ipv4_address(interface)
        if own is None:
            raise OSError(errno.EADDRNOTAVAIL, f"{interface} has no IPv4 address") from None
        sock.bind((str(own), 0))


def ipv4_address(interface: str) -> IPv4Address | None:
    """Return the interface's first IPv4 address, None when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        try:
            answer = fcntl.ioctl(handle, _GET_ADDRESS, struct.pack("256s", interface.encode()[:15]))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
                return None
            raise
    return IPv4Address(answer[20:24])


def _secured(sock: socket.socket, server: Server) -> socket.socket:
    if server.scheme == "http":
        return sock
    import ssl  # noqa: PLC0415  # megabytes that an agent without TLS can spare

    return ssl.create_default_context().wrap_socket(sock, server_hostname=server.host)
