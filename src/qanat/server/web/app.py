"""The console: both faces on the server's own address, beside the interface that they use.

Paths of the interface go to it untouched; every other path is a page. The policy lets a page load from its own origin
only, with no inline script or style, and be shown in nobody's frame.
"""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qanat.server.http.services import Services
from qanat.server.web import static
from qanat.server.web.api import Turned
from qanat.server.web.operators.pages import PAGES as OPERATORS
from qanat.server.web.pages import failed, route
from qanat.server.web.people.pages import PAGES as PEOPLE
from qanat.server.web.signing import PAGES as DOOR
from qanat.server.web.visit import is_secure

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_OVER_TLS: Final = {
    "strict-transport-security": "max-age=31536000",
    # Elsewhere browsers ignore it and log an error (HTML §7.1.3).
    "cross-origin-opener-policy": "same-origin",
}
_INTERFACE: Final = ("/v1/", "/openapi.json", "/livez", "/readyz", "/metrics")


def with_console(interface: ASGIApp, services: Services) -> ASGIApp:
    """Return the interface with the console in front of it."""
    web = _web(interface, services)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = interface if scope["type"] != "http" or _is_interface(scope) else web
        await wanted(scope, receive, send)

    return dispatch


def _web(interface: ASGIApp, services: Services) -> ASGIApp:
    routes = [Route("/static/{path:path}", static.serve), *map(route, (*DOOR, *PEOPLE, *OPERATORS))]
    app = Starlette(routes=routes, exception_handlers={404: failed, 405: failed, Turned: failed, Exception: failed})
    app.state.services, app.state.api = services, interface
    return _guarded(app)


def _is_interface(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(_INTERFACE)


def _guarded(app: Starlette) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message), secure=is_secure(Request(scope)))
            await send(message)

        await app(scope, receive, sent)

    return guarded


def _protect(headers: MutableHeaders, *, secure: bool) -> None:
    for name, value in (_HEADERS | (_OVER_TLS if secure else {})).items():
        headers[name] = value
    headers.setdefault("cache-control", "no-store")
