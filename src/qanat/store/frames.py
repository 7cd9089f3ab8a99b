"""Messages on a socket between a server and a process of its store's: MessagePack behind its length."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from typing import Any, Final

import msgspec

HEAD: Final = 4
"""Octets before each message, with its length."""


def framed(message: Any) -> bytes:
    """Return a message as it goes over the socket."""
    octets = msgspec.msgpack.encode(message)
    return len(octets).to_bytes(HEAD, "big") + octets


def messages_from(incoming: BufferedReader) -> Iterator[bytes]:
    """Wait for messages, without their lengths, until no more come."""
    while len(head := incoming.read(HEAD)) == HEAD:
        length = int.from_bytes(head, "big")
        octets = incoming.read(length)
        if len(octets) < length:
            return
        yield octets
