"""How a button of an operator's page becomes a command of the interface: done and shown, or the form again with why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from qanat.registry.operators import HOME
from qanat.server.web.api import Turned
from qanat.server.web.pages import Again, redirect
from qanat.server.web.visit import Visit


async def act(
    visit: Visit, path: str, body: Callable[[], dict[str, Any]], shown: type[BaseModel], *, then: str, again: Again
) -> Response:
    """Have a command carried out and go on to ``then``; refused, or with a field that can't be read, show ``again``."""
    try:
        await visit.api.post(path, body(), shown, once=visit.once)
    except Turned as turned:
        return await again(visit, turned.problem)
    return redirect(then)


def only(**fields: Any) -> dict[str, Any]:
    """Leave out what was not filled in."""
    return {name: value for name, value in fields.items() if value not in (None, "")}


def own_operator(visit: Visit) -> str:
    """Return the operator that a member of staff works for; an administrator begins with the one of the first start."""
    assert visit.caller is not None, "the page is for staff"
    return visit.caller.operator or HOME
