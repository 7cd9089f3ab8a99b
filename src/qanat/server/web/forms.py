"""Forms: read within bounds, and believed only if they come from a page of ours.

A form must carry the word that its page was given (``Visit.csrf``), and a browser that says where a request comes from
must say: from here. What fails the second is turned away. What fails only the first was filled in before its person
signed out or in again, maybe in another tab: its content comes back on a page that asks again, so nothing is lost.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

_FIELDS: Final = 400
_LOCAL: Final = re.compile(r"/(?![/\\])[^\\]{0,2000}")
"""A browser takes a backslash for a slash, and two slashes for another host."""
OURS: Final = frozenset({"csrf", "once"})
"""Fields of the console itself; a form that is asked again gets new ones."""
SECRET: Final = frozenset({"password", "current"})
"""Never handed back."""


class NotBelieved(Exception):
    """The form came from somewhere else."""


class TooMuch(Exception):
    """The form is larger than any of ours."""


async def read_form(request: Request, *, limit: int) -> dict[str, str]:
    """Return the fields of a form; of a repeated one the last. Raises TooMuch, NotBelieved."""
    if not from_here(request):
        raise NotBelieved
    body = await request.body()
    if len(body) > limit:
        raise TooMuch
    if "urlencoded" not in request.headers.get("content-type", "urlencoded"):
        raise NotBelieved
    return read_fields(body.decode(errors="replace"))


def read_fields(text: str) -> dict[str, str]:
    """Read what a browser writes. Raises TooMuch."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="replace"))
    except ValueError as error:
        raise TooMuch from error


def write_fields(form: dict[str, str]) -> str:
    return urlencode(worth_asking_again(form))


def worth_asking_again(form: dict[str, str]) -> dict[str, str]:
    """Return what a person filled in: all but secrets and what the console itself put in."""
    return {name: value for name, value in form.items() if name not in OURS | SECRET}


def from_here(request: Request) -> bool:
    """Tell whether the browser says that one of our pages sent this (Fetch Metadata; RFC 6454 §7)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    host = request.headers.get("host", "")
    return origin in (None, f"http://{host}", f"https://{host}")


def is_stale(visit: Visit) -> bool:
    """Tell whether a form was made for another sign-in than the one it is sent with."""
    return not visit.believes(visit.form.get("csrf", ""))


def may_be_asked_again(visit: Visit) -> bool:
    """A stale form is handed back only where the browser itself vouches for its origin."""
    headers = visit.request.headers
    return headers.get("sec-fetch-site") == "same-origin" or headers.get("origin") is not None


def local_path(text: str) -> str:
    """Return the path if it is one of ours, else the first page: never another host, scheme or a browser's reading of one."""
    return text if _LOCAL.fullmatch(text) and text.isprintable() else "/"


def bad(field: str, detail: str, cure: str) -> Problem:
    """Return a problem that the form itself has; it is said in the language of the page already."""
    return Problem(
        title="", status=422, detail=detail, reason="bad_input", cure=cure, field=field, detail_zh=detail, cure_zh=cure
    )
