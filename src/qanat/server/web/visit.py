"""A visit: one request of a browser, with who is looking and what the page may do for that person.

One cookie is all there is to a session. It holds the token that signing in gave, the same the command line would use;
before that it holds a random value that means nothing to the server. Signing in replaces it, so nobody can be made to
use a value that somebody else knows. It is HttpOnly and SameSite=Strict, and ``Secure`` with the ``__Host-`` prefix
where the console is reached over TLS (RFC 6265bis §4.1.3).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from qanat.languages import Language, choose
from qanat.registry.access import Role
from qanat.server.http.services import Services, services_of
from qanat.server.http.views.people import CallerView
from qanat.server.web.api import Api, SignedOut
from qanat.server.web.language import Say, speak
from qanat.system import fresh_token
from qanat.units import Instant

_VISITOR: Final = "visitor."
"""How a cookie begins that is no sign-in: asking the store about it would be in vain."""
_YEAR_S: Final = 31_536_000
LOOKS: Final = ("light", "dark")


@dataclass(slots=True, kw_only=True)
class Visit:
    request: Request
    api: Api
    cookie: str
    language: Language
    look: str
    """``light`` or ``dark`` if the person chose one, else empty: as the device says."""
    caller: CallerView | None = None
    """None for a visitor who is not signed in."""
    form: dict[str, str] = field(default_factory=dict)
    """What was sent, for a POST whose origin was proved."""

    @property
    def services(self) -> Services:
        return services_of(self.request)

    @property
    def say(self) -> Say:
        return speak(self.language)

    @property
    def now(self) -> Instant:
        return self.services.clock.now()

    @property
    def once(self) -> str:
        """The form's own number: sent twice, from one tab or two, it takes effect once."""
        return self.form.get("once", "")

    @property
    def csrf(self) -> str:
        """Return what a form must carry to be believed; only a page that this cookie was sent with knows it."""
        return hashlib.sha256(f"form.{self.cookie}".encode()).hexdigest()

    def believes(self, said: str) -> bool:
        return hmac.compare_digest(said.encode(), self.csrf.encode())

    def may(self, role: Role | None) -> bool:
        """Tell whether this is a page for whoever is looking; None is for everybody."""
        if role is None:
            return True
        if self.caller is None:
            return False
        return self.caller.role == role or (role == "operator" and self.caller.role == "administrator")

    def may_serve(self, operator: str) -> bool:
        """Tell whether a link or a form that concerns somebody of this operator leads anywhere."""
        return self.caller is not None and (self.caller.role == "administrator" or self.caller.operator == operator)


async def begin(request: Request) -> Visit:
    """Return who is looking. Raises Turned for a fault of the store."""
    cookies = request.cookies
    cookie = cookies.get(cookie_name(request), "") or _VISITOR + fresh_token()
    token = "" if cookie.startswith(_VISITOR) else cookie
    look = cookies.get("look", "")
    visit = Visit(
        request=request,
        api=Api(request.app.state.api, request.scope, token=token),
        cookie=cookie,
        language=choose(cookies.get("language", ""), request.headers.get("accept-language", "")),
        look=look if look in LOOKS else "",
    )
    if token:
        visit.caller = await _caller(visit.api)
    return visit


async def _caller(api: Api) -> CallerView | None:
    try:
        return await api.get("/v1/whoami", CallerView)
    except SignedOut:
        return None


def cookie_name(request: Request) -> str:
    return "__Host-qanat" if is_secure(request) else "qanat"


def is_secure(request: Request) -> bool:
    """Tell whether people reach the console over TLS: ours, or that of the proxy which the settings name."""
    return request.url.scheme == "https" or services_of(request).settings.web.origin.startswith("https://")


def give(response: Response, request: Request, cookie: str) -> None:
    """Let the browser keep a session until it is closed; the token in it has its own end."""
    response.set_cookie(
        cookie_name(request), cookie, httponly=True, samesite="strict", secure=is_secure(request), path="/"
    )


def remember(response: Response, request: Request, name: str, value: str) -> None:
    """Keep a person's choice of language or look for a year."""
    response.set_cookie(
        name, value, max_age=_YEAR_S, httponly=True, samesite="strict", secure=is_secure(request), path="/"
    )


def as_visitor() -> str:
    """Return a fresh cookie for somebody who is not signed in."""
    return _VISITOR + fresh_token()
