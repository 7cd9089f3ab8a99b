"""The small honest operator behind HTTP: enrols, verifies signatures, refuses replays and skewed clocks."""

from __future__ import annotations

import threading
from base64 import b64decode
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from tests.agents.operator import Operator

from qanat.clock import Clock
from qanat.errors import BadInput
from qanat.server.http.signed import device_key, is_genuine
from qanat.units import Instant
from qanat.wire.agent import CloudSim, Enrolled, Enrolment, Interrogation, Problem, TerminalView, UsageReport
from qanat.wire.signature import read_signature

WINDOW_S = 60
ENROLMENTS = ("/v1/terminals", "/v1/base-stations")


class FakeServer:
    """Listens until it is closed. ``fail_next`` makes it answer so many requests with 503."""

    def __init__(self, operator: Operator, *, host: str = "127.0.0.1", port: int = 0, clock: Clock) -> None:
        self.operator = operator
        self.keys: dict[str, str] = {}
        self.codes = {"CODE-1": ""}
        self.nonces: set[str] = set()
        self.clock = clock
        self.fail_next = 0
        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer((host, port), _handler(self))
        self.http.daemon_threads = True
        self.url = f"http://{host}:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> msgspec.Struct:
        if self.fail_next:
            self.fail_next -= 1
            return Problem(status=503, reason="busy")
        try:
            signed = read_signature(method=method, path=path, body=body, headers=headers)
        except BadInput as error:
            return Problem(status=401, reason="bad_signature", detail=str(error))
        key = signed.key_id if path in ENROLMENTS else self.keys.get(signed.key_id)
        if key is None:
            return Problem(status=401, reason="unknown_terminal")
        if not is_genuine(signed, device_key(key)) or signed.nonce in self.nonces:
            return Problem(status=401, reason="bad_signature")
        if abs(signed.created_s - self.clock.now() // 1000) > WINDOW_S:
            return Problem(status=401, reason="clock_skew", detail="Your clock is off.", cure="Set the clock.")
        self.nonces.add(signed.nonce)
        return self.decide(path, body, self.clock.now())

    def decide(self, path: str, body: bytes, now: Instant) -> msgspec.Struct:
        """Answer a genuine request."""
        if path == "/v1/terminals":
            return self.enrol(msgspec.json.decode(body, type=Enrolment), now)
        if path == "/v1/agent/interrogations":
            return self.operator.interrogate(msgspec.json.decode(body, type=Interrogation), now)
        if path == "/v1/agent/terminal":
            return TerminalView(
                terminal="trm-1",
                identity="T-7K2M9-QXDV4",
                sim=None,
                subscriber=None,
                binding_code="BIND-1",
                available=self.operator.available,
                plans=[],
            )
        return self.operator.report(msgspec.json.decode(body, type=UsageReport))

    def enrol(self, asked: Enrolment, now: Instant) -> msgspec.Struct:
        if self.codes.get(asked.code, None) not in ("", asked.public_key):
            return Problem(status=403, reason="code_unknown", detail="No such code.", cure="Ask for a new code.")
        assert len(b64decode(asked.public_key)) == 32
        self.codes[asked.code] = asked.public_key
        self.keys["trm-1"] = asked.public_key
        sim = CloudSim(iccid="8949000000000000001", imsi="001010000000001", account="a1")
        return Enrolled(
            terminal="trm-1",
            sim=sim,
            subscriber=None,
            binding_code="BIND-1",
            report_interval_s=self.operator.report_interval_s,
            server_time=now,
        )


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.converse()

        def do_GET(self) -> None:
            self.converse()

        def converse(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with server.lock:
                answer = server.answer(self.command, self.path, body, headers)
            refused = isinstance(answer, Problem)
            content = msgspec.json.encode(answer)
            self.send_response_only(answer.status if isinstance(answer, Problem) else 200)
            self.send_header("content-type", "application/problem+json" if refused else "application/json")
            self.send_header("date", formatdate(server.clock.now() // 1000, usegmt=True))
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler
