"""What the books say: disputes, settlement between operators, the audit, and who changed what."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.responses import Response

from qanat.server.http.spelling import PERIOD
from qanat.server.http.views.clearing import SettlementView
from qanat.server.http.views.house import ChangeList, Verdict
from qanat.server.http.views.trades import DisputeList, DisputeView
from qanat.server.web import figures
from qanat.server.web.api import Turned, segment
from qanat.server.web.operators.acting import act
from qanat.server.web.operators.flow import Words, draw
from qanat.server.web.operators.spoken import UNITS
from qanat.server.web.pages import redirect, render
from qanat.server.web.people.fields import text
from qanat.server.web.visit import Visit
from qanat.units import format_instant, format_size
from qanat.wire.agent import Problem

_ROWS: Final = 50
_OCTETS: Final = frozenset({"octets", "carried-octets"})


async def disputes(visit: Visit, problem: Problem | None = None) -> Response:
    after = visit.request.query_params.get("after", "")
    found = await visit.api.get("/v1/disputes", DisputeList, limit=_ROWS, after=after)
    shown = {"disputes": found.disputes, "next": found.next, "first": not after, "problem": problem}
    return render(visit, "operators/disputes.html", problem.status if problem else 200, **shown)


async def note_dispute(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        return {"note": text(visit, "note")}

    supplier, dispute = segment(text(visit, "supplier")), segment(text(visit, "dispute"))
    path = f"/v1/subscribers/{supplier}/disputes/{dispute}/settlement"
    return await act(visit, path, body, DisputeView, then="/ops/disputes", again=disputes)


async def settlement(visit: Visit, problem: Problem | None = None) -> Response:
    asked = visit.request.query_params.get("period", "") or visit.form.get("period", "")
    period = asked if re.fullmatch(PERIOD, asked) else format_instant(visit.now)[:7]
    found = await visit.api.get(f"/v1/settlements/{period}", SettlementView)
    units = sorted({one.unit for one in found.positions})
    flows = [
        (unit, draw([one for one in found.transfers if one.unit == unit], words=_words(visit, unit))) for unit in units
    ]
    return render(
        visit,
        "operators/settlement.html",
        problem.status if problem else 200,
        found=found,
        flows=flows,
        titles=UNITS,
        amount=_amount,
        problem=problem,
    )


async def close(visit: Visit) -> Response:
    period = segment(text(visit, "period"))
    try:
        await visit.api.post(f"/v1/settlements/{period}/closing", {}, SettlementView, once=visit.once)
    except Turned as turned:
        return await settlement(visit, turned.problem)
    return redirect(f"/ops/settlement?period={period}")


async def settlement_file(visit: Visit) -> Response:
    period, operator = (segment(visit.request.path_params[part]) for part in ("period", "operator"))
    said = await visit.api.file(f"/v1/settlements/{period}/files/{operator}")
    headers = {"content-disposition": f'attachment; filename="{operator}-{period}.csv"'}
    return Response(said.body, 200, headers, "text/csv")


async def audit(visit: Visit) -> Response:
    return render(visit, "operators/audit.html")


async def verdict(visit: Visit) -> Response:
    """The audit takes its time; the page around it is there at once."""
    found = await visit.api.get("/v1/audit", Verdict)
    template = "operators/verdict.html" if "hx-request" in visit.request.headers else "operators/audit.html"
    return render(visit, template, verdict=found, at=format_instant(visit.now))


async def changes(visit: Visit) -> Response:
    after = visit.request.query_params.get("after", "")
    found = await visit.api.get("/v1/changes", ChangeList, limit=_ROWS, after=after)
    return render(visit, "operators/changes.html", changes=found.changes, next=found.next, first=not after)


def _words(visit: Visit, unit: str) -> Words:
    return Words(
        pays=lambda amount: visit.say("pays {amount}", amount=_amount(amount, unit)),
        gets=lambda amount: visit.say("gets {amount}", amount=_amount(amount, unit)),
    )


def _amount(amount: int, unit: str) -> str:
    if unit in _OCTETS:
        return format_size(amount)
    return str(figures.money(amount, unit).striptags())
