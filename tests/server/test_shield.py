"""A mistake of ours: an application that breaks, behind the real layers, answers without telling its insides."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from starlette.types import Message, Receive, Scope, Send

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
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    under_way = UnderWay(Metrics(MemoryStore(ManualClock())), at_once=1)
    shield = Shield(_broken, settings=Http(), under_way=under_way)
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "client": ("127.0.0.1", 1)}
    asyncio.run(shield(scope, receive, send))
    assert sent[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]


def test_secrets_are_not_logged_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        configure(Log(format="json"))
        structlog.get_logger().info("said", password="hunter2", token="abc", who="alice")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "alice" in said
    assert "hunter2" not in said
    assert "abc" not in said
