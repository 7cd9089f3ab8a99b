"""What a base station answers to the devices on its access side.

``/`` and its forms are for people, ``/captive-portal`` for their operating systems (RFC 8908; RFC 8910 says how its
address is announced), ``/v1/…`` for terminals. Whoever asks is known by the address he asks from, which is bound to his
link address once he is admitted; a plain HTTP request that was on its way elsewhere is led to the page.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Hashable
from http import HTTPStatus
from typing import Final

import msgspec

from qanat.agents.base_station.http import Answer, Bad, Request
from qanat.agents.base_station.identity import Identity
from qanat.agents.base_station.page import Reader, page
from qanat.agents.base_station.page_looks import SCRIPT
from qanat.agents.base_station.run import BaseStation
from qanat.agents.base_station.said import Here, SessionView, no_price
from qanat.agents.base_station.session import Session
from qanat.languages import LANGUAGES, choose
from qanat.units import parse_money
from qanat.wire.agent import Problem, RefusalBody
from qanat.wire.base_station import Admission, SignedPresentation, Wish

CAPTIVE: Final = "/captive-portal"
_PRICE: Final = re.compile(r"([\d.]+)\s*([A-Za-z]{3})?", re.ASCII)
_presentation: Final = msgspec.json.Decoder(SignedPresentation)

Route = Callable[["Portal", Request], Awaitable[Answer]]


class Captive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="kebab"):
    """RFC 8908 §5."""

    captive: bool
    user_portal_url: str
    venue_info_url: str
    can_extend_session: bool = False
    bytes_remaining: int | None = None


class Portal:
    def __init__(self, station: BaseStation, identity: Identity) -> None:
        self._station = station
        self._identity = identity
        self._asking: set[Hashable] = set()

    async def answer(self, request: Request) -> Answer:
        if not request.is_for_us:
            return Answer(status=HTTPStatus.FOUND, headers={"location": f"{request.origin}/"})
        if request.method != "GET" and request.is_from_elsewhere:
            raise Bad(HTTPStatus.FORBIDDEN)
        route = ROUTES.get((request.method, request.path))
        if route is None:
            known = any(path == request.path for _, path in ROUTES)
            raise Bad(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)
        return await route(self, request)

    # For people

    async def home(self, request: Request) -> Answer:
        return _html(page(self._here(request), self._reader(request)))

    async def join(self, request: Request) -> Answer:
        form = request.form()
        outcome = await self._answer(form, request)
        if isinstance(outcome, Session):
            return _home(request)
        shown = msgspec.structs.replace(self._here(request), session=None, refusal=outcome)
        return _html(page(shown, self._reader(request, form)), HTTPStatus.FORBIDDEN)

    async def leave(self, request: Request) -> Answer:
        self._station.leave(request.peer)
        return _home(request)

    async def script(self, _request: Request) -> Answer:
        return Answer(kind="text/javascript; charset=utf-8", body=SCRIPT.encode())

    # For operating systems

    async def captive(self, request: Request) -> Answer:
        session = self._station.guests.at(request.peer)
        view = None if session is None else _view(session)
        is_open = view is not None and view.open
        said_so = Captive(
            captive=not is_open,
            user_portal_url=f"{request.origin}/",
            venue_info_url=f"{request.origin}/",
            can_extend_session=is_open,
            bytes_remaining=max(0, view.bound - view.up - view.down) if view is not None and is_open else None,
        )
        return Answer(kind="application/captive+json", body=msgspec.json.encode(said_so))

    # For terminals

    async def here(self, request: Request) -> Answer:
        return _json(self._here(request))

    async def present(self, request: Request) -> Answer:
        try:
            presentation = _presentation.decode(request.body)
        except msgspec.DecodeError as error:
            raise Bad(HTTPStatus.BAD_REQUEST) from error
        outcome = await self._admit(Admission(presentation=presentation), request)
        return _json(outcome.visit.admitted) if isinstance(outcome, Session) else _problem(outcome)

    async def depart(self, request: Request) -> Answer:
        self._station.leave(request.peer)
        return _json(self._here(request))

    # Shared

    async def _answer(self, form: dict[str, str], request: Request) -> Session | RefusalBody:
        wish = _wish(form)
        if isinstance(wish, RefusalBody):
            return wish
        return await self._admit(Admission(passcode=form.get("passcode", ""), wish=wish), request)

    async def _admit(self, asked: Admission, request: Request) -> Session | RefusalBody:
        """One question from one device at a time: guessing passcodes is slow work."""
        device = self._station.device(request.peer)
        if device in self._asking:
            raise Bad(HTTPStatus.TOO_MANY_REQUESTS)
        self._asking.add(device)
        try:
            return await self._station.admit(asked, request.peer)
        finally:
            self._asking.discard(device)

    def _reader(self, request: Request, filled: dict[str, str] | None = None) -> Reader:
        chosen = request.asked().get("language", "")
        return Reader(
            language=choose(chosen, request.headers.get("accept-language", "")),
            server=self._identity.server,
            filled=filled or {},
        )

    def _here(self, request: Request) -> Here:
        session = self._station.guests.at(request.peer)
        return Here(
            base_station=self._identity.base_station,
            identity=self._identity.identity,
            place=self._identity.place,
            operator=self._identity.operator,
            session=None if session is None else _view(session),
            refusal=self._station.guests.ended_why.get(request.peer),
        )


ROUTES: Final[dict[tuple[str, str], Route]] = {
    ("GET", "/"): Portal.home,
    ("POST", "/join"): Portal.join,
    ("POST", "/leave"): Portal.leave,
    ("GET", "/page.js"): Portal.script,
    ("GET", CAPTIVE): Portal.captive,
    ("GET", "/v1/here"): Portal.here,
    ("POST", "/v1/presentations"): Portal.present,
    ("POST", "/v1/departure"): Portal.depart,
}


def _view(session: Session) -> SessionView:
    admitted, counted = session.visit.admitted, session.metered.reading()
    return SessionView(
        trade=admitted.trade,
        state=session.holder.state.name.lower(),
        supplier=admitted.identities.get("supplier", admitted.supplier),
        price_per_gb=admitted.price_per_gb,
        currency=admitted.currency,
        up=counted.up,
        down=counted.down,
        bound=admitted.octets,
        left=max(0, session.metered.ceiling - counted.total),
        open=not session.metered.is_shut,
        refusal=session.refusal,
    )


def _wish(form: dict[str, str]) -> Wish | RefusalBody:
    """Read what a person typed."""
    supplier, most = form.get("supplier") or None, form.get("most", "")
    if not most:
        return Wish(supplier=supplier)
    match = _PRICE.fullmatch(most.replace(",", "."))
    if match is None:
        return no_price(most, "EUR")
    currency = (match[2] or "EUR").upper()
    try:
        return Wish(supplier=supplier, most_per_gb=int(parse_money(match[1], currency)), currency=currency)
    except ValueError:
        return no_price(most, currency)


def _home(request: Request) -> Answer:
    """Go back to the page, in the language that was chosen."""
    chosen = request.asked().get("language", "")
    location = f"/?language={chosen}" if chosen in LANGUAGES else "/"
    return Answer(status=HTTPStatus.SEE_OTHER, headers={"location": location})


def _html(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status=status, kind="text/html; charset=utf-8", body=body)


def _json(body: msgspec.Struct) -> Answer:
    return Answer(kind="application/json", body=msgspec.json.encode(body))


def _problem(why: RefusalBody) -> Answer:
    problem = Problem(
        title="Refused",
        status=HTTPStatus.FORBIDDEN,
        detail=why.sentence,
        reason=why.reason,
        cure=why.cure,
        detail_zh=why.sentence_zh,
        cure_zh=why.cure_zh,
    )
    return Answer(status=HTTPStatus.FORBIDDEN, kind="application/problem+json", body=msgspec.json.encode(problem))
