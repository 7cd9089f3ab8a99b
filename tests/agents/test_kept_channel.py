"""Connections that are kept: used again, watched while idle, and asked anew when their other end has gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.traffic import until

from qanat.agents.channel import read_server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.kept_channel import KeptChannels
from qanat.agents.reporter import ANY_ROUTE, NoAnswer, Reporter
from qanat.clock import ManualClock
from qanat.wire.agent import UsageConfirmation, UsageReport
from qanat.wire.signature import read_signature

BODY = b'{"journal": "jnl-1", "acked": 7}'
PATH = "/v1/station/usage"


class Keeping:
    """A server that keeps connections as long as it is not told otherwise; remembers over which each request came."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self.asked_over: list[int] = []
        self.nonces: list[str] = []
        self.hangs_up_on = 0
        """So many requests on connections that were used before are read and then not answered."""
        self.url = ""

    def hang_up(self) -> None:
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def keeping() -> Iterator[Keeping]:
    kept = Keeping()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kept))
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()


def _handler(kept: Keeping) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.number = len(kept.connections)
            kept.connections.append(self.connection)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            signed = read_signature(method=self.command, path=self.path, body=body, headers=headers)
            kept.nonces.append(signed.nonce)
            if kept.hangs_up_on and self.number in kept.asked_over:
                kept.hangs_up_on -= 1
                self.close_connection = True
                return
            kept.asked_over.append(self.number)
            self.send_response_only(200)
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


def reporter_to(server: Keeping) -> Reporter:
    return Reporter(
        read_server(server.url),
        key=Ed25519PrivateKey.from_private_bytes(bytes(32)),
        key_id="bst-1",
        channels=[ANY_ROUTE],
        clock=CorrectedClock(ManualClock()),
        exchange=KeptChannels().exchange,
    )


def post(reporter: Reporter) -> int:
    return reporter.post(PATH, UsageReport(journal="jnl-1", floor=0, rows=[]), UsageConfirmation).acked


def test_one_question_after_the_other_goes_over_one_connection() -> None:
    with keeping() as server:
        reporter = reporter_to(server)
        assert [post(reporter) for _ in range(5)] == [7] * 5
        assert server.asked_over == [0] * 5


def test_questions_at_the_same_time_have_a_connection_each() -> None:
    with keeping() as server, ThreadPoolExecutor(4) as threads:
        reporter = reporter_to(server)
        assert list(threads.map(lambda _: post(reporter), range(40))) == [7] * 40
        assert 1 <= len(server.connections) <= 4


def test_a_connection_whose_other_end_went_away_while_idle_is_not_used_again() -> None:
    with keeping() as server:
        reporter = reporter_to(server)
        post(reporter)
        server.hang_up()
        until(lambda: post(reporter) == 7)
        assert server.asked_over[-1] > 0


def test_a_connection_that_ends_at_the_moment_of_asking_is_asked_anew_with_a_signature_of_its_own() -> None:
    """Nobody knows whether the first question arrived; a repeated nonce would be refused as a replay."""
    with keeping() as server:
        reporter = reporter_to(server)
        post(reporter)
        server.hangs_up_on = 1
        assert post(reporter) == 7
        assert server.asked_over == [0, 1]
        assert len(set(server.nonces)) == 3


def test_a_server_that_has_gone_is_no_answer() -> None:
    with keeping() as server:
        reporter = reporter_to(server)
        post(reporter)
    server.hang_up()
    with pytest.raises(NoAnswer, match="refused"):
        post(reporter)
