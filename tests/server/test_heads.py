"""What a stranger may cost before the first request is whole, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S
from tests.server.live import Live, live_server, settings_for

from qanat.server.http.heads import HEAD_MAX

BEGUN = b"GET /livez HTTP/1.1\r\nhost: q\r\n"


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[socket.socket]:
    with live_server(tmp_path, settings_for(tmp_path, http={"body_timeout_s": 1})) as live, stranger(live) as connected:
        yield connected


def stranger(live: Live) -> closing[socket.socket]:
    host, _, port = live.url.removeprefix("http://").partition(":")
    return closing(socket.create_connection((host, int(port)), timeout=PATIENCE_S))


def flood(peer: socket.socket, octets: bytes) -> None:
    for _ in range(1_000):
        peer.sendall(octets)


def everything(peer: socket.socket) -> bytes:
    """Return what the server says until it closes."""
    said = b""
    with suppress(ConnectionResetError):
        while arrived := peer.recv(65_536):
            said += arrived
    return said


@pytest.mark.parametrize("endless", [b"x: y\r\n", b"x" * 64], ids=["headers", "one header"])
def test_a_head_without_end_is_not_collected(peer: socket.socket, endless: bytes) -> None:
    peer.sendall(BEGUN)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        flood(peer, endless * (HEAD_MAX // len(endless)))


def test_a_head_that_is_too_long_is_told_so(peer: socket.socket) -> None:
    peer.sendall(BEGUN + b"x: " + b"y" * HEAD_MAX)
    assert b"longer than 65536 octets" in everything(peer)


def test_the_longest_head_is_taken(peer: socket.socket) -> None:
    peer.sendall(BEGUN + b"x: " + b"y" * (HEAD_MAX - len(BEGUN) - 10) + b"\r\nconnection: close\r\n\r\n")
    assert everything(peer).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begun", [b"", BEGUN, BEGUN + b"\r\n" + BEGUN], ids=["none", "the first", "the next"])
def test_a_head_that_does_not_come_ends_the_connection(peer: socket.socket, begun: bytes) -> None:
    """The next after a whole one counts from its own first octet: before that, a connection may idle."""
    peer.sendall(begun)
    assert everything(peer).count(b"HTTP/1.1 200 ") == begun.count(b"\r\n\r\n")
