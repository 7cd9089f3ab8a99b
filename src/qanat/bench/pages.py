"""``qanat bench console``: how soon the console answers, with many subscribers and many live sessions.

A server of its own on a database filled beforehand. Each page is asked for again and again by one person, as a browser
would: the operators' pages by an administrator, the subscribers' by one who is online; the search with words that differ
each time. What is measured is the whole answer, from the first octet asked to the last one got.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import quote

import httpx2
import msgspec

from qanat.bench.server import OwnServer
from qanat.charging.credit_control import interrogate
from qanat.charging.interrogation import Ask, Interrogation
from qanat.charging.quota import Policy
from qanat.charging.session import Event
from qanat.errors import Fault
from qanat.exchange.identity import issue
from qanat.ids import SessionId
from qanat.ledger.work import Work
from qanat.registry.names import claim, imsi_owner, msisdn_owner, sign_in_name_owner, subscriber_owner
from qanat.registry.operators import HOME, create_operator
from qanat.registry.subscribers import Subscriber
from qanat.registry.wallets import top_up
from qanat.server.settings import Settings
from qanat.store.store import Store, open_store
from qanat.system import SystemClock, fresh_token
from qanat.units import Octets

PAGES: Final = (
    "/ops",
    "/ops/subscribers",
    "/ops/subscribers?after=s-050000",
    "/ops/subscribers/s-000001",
    "/ops/refusals",
    "/ops/reservations",
    "/ops/plans",
    "/ops/vouchers",
    "/ops/sims",
    "/ops/base-stations",
    "/ops/peers",
    "/ops/disputes",
    "/ops/settlement",
    "/ops/staff/home",
    "/ops/changes",
)
OWN_PAGES: Final = (
    "/me",
    "/me/left",
    "/me/plans",
    "/me/usage",
    "/me/usage?by=hour",
    "/me/terminals",
    "/me/lend",
    "/me/lend/using",
    "/me/borrow",
    "/me/statement",
    "/me/refusals",
    "/me/account",
)
"""Of a subscriber who is online."""
SEARCH: Final = "/v1/search"
_AT_ONCE: Final = 2000
_GIVEN: Final = Octets(1_000_000_000)


class PageFigure(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    median_ms: float
    slowest_ms: float


class ConsoleFigures(msgspec.Struct, frozen=True, kw_only=True):
    subscribers: int
    live_sessions: int
    pages: list[PageFigure]
    search: PageFigure
    conserved: bool


async def fill(data: Path, *, subscribers: int, sessions: int, tell: Callable[[str], None]) -> None:
    """Make a database with so many subscribers, the first of which are online."""
    store = await open_store(f"sqlite:///{data / 'qanat.db'}", SystemClock())
    begun = time.perf_counter()
    await store.decide(lambda work: create_operator(work, name=HOME))
    for first in range(0, subscribers, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, subscribers))
        await asyncio.gather(*(store.decide(partial(_register, number=number)) for number in numbers))
    for number in range(min(sessions, subscribers)):
        await _go_online(store, number, Settings().policy())
    await store.close()
    tell(f"{subscribers:,} subscribers and {sessions:,} sessions made in {time.perf_counter() - begun:.1f} s")


def measure(data: Path, *, times: int, subscribers: int, tell: Callable[[str], None]) -> ConsoleFigures:
    """Ask a server on this database for each page so many times, and for as many searches. Raises Fault."""
    server = OwnServer(data)
    try:
        tell(f"server {server.pid} on http={server.addresses['http']}, data in {data}")
        with server.api() as api, server.api() as own:
            api.cookies.set("qanat", server.token)
            pages = [_figure(path, (_timed(api, path) for _ in range(times))) for path in PAGES]
            own.cookies.set("qanat", _signed_in(api, "s-000001"))
            pages += [_figure(path, (_timed(own, path) for _ in range(times))) for path in OWN_PAGES]
            words = islice(_words(subscribers), times)
            found = _figure(SEARCH, (_timed(api, f"{SEARCH}?q={quote(word)}") for word in words))
            live = api.get("/v1/pulse").json()["live"]
            conserved = bool(api.get("/v1/audit").json()["balanced"])
        return ConsoleFigures(
            subscribers=subscribers, live_sessions=live, pages=pages, search=found, conserved=conserved
        )
    finally:
        server.stop()


def _register(work: Work, number: int) -> None:
    """Create a subscriber without asking whether its names are free: the database is new."""
    name = f"s-{number:06}"
    owner = subscriber_owner(name)
    imsi, msisdn = f"00101{number:010}", f"49151{number:08}"
    for page in (sign_in_name_owner(name), imsi_owner(imsi), msisdn_owner(msisdn)):
        claim(work, page, holder=owner)
    work.put(
        Subscriber(
            owner=owner, id=name, operator=HOME, imsi=imsi, msisdn=msisdn, created_at=work.now, display_name=name
        )
    )


async def _go_online(store: Store, number: int, policy: Policy) -> None:
    name = f"s-{number:06}"
    owner = subscriber_owner(name)

    def decide(work: Work) -> None:
        subscriber = work.get(Subscriber, owner, name)
        assert subscriber is not None, f"{name} was registered before"
        issue(work, owner)
        top_up(work, subscriber, octets=_GIVEN, valid_days=30, bucket=f"bkt-{number}")
        asked = Interrogation(
            session=SessionId(f"live-{number:06}"),
            owner=owner,
            event=Event.FIRST,
            number=0,
            digest=number,
            front="agent",
            holder=f"trm-{number}",
            uses=(),
            asks=(Ask(wanted=None),),
        )
        interrogate(work, policy, asked)

    await store.decide(decide)


def _words(subscribers: int) -> Iterator[str]:
    """Yield words to search for: names, beginnings of them, IMSIs, numbers, and what is not there."""
    number = 0
    while True:
        number = (number + 7919) % max(1, subscribers)
        yield f"s-{number:06}"
        yield f"s-{number:06}"[:5]
        yield f"00101{number:010}"[:12]
        yield f"+49151{number:08}"
        yield f"nobody-{number}"


def _signed_in(api: httpx2.Client, name: str) -> str:
    """Return the token of a subscriber who got a password and signed in with it."""
    password = fresh_token()
    for path, body in (
        (f"/v1/subscribers/{name}/password", {"password": password}),
        ("/v1/sign-in", {"name": name, "password": password}),
    ):
        answer = api.post(path, json=body)
        if not answer.is_success:
            raise Fault(f"{path} answered {answer.status_code}")
    return str(answer.json()["token"])


def _timed(api: httpx2.Client, path: str) -> float:
    begun = time.perf_counter()
    answer = api.get(path)
    if answer.status_code != 200:
        raise Fault(f"{path} answered {answer.status_code}")
    return (time.perf_counter() - begun) * 1000


def _figure(path: str, took_ms: Iterator[float]) -> PageFigure:
    found = list(took_ms)
    return PageFigure(path=path, median_ms=round(median(found), 1), slowest_ms=round(max(found), 1))
