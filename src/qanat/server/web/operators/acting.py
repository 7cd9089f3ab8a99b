"""How a button of an operator's page becomes a command of the interface: done and shown, or the form again with why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from qanat.server.web.api import Turned
from qanat.server.web.forms import bad
from qanat.server.web.pages import Again, redirect
from qanat.server.web.people.fields import text
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


def whole(visit: Visit, name: str, otherwise: int) -> int:
    """Return a whole number, or what an empty field means. Raises Turned."""
    written = text(visit, name)
    if not written:
        return otherwise
    if not written.isdecimal() or len(written) > 15:
        detail = visit.say("{text} is no whole number.", text=repr(written[:40]))
        raise Turned(bad(name, detail, visit.say("Write digits only.")))
    return int(written)


def only(**fields: Any) -> dict[str, Any]:
    """Leave out what was not filled in."""
    return {name: value for name, value in fields.items() if value not in (None, "")}
