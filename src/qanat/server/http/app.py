"""The HTTP application: routes, the OpenAPI document, and one answer for every kind of failure."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from qanat.errors import BadInput, Fault, StoreFault, Unwritten
from qanat.server.http import (
    about_base_stations,
    clearing,
    live,
    looking,
    market,
    offices,
    peers,
    people,
    signing,
    vouchers,
    watching,
)
from qanat.server.http.effects import refuse
from qanat.server.http.openapi import DEVICE_ROUTES, HOT, with_agent_routes
from qanat.server.http.problems import Denied, problem
from qanat.server.http.services import Services, services_of
from qanat.server.http.shield import SAFE, Shield
from qanat.server.http.signed import TooManyNonces
from qanat.server.http.spelling import WORDS
from qanat.server.together import figures_of_all
from qanat.server.web.app import with_console
from qanat.wire.spelling import in_words

_log: Final = structlog.get_logger("http")
_SOON_S: Final = 2.0
"""Whoever asks whether we are ready waits no longer, and asks somebody else."""
_COULD_NOT_READ: Final = "The server could not look this up in its database."
_COULD_NOT_STORE: Final = "The server could not store this; nothing of it took effect."
_CORRECT: Final = "Correct the field; /openapi.json says what is accepted."
_STEP: Final = re.compile(r"(\w+)|\[(\d+)\]")
_DESCRIPTION: Final = """\
Meters mobile data to the octet, grants it in quotas, takes back what is left.

