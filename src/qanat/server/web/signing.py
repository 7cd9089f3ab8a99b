"""The front door: what Qanat is, signing up, in and out, and the choice of language and look."""

from __future__ import annotations

from typing import Final, cast

from starlette.responses import Response

from qanat.languages import LANGUAGES
from qanat.registry.access import Role
from qanat.server.http.views.common import Done
from qanat.server.http.views.people import CallerView, SignedIn, SubscriberView
from qanat.server.web import passwords
from qanat.server.web.api import Api, Turned
from qanat.server.web.forms import local_path, read_fields
from qanat.server.web.language import later
from qanat.server.web.menu import HOME
from qanat.server.web.pages import Page, ask_again, explain, redirect, render
from qanat.server.web.visit import LOOKS, Visit, as_visitor, give, remember

_WHAT_FITS: Final = passwords.WHAT_FITS | {
    "name": later("A name has letters (a to z), digits and . _ - @, and begins with a letter or digit."),
    "display_name": later("What others call you has at most 200 characters, and no control characters."),
}


async def door(visit: Visit) -> Response:
    return redirect(_home(visit.caller)) if visit.caller else render(visit, "welcome.html")


async def sign_in_page(visit: Visit) -> Response:
    query = visit.request.query_params
    return render(visit, "sign_in.html", to=local_path(query.get("to", "")), kept="", name="")


async def sign_in(visit: Visit) -> Response:
    form = visit.form
    asked = {"name": form.get("name", ""), "password": form.get("password", "")}
    to, kept = local_path(form.get("to", "")), form.get("kept", "")
    try:
        signed_in = await visit.api.post("/v1/sign-in", asked, SignedIn)
    except Turned as turned:
        problem = turned.problem
        return render(visit, "sign_in.html", problem.status, problem=problem, to=to, kept=kept, name=asked["name"])
    return await _enter(visit, signed_in, to=to, kept=kept)


async def sign_up_page(visit: Visit) -> Response:
    return render(visit, "sign_up.html")


async def sign_up(visit: Visit) -> Response:
    form = visit.form
    asked = {"name": form.get("name", ""), "password": form.get("password", "")}
    named = asked | {"display_name": form.get("display_name", "")}
    try:
        await visit.api.post("/v1/sign-up", named, SubscriberView)
        signed_in = await visit.api.post("/v1/sign-in", asked, SignedIn)
    except Turned as turned:
        return render(visit, "sign_up.html", turned.problem.status, problem=explain(visit, turned.problem, _WHAT_FITS))
    return await _enter(visit, signed_in, to="/", kept="")


async def sign_out(visit: Visit) -> Response:
    if visit.caller:
        await visit.api.post("/v1/sign-out", None, Done)
    answer = redirect("/")
    give(answer, visit.request, as_visitor())
    return answer


async def language(visit: Visit) -> Response:
    return _chosen(visit, "language", visit.form.get("language", ""), tuple(LANGUAGES))


async def look(visit: Visit) -> Response:
    return _chosen(visit, "look", visit.form.get("look", ""), LOOKS)


def _chosen(visit: Visit, name: str, value: str, known: tuple[str, ...]) -> Response:
    answer = redirect(visit.form.get("back", "/"))
    if value in known:
        remember(answer, visit.request, name, value)
    return answer


async def _enter(visit: Visit, signed_in: SignedIn, *, to: str, kept: str) -> Response:
    """Begin anew with the token that was given: the cookie used so far is worth nothing any more."""
    if visit.caller:
        await visit.api.post("/v1/sign-out", None, Done)
    visit.cookie = signed_in.token
    visit.api = Api(visit.request.app.state.api, visit.request.scope, token=signed_in.token)
    visit.caller = await visit.api.get("/v1/whoami", CallerView)
    answer = (
        ask_again(visit, path=to, form=read_fields(kept))
        if kept
        else redirect(to if to != "/" else _home(visit.caller))
    )
    give(answer, visit.request, visit.cookie)
    return answer


def _home(caller: CallerView) -> str:
    return HOME[cast(Role, caller.role)]


PAGES: Final = (
    Page(path="/", handle=door),
    Page(path="/sign-in", handle=sign_in_page),
    Page(path="/sign-in", handle=sign_in, method="POST"),
    Page(path="/sign-up", handle=sign_up_page),
    Page(path="/sign-up", handle=sign_up, method="POST"),
    Page(path="/sign-out", handle=sign_out, method="POST"),
    Page(path="/language", handle=language, method="POST"),
    Page(path="/look", handle=look, method="POST"),
)
