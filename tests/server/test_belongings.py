"""What belongs to somebody stays with them: every path that names a thing, tried by everybody it does not belong to.

The paths are those of ``/openapi.json``: one that is new is missing in the table here until somebody says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.server.live import Live, interrogation
from tests.server.market import PASSWORD, Market, open_market

KEPT_OUT = (401, 403, 404)

BODIES: dict[str, Any] = {
    "/v1/operators/{operator}/staff": {"name": "intruder", "password": PASSWORD},
    "/v1/subscribers/{name}/base-station-codes": {},
    "/v1/subscribers/{name}/circles": {"name": "friends", "members": ["mallory"]},
    "/v1/subscribers/{name}/codes": {},
    "/v1/subscribers/{name}/demand-orders": {"octets": 1_000_000},
    "/v1/subscribers/{name}/disputes/{dispute}/settlement": {"note": "mine"},
    "/v1/subscribers/{name}/password": {"password": "stolen horse battery"},
    "/v1/subscribers/{name}/pay-ins": {"amount": 100, "currency": "EUR"},
    "/v1/subscribers/{name}/payments": {"to": "mallory", "amount": 1, "currency": "EUR"},
    "/v1/subscribers/{name}/purchases": {"plan": "trip"},
    "/v1/subscribers/{name}/status": {"status": "suspended"},
    "/v1/subscribers/{name}/supply-orders": {"octets": 1_000_000},
    "/v1/subscribers/{name}/terminals": {"binding_code": "7K2M-9QXD-V4TH"},
    "/v1/subscribers/{name}/top-ups": {"octets": 1_000},
    "/v1/subscribers/{name}/vouchers": {"code": "AAAA-BBBB-CCCC-DDDD"},
}
"""What a request that is in order says; where nothing is here it says nothing."""

OPEN_TO_STAFF = {"/v1/settlements/{period}", "/v1/settlements/{period}/files/{operator}"}
"""Operators clear with each other: each sees its own part, which has a test of its own (``test_exchange``)."""

ENDS = ("/stop", "/withdrawal", "/removal", "/closing", "/status", "/revocation", "/dismissal", "/password")
"""What ends something, in an order in which each can still be tried."""
NOT_MADE = ("dsp-1", "smf.south.example", "file of south", "binding code", "voucher")
"""Things that this market has none of; whoever may see them is told so."""


@pytest.fixture
def market(live: Live) -> Market:
    return open_market(live)


@pytest.fixture
def things(market: Market, live: Live) -> dict[str, str]:
    """One thing of each kind, by the name it has in a path: bob's of south, or of carol's of west."""
    live.done("/v1/plans", {"name": "trip", "octets": 1_000_000, "valid_days": 7, "price": 0, "operator": "south"})
    order = market.does("bob", "/supply-orders", {"octets": 1_000_000})["order"]
    demand = market.does("bob", "/demand-orders", {"octets": 1_000_000})["order"]
    live.done("/v1/voucher-batches", {"batch": "b1", "count": 1, "octets": 1_000, "operator": "south"})
    live.done("/v1/subscribers/bob/top-ups", {"octets": 5_000_000})
    opened = market.bob.send("POST", "/v1/agent/interrogations", interrogation("s-1", 0, "first"))
    assert opened.status_code == 200, opened.text
    live.done("/v1/operators/south/staff", {"name": "sigrid", "password": PASSWORD})
    return {
        "name": "bob",
        "order": order,
        "demand": demand,
        "operator": "south",
        "member": "sigrid",
        "origin_host": "smf.south.example",
        "plan": "trip",
        "session": "s-1",
        "period": "2023-11",
        "dispute": "dsp-1",
        "batch": "b1",
        "terminal": market.bob.id,
        "base_station": market.station.id,
    }


def test_every_path_that_names_a_thing_is_shut_to_those_it_does_not_belong_to(
    market: Market, live: Live, things: dict[str, str]
) -> None:
    strangers = _strangers(live)
    before = live.get("/v1/subscribers/bob/balance").json()
    for method, template in _paths(live):
        path, body = _filled(template, things), BODIES.get(template)
        for who, token in strangers.items():
            if who == "staff of another operator" and template in OPEN_TO_STAFF:
                continue
            answer = _ask(live, method, path, body, token)
            kept_out = answer.status_code in KEPT_OUT or _says_nothing(answer)
            assert kept_out, f"{who}: {method} {template} → {answer.status_code} {answer.text}"
        answer = market.station.send(method.upper(), path, body)
        assert answer.status_code in KEPT_OUT, f"another's device: {method} {template} → {answer.status_code}"
    assert live.get("/v1/subscribers/bob/balance").json() == before
    assert live.get("/v1/terminals").json()["terminals"][0]["state"] == "enrolled"


def test_the_same_requests_are_in_order_for_whoever_may(market: Market, live: Live, things: dict[str, str]) -> None:
    """Else the test above would show nothing: a request that nobody may send is refused to everybody."""
    for method, template in _paths(live):
        token = market.tokens["bob"] if template.startswith("/v1/me/") else live.token
        answer = _ask(live, method, _filled(template, things), BODIES.get(template), token)
        named_only_here = answer.status_code == 404 and any(name in answer.text for name in NOT_MADE)
        in_order = answer.status_code not in (401, 403, 404, 422) and not _says_nothing(answer)
        assert in_order or named_only_here, f"{method} {template} → {answer.status_code} {answer.text}"


def _says_nothing(answer: httpx2.Response) -> bool:
    """Why a session was refused is told to staff of other operators as of one that never was: with nothing in it."""
    said = answer.json() if answer.status_code == 200 else {}
    return "steps" in said and not any(said[name] for name in ("sessions", "steps", "refusals", "balances"))


def _strangers(live: Live) -> dict[str, str]:
    live.done("/v1/operators", {"name": "east"})
    live.done("/v1/operators/east/staff", {"name": "elsa", "password": PASSWORD})
    for name, operator in (("mallory", "east"), ("sally", "south")):
        live.done("/v1/subscribers", {"name": name, "operator": operator, "password": PASSWORD})
    tokens = {
        name: live.done("/v1/sign-in", {"name": name, "password": PASSWORD}, token="")["token"]
        for name in ("mallory", "sally")
    }
    staff = live.done("/v1/sign-in", {"name": "elsa", "password": PASSWORD}, token="")["token"]
    return {
        "nobody": "",
        "somebody with a made-up token": "qnt_" + "x" * 43,
        "a subscriber of another operator": tokens["mallory"],
        "a subscriber of the same operator": tokens["sally"],
        "staff of another operator": staff,
    }


def _paths(live: Live) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of everything that names a thing; what ends it for good comes last."""
    found = [
        (method, path)
        for path, operations in live.get("/openapi.json").json()["paths"].items()
        if "{" in path
        for method in operations
    ]
    assert len(found) > 40, "the interface describes itself"
    yield from sorted(found, key=lambda one: (one[0] != "get", _rank(one[1])))


def _rank(path: str) -> int:
    return max((rank for rank, end in enumerate(ENDS, 1) if path.endswith(end)), default=0)


def _filled(template: str, things: dict[str, str]) -> str:
    id = things["base_station"] if template.startswith("/v1/base-stations/") else things["terminal"]
    order = things["demand" if "/demand-orders/" in template else "order"]
    return template.format(**things | {"id": id, "order": order})


def _ask(live: Live, method: str, path: str, body: Any, token: str) -> httpx2.Response:
    return live.get(path, token=token) if method == "get" else live.post(path, body, token=token)
