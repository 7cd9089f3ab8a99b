"""The pages' way to the server: the same HTTP interface that the command line uses, asked in the same process.

A page has no way of its own to the store. It asks with the token of the person who looks at it, so what that person may
see and do is decided in one place, and a refusal reads the same on every screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope

from qanat.errors import BadInput
from qanat.wire.agent import Problem

V = TypeVar("V", bound=BaseModel)
Query = str | int | None
_OVER: Final[Message] = {"type": "http.response.body", "status": 500, "more_body": False}
"""Ends a stream, however it came about; one that never began is a mistake."""


class Turned(Exception):
    """The interface said no: a refusal, bad input or a fault, with its sentence and its cure."""

    def __init__(self, problem: Problem, *, wait_s: int | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.wait_s = wait_s


class SignedOut(Exception):
    """The token is none, or is none any more: whoever asked must sign in first."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of the interface."""

    status: int
    headers: dict[str, str]
    body: bytes


class Api:
    """Asks for one person. ``scope`` is the request for the page: its address counts against the same limits."""

    def __init__(self, app: ASGIApp, scope: Scope, *, token: str) -> None:
        self._app = app
        self._scope = scope
        self._token = token

    async def get(self, path: str, shown: type[V], **query: Query) -> V:
        """Return what the interface shows at ``path``. Raises Turned, SignedOut."""
        return shown.model_validate_json((await self._ask("GET", path, query=query)).body)

    async def post(self, path: str, body: dict[str, Any] | None, shown: type[V], *, once: str = "") -> V:
        """Have something done, and return what is shown of it. The same ``once`` takes effect once.

        Raises Turned, SignedOut.
        """
        return shown.model_validate_json((await self._ask("POST", path, body=body or {}, once=once)).body)

    async def file(self, path: str) -> Said:
        """Return something that is no JSON, such as a file. Raises Turned."""
        return await self._ask("GET", path)

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """Return what the interface goes on telling at ``path``, piece by piece. Raises Turned, SignedOut."""
        pieces: asyncio.Queue[Message] = asyncio.Queue()

        async def ask() -> None:
            try:
                await self._app(self._asked("GET", path), _never_gone(), pieces.put)
            finally:
                pieces.put_nowait(_OVER)

        asking = asyncio.create_task(ask())
        begun = await pieces.get()
        if begun["status"] >= 400:
            said = [piece async for piece in _told(pieces, asking)]
            raise _turned(Said(begun["status"], {}, b"".join(said)))
        return _told(pieces, asking)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Query] | None = None,
        body: dict[str, Any] | None = None,
        once: str = "",
    ) -> Said:
        scope = self._asked(method, path, query=query, once=once)
        said = await _call(self._app, scope, b"" if body is None else msgspec.json.encode(body))
        if said.status >= 400:
            raise _turned(said)
        return said

    def _asked(self, method: str, path: str, *, query: dict[str, Query] | None = None, once: str = "") -> Scope:
        headers = [(b"host", b"console"), (b"content-type", b"application/json")]
        headers += [(b"authorization", f"Bearer {self._token}".encode())] if self._token else []
        headers += [(b"idempotency-key", once.encode(errors="replace"))] if once else []
        asked = {key: value for key, value in (query or {}).items() if value is not None}
        scope: Scope = {
            **self._scope,
            "method": method,
            "path": path,
            "raw_path": quote(path, safe="/%").encode(),
            "query_string": urlencode(asked).encode(),
            "headers": headers,
            "root_path": "",
            "path_params": {},
        }
        for left_by_routing in ("route", "endpoint", "router", "app", "state"):
            scope.pop(left_by_routing, None)
        return scope


def segment(text: str) -> str:
    """Return text that came from outside as one segment of a path. Raises BadInput for what would be another path."""
    if not text or text in (".", "..") or len(text) > 200 or any(letter in "/?#%\\" for letter in text):
        raise BadInput("is no name", field="path")
    return text


def _never_gone(body: bytes = b"") -> Receive:
    """A request from somebody who stays: whoever leaves has the asking cancelled."""
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if asked:
            return asked.pop()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    return receive


async def _told(pieces: asyncio.Queue[Message], asking: asyncio.Task[None]) -> AsyncIterator[bytes]:
    try:
        more = True
        while more:
            piece = await pieces.get()
            more = piece.get("more_body", False)
            yield piece.get("body", b"")
    finally:
        asking.cancel()


async def _call(app: ASGIApp, scope: Scope, body: bytes) -> Said:
    status, headers, parts = 500, dict[str, str](), list[bytes]()

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update({name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]})
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, _never_gone(body), send)
    except Exception:
        # A mistake of ours was logged and answered before it came here, as in the shield.
        if status != 500:
            raise
    return Said(status, headers, b"".join(parts))


def _turned(said: Said) -> Turned | SignedOut:
    try:
        problem = msgspec.json.decode(said.body, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(title="", status=said.status, detail="", reason="mistake", cure="")
    if problem.reason == "signed_out":
        return SignedOut()
    wait = said.headers.get("retry-after", "")
    return Turned(problem, wait_s=int(wait) if wait.isdigit() else None)
