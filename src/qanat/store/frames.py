"""Messages on a socket between a server and a process of its store's: MessagePack behind its length."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from typing import Any, Final

import msgspec

HEAD: Final = 4
"""Octets before each message, with its length."""


def framed(message: Any) -> bytes:
    """Return a message as it goes over the socket."""
    octets = msgspec.msgpack.encode(message)
    return len(octets).to_bytes(HEAD, "big") + octets


def _messages_from(incoming: BufferedReader) -> Iterator[bytes]:
    """Wait for messages, without their lengths, until no more come."""
    while len(head := incoming.read(HEAD)) == HEAD:
        length = int.from_bytes(head, "big")
        octets = incoming.read(length)
        if len(octets) < length:
            return
        yield octets


def answer_all(line: socket.socket, answer: Callable[[bytes], Any]) -> None:
    """Answer every message in order until no more come, by whatever cause."""
    with suppress(ConnectionError):  # whoever asked was killed
        for message in _messages_from(line.makefile("rb")):
            line.sendall(framed(answer(message)))
