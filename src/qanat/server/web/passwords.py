"""One's own password: what fits, and changing it, which subscribers and staff do alike."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel
from starlette.responses import Response

from qanat.server.web.api import Turned
from qanat.server.web.language import later
from qanat.server.web.pages import Again, explain, redirect
from qanat.server.web.visit import Visit

WHAT_FITS: Final = {"password": later("A password has 8 to 256 characters.")}


async def change(visit: Visit, view: type[BaseModel], *, path: str, page: str, again: Again) -> Response:
    """Have the interface change it at ``path`` and go on to ``page``, which says so; refused, show ``again`` with why."""
    asked = {"current": visit.form.get("current", ""), "password": visit.form.get("password", "")}
    try:
        await visit.api.post(path, asked, view)
    except Turned as turned:
        return await again(visit, explain(visit, turned.problem, WHAT_FITS))
    return redirect(f"{page}?done=changed")
