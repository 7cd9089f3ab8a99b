"""The outermost layer: bounds what a stranger may cost, and sees every request.

A body is read whole before anything else happens, up to a limit and a time; past that the connection is answered and
closed without reading on. Only so many requests are worked on at once. One that a stop breaks off is told so, and how to
repeat it. Every request gets an id and a metric; one that failed, or by which a person changed something, a line in the log.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final
from urllib.parse import quote

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qanat.server.http.problems import problem
from qanat.server.http.under_way import UnderWay
from qanat.server.settings import Http

_log: Final = structlog.get_logger("http")
SAFE: Final = ("GET", "HEAD")
_CLOSE: Final = {"connection": "close"}
_UNANSWERED: Final = 499
"""What is noted of a request whose peer was told nothing."""
_DEVICES: Final = ("/v1/agent/", "/v1/station/")
"""What terminals and base stations ask all day."""
_UNWATCHED: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Answered even under overload: somebody wants to know how we are."""


class Gone(Exception):
    """The peer went away in mid-request."""


class Shield:
    def __init__(self, app: ASGIApp, *, settings: Http, under_way: UnderWay) -> None:
        self._app = app
        self._settings = settings
        self._under_way = under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = _UNANSWERED
        crowded = self._under_way.is_full and scope["path"] not in _UNWATCHED
        app: ASGIApp = self._busy() if crowded else self._guarded
        request_id = self._under_way.begin()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await app(scope, receive, watched)
        except asyncio.CancelledError:  # by a stop: nobody else does so
            if status != _UNANSWERED:
                raise
            await _stopping(scope)(scope, receive, watched)
        except Exception:
            # A mistake of ours was logged and answered with 500 before it came here; it has nothing more to tell.
            if status != 500:
                raise
        finally:
            self._under_way.end()
            self._note(scope, status, time.perf_counter() - begun, request_id)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(scope, receive)
        except Gone:
            return
        if isinstance(body, Response):
            await body(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _busy(self) -> Response:
        return problem(
            503,
            f"More than {self._settings.at_once} requests are under way.",
            reason="overloaded",
            cure="Try again in a moment.",
            headers={"retry-after": "1", **_CLOSE},
        )

    async def _read(self, scope: Scope, receive: Receive) -> bytes | Response:
        """Return the whole body, or the answer to one that is too large or too slow. Raises Gone."""
        limit = self._settings.body_limit
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > limit:
            return _too_large(limit)
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                return await _gather(receive, limit)
        except TimeoutError:
            return problem(
                408,
                f"The body did not arrive within {self._settings.body_timeout_s} s.",
                reason="body_too_slow",
                cure="Send the request again.",
                headers=_CLOSE,
            )

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = _route_of(scope)
        self._under_way.answered(route, status, seconds)
        routine = scope["method"] in SAFE or route.startswith(_DEVICES)
        if status >= 400 or not routine:
            client = scope.get("client") or ("",)
            _log.info(
                "request",
                method=scope["method"],
                path=quote(scope["path"])[:200],
                status=status,
                ms=round(seconds * 1000, 1),
                peer=client[0],
                request_id=request_id,
            )


def _route_of(scope: Scope) -> str:
    """Return the pattern that matched, so that names in paths never become labels; a plain route is its own pattern."""
    if "route" in scope:
        return str(getattr(scope["route"], "path", "unknown"))
    return scope["path"] if "endpoint" in scope else "unknown"


async def _gather(receive: Receive, limit: int) -> bytes | Response:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> Response:
    return problem(
        413,
        f"The body is larger than {limit} octets.",
        reason="body_too_large",
        cure="Send less in one request; reports can be split.",
        headers=_CLOSE,
    )


def _stopping(scope: Scope) -> Response:
    """Answer a request that a stop broke off. What it has asked of the store by then may still take effect."""
    if _may_be_repeated(scope):
        cure = "Repeat the request; with the same Idempotency-Key it takes effect once."
        again = {"retry-after": "1"}
    else:
        cure = "See whether it took effect before you repeat it; with an Idempotency-Key it takes effect once."
        again = {}
    detail = "The server is stopping, and did not finish this request."
    return problem(503, detail, reason="stopping", cure=cure, headers=again | _CLOSE)


def _may_be_repeated(scope: Scope) -> bool:
    """Tell whether a repeat does no harm: what only looks, what has a key, and what a device signed, which is numbered."""
    names = {name for name, _ in scope["headers"]}
    return scope["method"] in SAFE or b"idempotency-key" in names or b"signature" in names


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body on as if it came from the network, then whatever comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
