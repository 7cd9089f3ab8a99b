"""An application that breaks or is broken off, behind the real shield: what is told to whoever asked, and what is not."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qanat.clock import ManualClock
from qanat.server.http.problems import problem
from qanat.server.http.shield import Shield
from qanat.server.http.under_way import UnderWay
from qanat.server.logs import configure
from qanat.server.metrics import Metrics
from qanat.server.settings import Http, Log
from qanat.store.store import MemoryStore


async def _broken(scope: Scope, receive: Receive, send: Send) -> None:
    await problem(500, "The server made a mistake; it is logged.", reason="mistake")(scope, receive, send)
    raise ValueError("secret of the inside")


def test_a_mistake_that_was_answered_goes_no_further() -> None:
    sent = asyncio.run(_asked(_broken))
    assert sent[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]


async def _broken_off(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("method", "header", "again"),
    [
        ("GET", b"accept", b"1"),
        ("POST", b"idempotency-key", b"1"),
        ("POST", b"signature", b"1"),
        ("POST", b"accept", None),
    ],
    ids=["it only looks", "it has a key", "a device counts what it says", "it may take effect twice"],
)
def test_what_a_stop_broke_off_is_invited_to_come_again_where_a_repeat_does_no_harm(
    method: str, header: bytes, again: bytes | None
) -> None:
    begin, body = asyncio.run(_asked(_broken_off, method, header))
    assert begin["status"] == 503
    assert dict(begin["headers"]).get(b"retry-after") == again
    assert (b"See whether it took effect" in body["body"]) is (again is None)


@pytest.mark.parametrize(
    ("path", "status", "lines"),
    [
        ("/v1/agent/interrogations", 200, 0),
        ("/v1/station/interrogations", 200, 0),
        ("/v1/station/interrogations", 404, 1),
        ("/v1/plans", 201, 1),
    ],
    ids=["a terminal asks", "a base station asks", "a device is refused", "a person changes something"],
)
def test_what_devices_ask_all_day_is_no_line_in_the_log(
    path: str, status: int, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        scope["endpoint"] = answering
        await Response(status_code=status)(scope, receive, send)

    try:
        configure(Log(format="json"))
        asyncio.run(_asked(answering, "POST", path=path))
    finally:
        structlog.reset_defaults()
    assert capsys.readouterr().err.count(path) == lines


async def _asked(app: ASGIApp, method: str = "GET", header: bytes = b"accept", *, path: str = "/x") -> list[Message]:
    """Return what is said to a request with this header, over the shield."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    under_way = UnderWay(Metrics(MemoryStore(ManualClock())), at_once=1)
    shield = Shield(app, settings=Http(), under_way=under_way)
    scope = {"type": "http", "method": method, "path": path, "headers": [(header, b"x")], "client": ("127.0.0.1", 1)}
    await shield(scope, receive, send)
    return sent


def test_secrets_are_not_logged_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        configure(Log(format="json"))
        structlog.get_logger().info("said", password="hunter2", token="abc", passcode="7K2M", who="alice")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "alice" in said
    assert "hunter2" not in said
    assert "abc" not in said
    assert "7K2M" not in said
