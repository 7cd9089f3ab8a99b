"""What an operator has on offer: plans, cloud SIMs in the pool, vouchers."""

from __future__ import annotations

import csv
import io
from typing import Any

from starlette.responses import Response

from qanat.server.http.views.plans import PlanList, PlanView
from qanat.server.http.views.terminals import PoolView, SimList
from qanat.server.http.views.vouchers import VoucherBatchList, VoucherBatchView, VoucherList
from qanat.server.web.api import Turned, segment
from qanat.server.web.operators.acting import act, only, own_operator
from qanat.server.web.pages import render
from qanat.server.web.people.fields import currency, money, size, text, whole
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

_ROWS = 50
_SECONDS = {"minutes": 60, "hours": 3600}
_COLUMNS = ("batch", "number", "code", "octets", "valid_days", "amount", "currency", "expires_at")


async def plans(visit: Visit, problem: Problem | None = None) -> Response:
    found = await visit.api.get("/v1/plans", PlanList, limit=_ROWS, after=_after(visit))
    shown = {"plans": found.plans, "next": found.next, "first": not _after(visit), "problem": problem}
    return render(visit, "operators/plans.html", problem.status if problem else 200, **shown)


async def create_plan(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        return only(
            name=text(visit, "name"),
            operator=text(visit, "operator") or own_operator(visit),
            **_amount(visit),
            valid_days=whole(visit, "valid_days", 30),
            price=money(visit, "price"),
            currency=currency(visit),
            stock=whole(visit, "stock", None),
        )

    return await act(visit, "/v1/plans", body, PlanView, then="/ops/plans", again=plans)


def _amount(visit: Visit) -> dict[str, int]:
    """Return how much of which unit a plan holds, in the interface's words. Raises Turned."""
    of = text(visit, "of")
    if of in _SECONDS:
        return {"seconds": whole(visit, "amount", 0) * _SECONDS[of]}
    return {"units": whole(visit, "amount", 0)} if of == "units" else {"octets": size(visit, "amount") or 0}


async def withdraw_plan(visit: Visit) -> Response:
    path = f"/v1/plans/{segment(visit.request.path_params['plan'])}/withdrawal"
    return await act(visit, path, dict, PlanView, then="/ops/plans", again=plans)


async def sims(visit: Visit, problem: Problem | None = None) -> Response:
    found = await visit.api.get("/v1/sims", SimList, limit=_ROWS, after=_after(visit))
    shown = {"sims": found.sims, "pools": found.pools, "next": found.next, "first": not _after(visit)}
    return render(visit, "operators/sims.html", problem.status if problem else 200, problem=problem, **shown)


async def make_sims(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        named = {"operator": text(visit, "operator") or own_operator(visit), "imsi_prefix": text(visit, "imsi_prefix")}
        return only(count=whole(visit, "count", 0), **named)

    return await act(visit, "/v1/sims", body, PoolView, then="/ops/sims", again=sims)


async def vouchers(visit: Visit, problem: Problem | None = None) -> Response:
    found = await visit.api.get("/v1/voucher-batches", VoucherBatchList, limit=_ROWS, after=_after(visit))
    shown = {"batches": found.batches, "next": found.next, "first": not _after(visit), "problem": problem}
    return render(visit, "operators/vouchers.html", problem.status if problem else 200, **shown)


async def batch(visit: Visit) -> Response:
    name = segment(visit.request.path_params["batch"])
    found = await visit.api.get(f"/v1/voucher-batches/{name}/vouchers", VoucherList, limit=_ROWS, after=_after(visit))
    shown: dict[str, Any] = {"batch": name, "vouchers": found.vouchers, "next": found.next, "first": not _after(visit)}
    return render(visit, "operators/batch.html", **shown)


async def create_batch(visit: Visit) -> Response:
    """Make vouchers and show their codes this once: as a sheet to print, or as a file."""
    try:
        made = await visit.api.post("/v1/voucher-batches", _new_batch(visit), VoucherBatchView, once=visit.once)
    except Turned as turned:
        return await vouchers(visit, turned.problem)
    if visit.form.get("as") == "csv":
        headers = {"content-disposition": f'attachment; filename="vouchers-{made.batch}.csv"'}
        return Response(_as_csv(made), 200, headers, "text/csv")
    return render(visit, "operators/sheet.html", batch=made)


async def withdraw_batch(visit: Visit) -> Response:
    path = f"/v1/voucher-batches/{segment(visit.request.path_params['batch'])}/withdrawal"
    return await act(visit, path, dict, VoucherBatchView, then="/ops/vouchers", again=vouchers)


def _new_batch(visit: Visit) -> dict[str, Any]:
    return only(
        batch=text(visit, "batch"),
        operator=text(visit, "operator") or own_operator(visit),
        count=whole(visit, "count", 0),
        octets=size(visit, "octets"),
        amount=money(visit, "amount"),
        valid_days=whole(visit, "valid_days", 30),
        currency=currency(visit),
        good_days=whole(visit, "good_days", 365),
    )


def _as_csv(made: VoucherBatchView) -> str:
    """Return a batch with its codes, one voucher a line (RFC 4180)."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(_COLUMNS)
    for number, code in enumerate(made.codes, 1):
        facts = {**made.model_dump(), "number": number, "code": code}
        writer.writerow([facts[column] for column in _COLUMNS])
    return lines.getvalue()


def _after(visit: Visit) -> str:
    return visit.request.query_params.get("after", "")
