"""A server that says what it is told to, in order, and remembers what it was asked: for answers no honest server gives."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from qanat.wire.agent import Problem, UsageConfirmation


@dataclass(frozen=True)
class Said:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    url: str = ""
    replies: list[Said] = field(default_factory=list)
    asked: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)


CONFIRMED = Said(body=msgspec.json.encode(UsageConfirmation(journal="jnl-1", acked=7)))
PORTAL = Said(body=b"<html>Accept our terms</html>", headers={"content-type": "text/html"})


def refused(status: int, **problem: Any) -> Said:
    body = msgspec.json.encode(Problem(**problem))
    return Said(status, body, {"content-type": "application/problem+json"})


@contextmanager
def scripted(*replies: Said, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    script = Scripted(replies=list(replies))
    server = ThreadingHTTPServer((host, 0), _handler(script))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    script.url = f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.asked.append((self.command, self.path, body, headers))
            script.callers.append(self.client_address[0])
            said = script.replies.pop(0)
            self.send_response_only(said.status)
            for name, value in {"content-length": str(len(said.body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler
