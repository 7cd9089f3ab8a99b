"""Live sessions as a stream of events (WHATWG HTML §9.2), for staff that watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from qanat.registry.access import Caller, caller_may_serve
from qanat.server.http.effects import StaffCaller
from qanat.server.http.effects import caller as who_asks
from qanat.server.http.problems import Denied, problem
from qanat.server.http.services import services_of
from qanat.server.http.views.sessions import SessionView
from qanat.server.pulse import WATCHERS, WATCHERS_EACH, Beat, Pulse
from qanat.units import format_instant

router = APIRouter()
_SHOWN: Final = 50
"""Sessions of one event: the fastest."""


class Moment(BaseModel):
    """Sums at one moment."""

    at: str
    live: int
    octets_per_s: int
    reserved: int

    @classmethod
    def of(cls, beat: Beat, caller: Caller) -> Moment:
        return cls(
            at=format_instant(beat.at),
            live=beat.total(beat.live, caller),
            octets_per_s=beat.total(beat.rates, caller),
            reserved=beat.total(beat.reserved, caller),
        )


class PulseView(Moment):
    """Live sessions now: the sums, and the fastest sessions. The first event also carries what was before."""

    complete: bool
    """False where there are more live sessions than are looked at."""
    sessions: list[SessionView]
    past: list[Moment] = []

    @classmethod
    def beside(cls, beat: Beat, caller: Caller, *, pulse: Pulse | None = None) -> PulseView:
        theirs = [one for one, operator in beat.sessions if caller_may_serve(caller, operator)]
        return cls(
            **Moment.of(beat, caller).model_dump(),
            complete=beat.complete,
            sessions=[SessionView.of(one) for one in theirs[:_SHOWN]],
            past=[Moment.of(one, caller) for one in pulse.past] if pulse else [],
        )


@router.get("/v1/pulse", tags=["sessions"])
async def now(request: Request, caller: StaffCaller) -> PulseView:
    """Show live sessions now: how many, how fast, how much is reserved, and the fastest fifty."""
    pulse = services_of(request).pulse
    beat = await pulse.look(by_operator=caller.role != "administrator")
    return PulseView.beside(beat, caller, pulse=pulse)


@router.get("/v1/pulse/stream", response_class=StreamingResponse, tags=["sessions"])
async def stream(request: Request, caller: StaffCaller) -> Response:
    """Stream the same every other second as server-sent events, until signed out."""
    return _Watching(request, caller, services_of(request).pulse)


class _Watching(StreamingResponse):
    """Looks for a place among the watchers and takes it in one step, when it is sent; gives it back however that ends."""

    def __init__(self, request: Request, caller: Caller, pulse: Pulse) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(_events(request, caller, pulse), media_type="text/event-stream", headers=headers)
        self._who, self._pulse = caller.who, pulse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turned_away = _turned_away(self._pulse, self._who)
        if turned_away is not None:
            await turned_away(scope, receive, send)
            return
        with self._pulse.watched_by(self._who):
            await super().__call__(scope, receive, send)


def _turned_away(pulse: Pulse, who: str) -> Response | None:
    again = {"retry-after": "60"}
    if pulse.watches_enough(who):
        detail = f"{who} is watching {WATCHERS_EACH} times already."
        cure = "Close one, or ask /v1/pulse now and then."
        return problem(429, detail, reason="watching_already", cure=cure, headers=again)
    if pulse.full:
        cure = "Try again in a minute, or ask /v1/pulse now and then."
        return problem(503, f"{WATCHERS} are watching already.", reason="overloaded", cure=cure, headers=again)
    return None


async def _events(request: Request, caller: Caller, pulse: Pulse) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    first = True
    async for beat in pulse.beats():
        try:
            await who_asks(request)
        except Denied:
            yield "event: end\ndata: {}\n\n"
            return
        shown = PulseView.beside(beat, caller, pulse=pulse if first else None)
        first = False
        yield f"event: pulse\ndata: {shown.model_dump_json()}\n\n"
