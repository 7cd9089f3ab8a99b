"""Routes about a subscriber: one shape, under ``/v1/subscribers/{name}`` and, for whoever is asking, ``/v1/me``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from fastapi import APIRouter
from pydantic import BaseModel

from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.access import Caller
from qanat.registry.subscribers import Subscriber, reach

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def both(router: APIRouter, method: str, path: str, shown: type[BaseModel], *, tag: str) -> Callable[[F], F]:
    def route(function: F) -> F:
        for root, owner in (("/v1/subscribers/{name}", "subscriber"), ("/v1/me", "me")):
            router.add_api_route(
                root + path,
                function,
                methods=[method],
                status_code=201 if method == "POST" else 200,
                response_model=shown,
                tags=[tag],
                operation_id=f"{owner}_{cast(Any, function).__name__}",
            )
        return function

    return route


def acting_for(
    caller: Caller, name: str, decide: Callable[[Work, Subscriber], T | Refused]
) -> Callable[[Work], T | Refused]:
    """Make a decision about a subscriber that the caller may act for."""

    def decision(work: Work) -> T | Refused:
        subscriber = reach(work, caller, name)
        return subscriber if isinstance(subscriber, Refused) else decide(work, subscriber)

    return decision
