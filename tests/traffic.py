"""Traffic on real sockets between two namespaces, as fast as the machine goes; it ends when the sockets are closed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from typing import Final

from tests.namespaces import Namespace
from tests.patience import PATIENCE_S

_CHUNK: Final = bytes(64 * 1024)


@contextmanager
def flows(client: Namespace, server: Namespace, address: str, *, up: int = 0, down: int = 0) -> Iterator[None]:
    """Keep so many TCP flows going each way, seen from the client, while the block runs."""
    with ExitStack() as undo:
        # All connect before the first one sends: a small quota would be gone before the last one's handshake.
        pairs = [undo.enter_context(connected(client, server, address)) for _ in range(up + down)]
        for number, (near, far) in enumerate(pairs):
            push, pull = (near, far) if number < up else (far, near)
            undo.callback(_start(_send, push))
            undo.callback(_start(_drain, pull))
            undo.callback(_hang_up, near, far)
        yield


@contextmanager
def connected(
    client: Namespace, server: Namespace, address: str, *, port: int = 0
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect once; gives the client's and the server's socket. Raises TimeoutError when nothing passes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with server.inside():
        listener = socket.create_server((address, port), family=family)
    with listener:
        listener.settimeout(PATIENCE_S)
        with client.inside():
            near = socket.create_connection(listener.getsockname()[:2], timeout=PATIENCE_S)
        far, _ = listener.accept()
    far.settimeout(PATIENCE_S)
    with near, far:
        yield near, far


@contextmanager
def datagrams(client: Namespace, server: Namespace, address: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two UDP sockets that are connected to each other."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with server.inside():
        far = socket.socket(family, socket.SOCK_DGRAM)
    with client.inside():
        near = socket.socket(family, socket.SOCK_DGRAM)
    with near, far:
        far.bind((address, 0))
        near.connect(far.getsockname()[:2])
        far.connect(near.getsockname()[:2])
        yield near, far


@contextmanager
def flood(client: Namespace, server: Namespace, address: str) -> Iterator[None]:
    """Send datagrams up as fast as it goes, whatever is said to it, while the block runs."""
    stop = Event()

    def send(near: socket.socket) -> None:
        while not stop.is_set():
            with suppress(OSError):
                near.send(bytes(1400))

    with datagrams(client, server, address) as (near, _):
        join = _start(send, near)
        try:
            yield
        finally:
            stop.set()
            join()


def receive(end: socket.socket, octets: int) -> None:
    """Wait until so many octets have come. Raises TimeoutError."""
    missing = octets
    while missing:
        came = len(end.recv(missing))
        assert came, f"hung up with {missing} octets missing"
        missing -= came


def until(condition: Callable[[], bool]) -> None:
    """Look again and again until it is so; for what the kernel gives no event for."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not so within {PATIENCE_S} s"
        os.sched_yield()


def _start(work: Callable[[socket.socket], None], end: socket.socket) -> Callable[[], None]:
    thread = Thread(target=work, args=(end,), daemon=True)
    thread.start()
    return thread.join


def _send(end: socket.socket) -> None:
    with suppress(OSError):
        while True:
            end.sendall(_CHUNK)


def _drain(end: socket.socket) -> None:
    with suppress(OSError):
        while end.recv(len(_CHUNK)):
            pass


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
