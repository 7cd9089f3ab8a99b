"""Subscribers: found, looked into, topped up, suspended."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from qanat.server.http.views.people import SubscriberList, SubscriberView
from qanat.server.http.views.plans import BalanceView, BucketView, WalletView
from qanat.server.http.views.sessions import RefusalList, SessionList
from qanat.server.http.views.terminals import TerminalList
from qanat.server.web.api import segment
from qanat.server.web.operators.acting import act, only
from qanat.server.web.pages import render
from qanat.server.web.people.fields import currency, money, size, text, whole
from qanat.server.web.visit import Visit
from qanat.wire.agent import Problem

_ROWS = 50


async def subscribers(visit: Visit, problem: Problem | None = None) -> Response:
    query = visit.request.query_params
    found = await visit.api.get("/v1/subscribers", SubscriberList, limit=_ROWS, after=query.get("after", ""))
    return render(
        visit,
        "operators/subscribers.html",
        problem.status if problem else 200,
        subscribers=found.subscribers,
        next=found.next,
        first="after" not in query,
        problem=problem,
    )


async def create(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        named = {name: text(visit, name) for name in ("name", "display_name", "imsi", "msisdn", "operator")}
        return only(**named)

    then = f"/ops/subscribers/{text(visit, 'name')}"
    return await act(visit, "/v1/subscribers", body, SubscriberView, then=then, again=subscribers)


async def subscriber(visit: Visit, problem: Problem | None = None) -> Response:
    root = _root(visit)
    sessions = (await visit.api.get(f"{root}/sessions", SessionList)).sessions
    refusals = (await visit.api.get(f"{root}/refusals", RefusalList)).refusals
    return render(
        visit,
        "operators/subscriber.html",
        problem.status if problem else 200,
        who=await visit.api.get(root, SubscriberView),
        balance=await visit.api.get(f"{root}/balance", BalanceView),
        terminals=(await visit.api.get(f"{root}/terminals", TerminalList)).terminals,
        sessions=sorted(sessions, key=lambda one: one.last_at, reverse=True)[:_ROWS],
        refusals=sorted(refusals, key=lambda one: one.at, reverse=True)[:_ROWS],
        problem=problem,
    )


async def top_up(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        return {"octets": size(visit, "octets") or 0, "valid_days": whole(visit, "valid_days", 30)}

    return await act(visit, f"{_root(visit)}/top-ups", body, BucketView, then=_page(visit), again=subscriber)


async def pay_in(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        return {"amount": money(visit, "amount") or 0, "currency": currency(visit)}

    return await act(visit, f"{_root(visit)}/pay-ins", body, WalletView, then=_page(visit), again=subscriber)


async def change_status(visit: Visit) -> Response:
    def body() -> dict[str, Any]:
        return {"status": text(visit, "status")}

    return await act(visit, f"{_root(visit)}/status", body, SubscriberView, then=_page(visit), again=subscriber)


def _root(visit: Visit) -> str:
    return f"/v1/subscribers/{segment(visit.request.path_params['name'])}"


def _page(visit: Visit) -> str:
    return f"/ops/subscribers/{visit.request.path_params['name']}"
