"""What a device asks reaches its handler only with a name to it: that of the terminal, the base station, or the new key.

Whoever is not let in is refused here; a stranger's refusal is counted and not remembered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from qanat.refusals import Refusal, Refused
from qanat.server.http.admission import Admission
from qanat.server.http.effects import refuse
from qanat.server.http.services import Services, services_of
from qanat.wire.agent import Enrolment
from qanat.wire.base_station import BaseStationEnrolment

B = TypeVar("B", Enrolment, BaseStationEnrolment)

Asked = Callable[[Services, str, bytes], Awaitable[Response]]
"""Answers a request, told who signed it and its body."""
Endpoint = Callable[[Request], Awaitable[Response]]


def from_terminal(asked: Asked) -> Endpoint:
    """Answer enrolled terminals."""
    return _from(Admission.terminal, asked)


def from_base_station(asked: Asked) -> Endpoint:
    """Answer enrolled base stations."""
    return _from(Admission.base_station, asked)


def from_bearer(kind: type[B]) -> Callable[[Callable[[Services, B], Awaitable[Response]]], Endpoint]:
    """Answer whoever signs with the key that such a message brings along: who comes to enrol holds both halves of it."""
    decode = msgspec.json.Decoder(kind).decode

    def told(asked: Callable[[Services, B], Awaitable[Response]]) -> Endpoint:
        @wraps(asked)
        async def of_bearer(services: Services, key: str, body: bytes) -> Response:
            brought = decode(body)
            if brought.public_key != key:
                return await refuse(services, Refused(Refusal.WRONG_SIGNATURE, {"key_id": brought.public_key}))
            return await asked(services, brought)

        return _from(_bearer, of_bearer)

    return told


def _from(who: Callable[[Admission, Request, bytes], Awaitable[str | Refused]], asked: Asked) -> Endpoint:
    @wraps(asked)
    async def endpoint(request: Request) -> Response:
        services, body = services_of(request), await request.body()
        name = await who(services.admission, request, body)
        return await refuse(services, name) if isinstance(name, Refused) else await asked(services, name, body)

    return endpoint


async def _bearer(admission: Admission, request: Request, body: bytes) -> str | Refused:
    return admission.bearer(request, body)
