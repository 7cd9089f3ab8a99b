"""A subscriber's first page: what is left, as one large honest figure with the buckets it consists of."""

from __future__ import annotations

from starlette.responses import Response

from qanat.server.http.views import BalanceView
from qanat.server.web.pages import render
from qanat.server.web.visit import Visit


async def home(visit: Visit) -> Response:
    return render(visit, "people/home.html", balance=await visit.api.get("/v1/me/balance", BalanceView))
