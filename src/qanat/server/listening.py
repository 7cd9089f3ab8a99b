"""Sockets that fronts listen on: bound before anybody is told, with an error that says what to do."""

from __future__ import annotations

import socket

from qanat.errors import Fault
from qanat.server.settings import host_port


class CannotListen(Fault):
    """An address could not be bound: another process has it, or it is not of this machine."""


def bind(listen: str, flag: str, *, beside: bool = False) -> socket.socket:
    """Bind a stream socket, ``beside`` others that do the same. ``flag`` chooses another address.

    Raises CannotListen, BadInput.
    """
    host, port = host_port(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, for asyncio sends at once only where it is told that it is TCP; else an answer's body waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if beside:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise CannotListen(
            f"can't listen on {listen}: {error.strerror}. Choose another address with {flag} HOST:PORT, "
            "or stop the process that has it"
        ) from error
    listening.setblocking(False)
    return listening


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
