"""Pages: what stands between a request and the function that answers it, and how a template becomes a page.

A page function gets a visit and returns a response; before it runs, a form was believed and the person may be there. What
the interface refuses it may let through: the refusal becomes a page with its cure. Templates escape everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from qanat.errors import BadInput
from qanat.registry.access import Role
from qanat.server.http.problems import problem
from qanat.server.web import figures
from qanat.server.web.api import SignedOut, Turned
from qanat.server.web.drawing import templates
from qanat.server.web.forms import (
    SECRET,
    NotBelieved,
    TooMuch,
    is_stale,
    local_path,
    may_be_asked_again,
    read_form,
    worth_asking_again,
    write_fields,
)
from qanat.server.web.menu import CURED_AT, MENUS, Entry, here
from qanat.server.web.visit import Visit, begin, cookie_name, give
from qanat.wire.agent import Problem

Handle = Callable[[Visit], Awaitable[Response]]
Again = Callable[[Visit, Problem], Awaitable[Response]]
"""Shows a page again, with what was refused on it."""
_FORM_LIMIT: Final = 65_536
_REASONS: Final = {
    404: ("no_such_path", "There is nothing at {path}."),
    405: ("no_such_method", "{method} is not possible at {path}."),
}
_log: Final = structlog.get_logger("web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    path: str
    handle: Handle
    method: str = "GET"
    role: Role | None = None
    """For whom it is; an administrator may look at an operator's; None is for everybody."""
    limit: int = _FORM_LIMIT
    """Octets of a form."""


def route(page: Page) -> Route:
    async def endpoint(request: Request) -> Response:
        visit = await begin(request)
        answer = await _answered(page, visit)
        if cookie_name(request) not in request.cookies and "set-cookie" not in answer.headers:
            give(answer, request, visit.cookie)
        return answer

    return Route(page.path, endpoint, methods=[page.method])


async def _answered(page: Page, visit: Visit) -> Response:
    try:
        return await _admitted(page, visit)
    except SignedOut:
        return sign_in_first(visit)  # a sign-in may end between two questions of one page
    except Turned as turned:
        return refused(visit, turned.problem, wait_s=turned.wait_s)
    except BadInput as bad:
        return refused(visit, Problem(status=404, detail=f"{bad.field}: {bad}.", reason="not_found"))
    except TooMuch:
        return refused(visit, Problem(status=413, reason="body_too_large"))
    except NotBelieved:
        return refused(visit, Problem(status=403, reason="not_believed"))


async def _admitted(page: Page, visit: Visit) -> Response:
    if page.method == "POST":
        visit.form = await read_form(visit.request, limit=page.limit)
        if is_stale(visit) and not may_be_asked_again(visit):
            raise NotBelieved
    if visit.caller is None and page.role is not None:
        return sign_in_first(visit)
    if not visit.may(page.role):
        return refused(visit, Problem(status=403, reason="other_face"))
    if page.method == "POST" and is_stale(visit):
        return _stale(visit)
    return await page.handle(visit)


def sign_in_first(visit: Visit) -> Response:
    """Ask who it is, and come back: to the page, or to the form with all that was filled in."""
    if "hx-request" in visit.request.headers:
        return Response(status_code=204)  # a piece of an open page is left as it is, and so is what is being filled in
    if visit.request.method == "GET":
        query = f"?{visit.request.url.query}" if visit.request.url.query else ""
        return redirect("/sign-in?" + urlencode({"to": visit.request.url.path + query}))
    return render(visit, "sign_in.html", 401, to=visit.request.url.path, kept=write_fields(visit.form), name="")


def ask_again(visit: Visit, *, path: str, form: dict[str, str]) -> Response:
    """Show a form that was interrupted, filled in as it was, and let the person send it again."""
    return render(visit, "again.html", path=local_path(path), fields=worth_asking_again(form))


def redirect(path: str) -> Response:
    """Go on to a page of ours with GET, so that loading it again sends nothing twice."""
    return RedirectResponse(local_path(path), 303)


def render(visit: Visit, template: str, status: int = 200, **shown: Any) -> Response:
    return HTMLResponse(templates().get_template(template).render(_context(visit) | shown), status)


def refused(visit: Visit, why: Problem, *, wait_s: int | None = None) -> Response:
    """Show why not, and what cures it."""
    headers = {"retry-after": str(wait_s)} if wait_s is not None else {}
    answer = render(visit, "refused.html", why.status or 500, problem=why)
    answer.headers.update(headers)
    return answer


def explain(visit: Visit, why: Problem, sentences: dict[str, str]) -> Problem:
    """Say what fits into a field, where the interface only names its rule."""
    sentence = sentences.get(why.field) if why.reason == "bad_input" else None
    return replace(why, detail=visit.say(sentence), cure="", detail_zh=visit.say(sentence)) if sentence else why


async def failed(request: Request, error: Exception) -> Response:
    """Answer what no page answered: no such page, no such method, or a mistake of ours. Programs are told in JSON."""
    if isinstance(error, Turned):
        return _nobody_knows_who()
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 500:
        _log.error("mistake of ours", path=request.url.path, exc_info=error)
    reason, sentence = _REASONS.get(status, ("mistake", "The server made a mistake; it is logged."))
    if "text/html" not in request.headers.get("accept", ""):
        detail = sentence.format(method=request.method, path=request.url.path)
        return problem(status, detail, reason=reason, cure="See /openapi.json.")
    nowhere = {"here": ""} if status == 404 else {}
    try:
        visit = await begin(request)
        return render(visit, "refused.html", status, problem=Problem(status=status, reason=reason), **nowhere)
    except Turned:
        return _nobody_knows_who()


def _nobody_knows_who() -> Response:
    return problem(503, "The server can't say who is looking.", reason="store_fault", cure="Try again in a moment.")


def _stale(visit: Visit) -> Response:
    path = visit.request.url.path
    if SECRET & visit.form.keys():
        return redirect(path + "?stale=1")
    return ask_again(visit, path=path, form=visit.form)


def _context(visit: Visit) -> dict[str, Any]:
    entries = MENUS[visit.caller.role] if visit.caller else ()  # type: ignore[index]
    path = visit.request.url.path
    return {
        "_": visit.say,
        "language": visit.language,
        "look": visit.look,
        "person": visit.caller,
        "csrf": visit.csrf,
        "menu": entries,
        "here": here(entries, path),
        "path": path,
        "back": _back(visit, here(entries, path)),
        "cured_at": partial(cured_at, visit),
        "may_serve": visit.may_serve,
        "filled": partial(_filled, visit),
        "octets": partial(figures.octets, say=visit.say),
        "figure": partial(figures.figure, say=visit.say),
        "price": partial(figures.price, say=visit.say),
        "when": partial(figures.when, language=visit.language),
        "date": partial(figures.date, language=visit.language),
        "ago": partial(figures.ago, now_ms=visit.now, say=visit.say),
        "detail": partial(_in, visit, "detail"),
        "cure": partial(_in, visit, "cure"),
    }


def cured_at(visit: Visit, reason: str) -> Entry | None:
    """Return the page on which whoever is looking can cure a refusal, unless it is this one."""
    path = CURED_AT.get(reason, "")
    entries = MENUS[visit.caller.role] if visit.caller else ()  # type: ignore[index]
    return next((entry for entry in entries if entry.path == path != visit.request.url.path), None)


def _back(visit: Visit, menu_path: str) -> str:
    """Return where a choice of language or look leads back to; the answer to a form has no address of its own."""
    url = visit.request.url
    if visit.request.method != "GET":
        return menu_path or url.path
    return local_path(url.path + (f"?{url.query}" if url.query else ""))


def _in(visit: Visit, part: str, problem: Problem) -> str:
    """Return a problem's sentence or cure in the language of the page, as far as it is there."""
    chinese = str(getattr(problem, f"{part}_zh"))
    if problem.reason == "bad_input" and not problem.detail_zh:
        return _does_not_fit(visit, problem.field) if part == "detail" else ""
    return chinese if visit.language == "zh" and chinese else str(getattr(problem, part))


def _does_not_fit(visit: Visit, field: str) -> str:
    """Say what the interface says of a field in a programmer's words."""
    named = visit.say(field) if visit.language == "zh" else field.replace("_", " ")
    return visit.say("“{field}” does not fit: check what is written there.", field=named)


def _filled(visit: Visit, name: str, otherwise: str = "") -> str:
    """Return what was filled into a field that is shown again."""
    return visit.form.get(name, otherwise)
