from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Message
from tests.server.live import settings_for

from qanat.clock import ManualClock
from qanat.ledger.work import Work
from qanat.registry.access import Role, Staff, dismiss, hire, sign_in, sign_out
from qanat.registry.operators import Operator, create_operator
from qanat.registry.sims import SimProfile, profile_range
from qanat.server.http.bodies import NewOperator, SimImport
from qanat.server.http.effects import caller
from qanat.server.http.offices import create_operator as create_operator_route
from qanat.server.http.offices import import_sims
from qanat.server.http.services import Services, make_services
from qanat.store.store import MemoryStore
from qanat.units import HOUR, later

_HASH = "$argon2id$1"
_TOKEN = "t-1"


@pytest.mark.parametrize("how", ["signed out", "dismissed"])
def test_who_is_signed_out_or_dismissed_once_it_was_looked_up_has_no_effect_any_more(tmp_path: Path, how: str) -> None:
    async def story(services: Services) -> None:
        await services.store.decide(lambda work: _staff(work, name="anna", role="administrator"))
        request = _request(services, "/v1/operators")
        anna = await caller(request)
        await services.store.decide(lambda work: _end(work, how, name="anna", operator=""))
        answer = await create_operator_route(NewOperator(name="north"), request, anna)
        assert (answer.status_code, b"signed_out" in answer.body) == (401, True)
        assert await services.store.find(Operator) == []

    _tell(story, tmp_path)


def test_an_import_of_many_decisions_ends_with_the_sign_in_of_who_asked_for_it(tmp_path: Path) -> None:
    async def story(services: Services) -> None:
        await services.store.decide(lambda work: create_operator(work, name="north", display_name=""))
        await services.store.decide(lambda work: _staff(work, name="nora", role="operator", operator="north"))
        request = _request(services, "/v1/sims/import")
        nora = await caller(request)
        await services.store.decide(lambda work: _end(work, "dismissed", name="nora", operator="north"))
        made_up = profile_range(issuer="8999999", imsi_prefix="99970", first=1, count=60)
        rows = "\n".join(f"{one.iccid},{one.imsi}" for one in made_up)
        answer = await import_sims(SimImport(operator="north", csv=f"iccid,imsi\n{rows}"), request, nora)
        assert answer.status_code == 401, answer.body
        assert await services.store.find(SimProfile) == []

    _tell(story, tmp_path)


def _tell(story: Callable[[Services], Awaitable[None]], tmp_path: Path) -> None:
    async def told() -> None:
        clock = ManualClock()
        store = await MemoryStore(clock).open()
        await story(make_services(store=store, clock=clock, settings=settings_for(tmp_path)))
        await store.close()

    asyncio.run(told())


def _staff(work: Work, *, name: str, role: Role, operator: str = "") -> None:
    assert isinstance(hire(work, name=name, role=role, operator=operator, password_hash=_HASH), Staff)
    sign_in(work, name=name, checked=_HASH, token=_TOKEN, until=later(work.now, HOUR))


def _end(work: Work, how: str, *, name: str, operator: str) -> None:
    if how == "dismissed":
        dismiss(work, name=name, operator=operator)
    else:
        sign_out(work, _TOKEN)


def _request(services: Services, path: str) -> Request:
    app = Starlette()
    app.state.services = services
    headers = [(b"authorization", f"Bearer {_TOKEN}".encode())]
    scope = {"type": "http", "app": app, "method": "POST", "path": path, "query_string": b"", "headers": headers}
    return Request(scope, _nothing_more)


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"{}"}