Amounts are whole octets up to 2^53-1, money is in minor units. A POST that carries an `Idempotency-Key` takes effect
once: a repeat within a day gets the same answer. Every failure is an RFC 9457 problem with `reason` and `cure`.
"""


def make_app(services: Services) -> ASGIApp:
    app = FastAPI(title="Qanat", version="0.1.0", description=_DESCRIPTION, redoc_url=None, docs_url=None)
    app.state.services = services
    app.router.routes.extend(route for route, *_ in DEVICE_ROUTES)
    for router in (
        signing.router,
        offices.router,
        people.router,
        vouchers.router,
        peers.router,
        market.router,
        about_base_stations.router,
        clearing.router,
        looking.router,
        watching.router,
        live.router,
    ):
        app.router.routes.extend(router.routes)  # included, each would be made ready a second time, in 100 ms
    for path, endpoint in (("/livez", _alive), ("/readyz", _ready), ("/metrics", _metrics)):
        app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)
    _handle_failures(app)
    with_agent_routes(app)
    rest = with_console(app, services)
    return Shield(_hot_first(app, rest), settings=services.settings.http, under_way=services.under_way)


def _hot_first(people: FastAPI, rest: ASGIApp) -> ASGIApp:
    """Lead the agents' hot routes past the framework's layers: a request costs a third less. The rest goes its way."""
    endpoints = {(method, route.path): route.endpoint for route, *_ in HOT for method in route.methods or ()}

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = endpoints.get((scope.get("method", ""), scope.get("path", "")))
        if endpoint is None:
            await rest(scope, receive, send)
            return
        scope["app"], scope["endpoint"] = people, endpoint
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except Exception as error:
            response = await _handler_of(error)(request, error)
        await response(scope, receive, send)

    return dispatch


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive\n")


async def _ready(request: Request) -> Response:
    """Ready when the store can decide, and does so soon: a disk that hangs raises nothing."""
    try:
        async with asyncio.timeout(_SOON_S):
            await services_of(request).store.decide(lambda work: work.now)
    except TimeoutError as error:
        raise StoreFault(f"the database did not answer within {_SOON_S:g} s. Look at its disk and its load.") from error
    return PlainTextResponse("ready\n")


async def _metrics(request: Request) -> Response:
    return Response(await figures_of_all(services_of(request)), media_type="text/plain; version=0.0.4")


def _handle_failures(app: Starlette) -> None:
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


def _handler_of(error: Exception) -> Callable[[Request, Any], Awaitable[Response]]:
    return next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)


async def _denied(request: Request, denied: Denied) -> Response:
    return await refuse(services_of(request), denied.refused)


async def _bad_input(_: Request, bad: BadInput) -> Response:
    text = str(bad)
    detail = text if not bad.field or text.startswith(bad.field) else f"{bad.field}: {text}"
    return problem(422, f"{detail}.", reason="bad_input", cure=_CORRECT, field=bad.field)


async def _invalid_body(request: Request, error: RequestValidationError) -> Response:
    first: dict[str, Any] = error.errors()[0]
    where: Sequence[Any] = first["loc"]
    if where == ("body",) and "json" not in request.headers.get("content-type", ""):
        cure = "Send it with the header Content-Type: application/json."
        return problem(415, "The body is not declared as JSON.", reason="not_json", cure=cure, field="Content-Type")
    if first["type"] == "json_invalid":
        return _no_json(first["ctx"]["error"])
    field = ".".join(str(part) for part in where[1:]) or str(where[0])
    return problem(
        422,
        f"{field}: {_message(first)}{_quoted(first['input'], field) if first['type'] != 'extra_forbidden' else ''}.",
        reason="bad_input",
        cure=_CORRECT,
        field=field,
    )


async def _invalid_message(request: Request, error: msgspec.ValidationError) -> Response:
    message, _sep, path = in_words(str(error)).partition(" - at `$")
    field = path.removeprefix(".").removesuffix("`") or "body"
    quoted = _quoted(_at(field, await request.body()), field)
    return problem(422, f"{field}: {message}{quoted}.", reason="bad_input", cure=_CORRECT, field=field)


def _at(field: str, body: bytes) -> Any:
    """Return the value of a field that msgspec names, such as ``report.rows[0].up``; None if the body has none."""
    try:
        value = msgspec.json.decode(body)
        for name, place in _STEP.findall(field):
            value = value[name] if name else value[int(place)]
    except (msgspec.DecodeError, RecursionError, LookupError, TypeError):
        return None
    return value


async def _not_json(_: Request, error: msgspec.DecodeError) -> Response:
    return _no_json(str(error))


def _no_json(error: str) -> Response:
    cure = "Send one whole JSON object (RFC 8259)."
    return problem(400, f"The body is not JSON: {error}.", reason="not_json", cure=cure, field="body")


def _message(error: dict[str, Any]) -> str:
    if error["type"] == "string_pattern_mismatch":
        return f"Expected {WORDS[error['ctx']['pattern']]}"
    return str(error["msg"]).removeprefix("Value error, ")


def _quoted(value: Any, field: str) -> str:
    """Return the value at fault, to point at it; never a password, and nothing that is long or no single value."""
    if "password" in field or not isinstance(value, int | float | str):
        return ""
    text = json.dumps(value)
    return f", not {text}" if len(text) <= 80 else ""


async def _http_error(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers) if error.headers else None
    if error.status_code == 404:
        return problem(
            404, f"There is nothing at {request.url.path}.", reason="no_such_path", cure="See /openapi.json."
        )
    if error.status_code == 405:
        detail = f"{request.method} is not possible at {request.url.path}."
        return problem(405, detail, reason="no_such_method", cure="See /openapi.json.", headers=headers)
    if error.status_code == 400:
        return _no_json("it is nested too deep, or a number in it has too many digits")
    return problem(
        error.status_code, str(error.detail), reason="bad_request", cure="See /openapi.json.", headers=headers
    )


async def _fault(request: Request, fault: Fault) -> Response:
    services_of(request).metrics.faults.labels(type(fault).__name__).inc()
    _log.error("fault", fault=str(fault), path=request.url.path)
    return problem(
        503,
        _COULD_NOT_READ if request.method in SAFE else _COULD_NOT_STORE,
        reason="store_fault",
        cure="Repeat the request; the operator finds the cause in the log.",
        headers={"retry-after": "1"},
    )


async def _unwritten(request: Request, fault: Unwritten) -> Response:
    services_of(request).metrics.faults.labels(type(fault).__name__).inc()
    _log.error("fault", fault=str(fault), path=request.url.path)
    cure = "Make room on the disk, or give the folder to the server's user; then repeat the request, which goes on."
    return problem(503, f"{fault}.", reason="file_unwritten", cure=cure)


async def _overloaded(_: Request, __: TooManyNonces) -> Response:
    return problem(
        503,
        "Too many signed requests are remembered against replay.",
        reason="overloaded",
        cure="Try again in a minute.",
        headers={"retry-after": "60"},
    )


async def _mistake(request: Request, error: Exception) -> Response:
    _log.error("mistake of ours", path=request.url.path, exc_info=error)
    return problem(500, "The server made a mistake; it is logged.", reason="mistake", cure="Report it with the time.")


_HANDLERS: Final[dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]]] = {
    Denied: _denied,
    BadInput: _bad_input,
    RequestValidationError: _invalid_body,
    msgspec.ValidationError: _invalid_message,
    msgspec.DecodeError: _not_json,
    HTTPException: _http_error,
    StoreFault: _fault,
    Fault: _fault,
    Unwritten: _unwritten,
    TooManyNonces: _overloaded,
    Exception: _mistake,
}
