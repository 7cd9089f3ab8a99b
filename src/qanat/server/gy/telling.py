"""Requests of ours: re-authorise when there is more to grant, abort when nothing may be granted (RFC 8506 §5.5, RFC 6733 §8.5).

Some gateways acknowledge a re-authorisation and do nothing; that is noticed, counted and shown to the operator.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from qanat.charging.session import Session, State
from qanat.errors import Fault
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.server.notices import Change
from qanat.store.store import Store
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.messages import (
    CREDIT_CONTROL,
    PROXIABLE,
    REQUEST,
    AbortSessionRequest,
    Message,
    ReAuthAnswer,
    ReAuthRequest,
)
from qanat.wire.diameter.results import ResultCode
from qanat.wire.diameter.values import ReAuthRequestType

if TYPE_CHECKING:
    from qanat.server.gy.connection import Connection
    from qanat.server.gy.front import Front

_log: Final = structlog.get_logger("gy")
_ROUTES: Final = 50_000
_WAITING: Final = 100_000


@dataclass(frozen=True, slots=True)
class Route:
    """The connection that a gateway was last heard on, its own or a relay's."""

    connection: Connection
    realm: str


class Teller:
    def __init__(self, front: Front, store: Store) -> None:
        self._front = front
        self._store = store
        self._routes: OrderedDict[str, Route] = OrderedDict()
        self._hosts: dict[Connection, set[str]] = {}
        """Who is reached over a connection, so that its end costs no look at everybody else's."""
        self._waiting: OrderedDict[tuple[Connection, int], Session] = OrderedDict()
        """Sessions as they were when a re-authorisation was sent, by what its answer will carry."""

    def route(self, origin_host: str, realm: str, connection: Connection) -> None:
        self._forget(origin_host)
        self._routes[origin_host] = Route(connection, realm)
        self._hosts.setdefault(connection, set()).add(origin_host)
        if len(self._routes) > _ROUTES:
            self._forget(next(iter(self._routes)))

    def unroute(self, connection: Connection) -> None:
        for host in self._hosts.pop(connection, ()):
            del self._routes[host]

    def _forget(self, host: str) -> None:
        route = self._routes.pop(host, None)
        if route is not None:
            self._hosts[route.connection].discard(host)

    def on_change(self, owner: Owner, change: Change) -> None:
        """Tell the gateways that serve this subscriber."""
        self._front.start(self._tell(owner, change))

    def answered(self, connection: Connection, message: Message) -> None:
        """Take the answer to a request of ours; a gateway that says yes must come back (RFC 8506 §5.5)."""
        told = self._waiting.pop((connection, message.hop_by_hop), None)
        code = getattr(message, "result_code", None)
        if told is None or not isinstance(message, ReAuthAnswer):
            return
        if code in (ResultCode.SUCCESS, ResultCode.LIMITED_SUCCESS):
            self._front.roster.standing_of(told.holder).told += 1
            self._front.later(self._front.settings.follow_s, partial(self._followed, told))
        else:
            _log.warning("re-authorisation refused", peer=told.holder, session=told.id, result_code=code)

    async def _tell(self, owner: Owner, change: Change) -> None:
        for session in await self._store.decide(partial(_open_sessions, owner=owner)):
            route = self._routes.get(session.holder)
            if route is None:
                _log.info("gateway is not connected", peer=session.holder, session=session.id)
            elif change is Change.BARRED and route.connection.quirks.can_abort:
                self._abort(session, route)
            else:
                self._re_authorise(session, route)

    def _re_authorise(self, session: Session, route: Route) -> None:
        hop_by_hop, end_to_end = route.connection.identifiers()
        request = ReAuthRequest(
            REQUEST | PROXIABLE,
            hop_by_hop,
            end_to_end,
            *self._addressed(session, route),
            re_auth_request_type=ReAuthRequestType.AUTHORIZE_ONLY,
        )
        self._waiting[route.connection, hop_by_hop] = session
        if len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)
        route.connection.send(encode(request))

    def _abort(self, session: Session, route: Route) -> None:
        hop_by_hop, end_to_end = route.connection.identifiers()
        request = AbortSessionRequest(REQUEST | PROXIABLE, hop_by_hop, end_to_end, *self._addressed(session, route))
        route.connection.send(encode(request))

    def _addressed(self, session: Session, route: Route) -> tuple[str, str, str, str, str, int]:
        us = self._front.settings
        return session.id, us.origin_host, us.origin_realm, route.realm, session.holder, CREDIT_CONTROL

    async def _followed(self, told: Session) -> None:
        standing = self._front.roster.standing_of(told.holder)
        try:
            now = await self._store.decide(lambda work: work.get(Session, told.owner, told.id))
        except Fault:
            return
        if now is None or now.newest > told.newest:
            standing.followed += 1
        else:
            standing.ignored += 1
            _log.warning("re-authorisation acknowledged and ignored", peer=told.holder, session=told.id)


def _open_sessions(work: Work, owner: Owner) -> list[Session]:
    return [one for one in work.records(Session, owner).values() if one.front == "gy" and one.state is State.OPEN]
