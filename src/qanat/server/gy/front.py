"""Serving credit control: every request is answered, once, and never later than ``answer_within_s``.

A request is decided when it arrives and answered when that is durable. When more are under way than ``at_once``, or the
database has stopped taking anything, new ones are told at once to go elsewhere (3004): a late answer is worth less than
an early no. What is decided after all is found again by the repeat.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from itertools import count, takewhile
from random import Random
from typing import Any, Final

import structlog

from qanat.clock import Clock
from qanat.errors import Fault
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.server.files import connections_within
from qanat.server.gy import translate
from qanat.server.gy.answers import Reply
from qanat.server.gy.connection import Connection
from qanat.server.gy.house import house_of, identity_of
from qanat.server.gy.peers import Roster
from qanat.server.gy.reading import subscribers_of
from qanat.server.gy.sessions import Places
from qanat.server.gy.telling import Teller
from qanat.server.settings import Settings
from qanat.store.store import Store
from qanat.units import Instant, Millis
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.encode import encode, encode_as
from qanat.wire.diameter.messages import (
    CREDIT_CONTROL,
    ERROR,
    PROXIABLE,
    REQUEST,
    CreditControlRequest,
    ErrorAnswer,
    Message,
    SessionTerminationAnswer,
    SessionTerminationRequest,
)
from qanat.wire.diameter.peer import Peer
from qanat.wire.diameter.results import ResultCode, is_protocol_error

_log: Final = structlog.get_logger("gy")


class Asked:
    """One request under way: the decision about it, and who waits for that to be durable."""

    __slots__ = ("connection", "front", "names", "owner", "quirks", "request")

    def __init__(self, front: Front, connection: Connection, request: CreditControlRequest) -> None:
        self.front = front
        self.connection = connection
        self.request = request
        self.names = subscribers_of(request)
        """The subscriber's, as the request gives them."""
        self.quirks = connection.quirks
        """Of the gateway that asked: behind a relay another may have spoken on the connection since."""
        self.owner: Owner | None = None
        """Whose session it is, where the request names nobody and we found out."""

    def __call__(self, work: Work) -> Reply:
        house = self.front.house
        return translate.answer(work, house, self.quirks, self.request, names=self.names, owner=self.owner)

    def settled(self, result: Reply) -> None:
        self.front.answer(self, result.result_code, result.octets)

    def failed(self, error: Exception) -> None:
        self.front.failed(self, error)


class Front:
    """What all Gy connections share."""

    def __init__(self, store: Store, clock: Clock, settings: Settings, roster: Roster, chance: Random) -> None:
        self.clock = clock
        self.settings = settings.gy
        self._at_once = self.settings.at_once
        self._realm = self.settings.origin_realm
        self._hosts = (None, self.settings.origin_host)
        """What requests for us say that they are for: most, that is, since case does not matter."""
        self.house = house_of(settings)
        self.roster = roster
        self.teller = Teller(self, store)
        self.results: defaultdict[int, int] = defaultdict(int)
        """Answers by Result-Code since the start."""
        self._store = store
        self._places = Places(store)
        self._chance = chance
        self._connections: set[Connection] = set()
        self._decoders: dict[str, Decoder] = {}
        """By Origin-Host, for as long as it is connected."""
        self._most = connections_within(self.settings.connections)
        self._under_way: dict[Asked, float] = {}
        """By age, each with when it arrived."""
        self._stuck = False
        self._outgoing: list[Connection] = []
        """Those that have something to send when the event loop turns."""
        self._alarms: list[tuple[Instant, int, Connection]] = []
        self._order = count()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._persistent = settings.store.database != "memory:"
        self._started_s = clock.now() // 1000
        roster.on_change = self._look_at_peers

    # Requests

    def serve(self, connection: Connection, request: CreditControlRequest) -> None:
        """Decide a request; its answer goes out when that is durable."""
        if self._stuck or len(self._under_way) >= self._at_once:
            self._refuse(connection, request, ResultCode.TOO_BUSY, "too many requests are under way")
            return
        if request.destination_realm != self._realm or request.destination_host not in self._hosts:
            astray = self._astray(request)
            if astray is not None:
                self._refuse(connection, request, *astray)
                return
        if request.origin_host != connection.last_asked:
            self._hear(connection, request)
        asked = Asked(self, connection, request)
        self._under_way[asked] = self._loop.time()
        if asked.names:
            self._store.submit(asked, asked)
        else:
            self.start(self._find_first(asked))

    def _hear(self, connection: Connection, request: CreditControlRequest) -> None:
        """Note who speaks on a connection now. Behind a relay it is the gateway that has quirks, where we know it."""
        host = connection.last_asked = request.origin_host
        connection.quirks = self.roster.quirks_of(host if self.roster.knows(host) else connection.origin_host)
        self.teller.route(host, request.origin_realm, connection)

    def answer(self, asked: Asked, result_code: int, octets: bytes) -> None:
        """Answer a request, unless it was told already to go elsewhere."""
        self._stuck = False
        if self._under_way.pop(asked, None) is not None:
            self.results[result_code] += 1
            asked.connection.send(octets)

    def failed(self, asked: Asked, error: Exception) -> None:
        if isinstance(error, Fault):
            code, sentence = ResultCode.TOO_BUSY, "the request could not be stored; nothing of it took effect"
            _log.error("fault", fault=str(error))
        else:
            code, sentence = ResultCode.UNABLE_TO_COMPLY, "the server made a mistake; it is logged"
            _log.error("mistake of ours", session=asked.request.session_id, exc_info=error)
        self.answer(asked, code, self._error(asked.request, code, sentence))

    def deliver(self, connection: Connection, message: Message) -> None:
        """Take a message that is no credit-control request."""
        if not message.flags & REQUEST:
            self.teller.answered(connection, message)
        elif isinstance(message, SessionTerminationRequest):
            connection.send(encode(self._goodbye(message)))
        else:
            connection.send(self._error(message, ResultCode.COMMAND_UNSUPPORTED, "only clients answer this request"))

    def wake_at(self, at: Instant, connection: Connection) -> None:
        heappush(self._alarms, (at, next(self._order), connection))

    def look_around(self) -> None:
        """Do what is due: called regularly, one timer for however many connections."""
        now = self.clock.now()
        while self._alarms and self._alarms[0][0] <= now:
            at, _, connection = heappop(self._alarms)
            connection.tick(at)
        self._turn_late_away()

    def _turn_late_away(self) -> None:
        limit = self._loop.time() - self.settings.answer_within_s
        for asked, _ in list(takewhile(lambda waiting: waiting[1] < limit, self._under_way.items())):
            self._stuck = True
            del self._under_way[asked]
            self._refuse(asked.connection, asked.request, ResultCode.TOO_BUSY, "the database takes too long")

    async def _find_first(self, asked: Asked) -> None:
        """Find whose session it is, for a gateway that says so in the first request only."""
        try:
            asked.owner = await self._places.owner_of(asked.request.session_id, asked.request.origin_host)
        except Fault as fault:
            asked.failed(fault)
            return
        self._store.submit(asked, asked)

    def _astray(self, request: CreditControlRequest) -> tuple[ResultCode, str] | None:
        realm, host = request.destination_realm, request.destination_host
        if realm.lower() != self.settings.origin_realm.lower():
            return ResultCode.REALM_NOT_SERVED, f"realm {realm} is not served here, {self.settings.origin_realm} is"
        if host is not None and host.lower() != self.settings.origin_host.lower():
            return (
                ResultCode.UNABLE_TO_DELIVER,
                f"{host} is not reached through here; this is {self.settings.origin_host}",
            )
        return None

    def _refuse(self, connection: Connection, request: Message, code: ResultCode, sentence: str) -> None:
        self.results[code] += 1
        connection.send(self._error(request, code, sentence))

    def _error(self, request: Message, code: ResultCode, sentence: str) -> bytes:
        answer = ErrorAnswer(
            flags=request.flags & PROXIABLE | (ERROR if is_protocol_error(code) else 0),
            hop_by_hop=request.hop_by_hop,
            end_to_end=request.end_to_end,
            session_id=getattr(request, "session_id", None),
            result_code=code,
            origin_host=self.settings.origin_host,
            origin_realm=self.settings.origin_realm,
            auth_application_id=CREDIT_CONTROL,
            cc_request_type=getattr(request, "cc_request_type", None),
            cc_request_number=getattr(request, "cc_request_number", None),
            error_message=sentence,
            proxy_infos=getattr(request, "proxy_infos", ()),
        )
        return encode_as(answer, command=request.command, application=request.application)

    def _goodbye(self, request: SessionTerminationRequest) -> SessionTerminationAnswer:
        return SessionTerminationAnswer(
            flags=request.flags & PROXIABLE,
            hop_by_hop=request.hop_by_hop,
            end_to_end=request.end_to_end,
            session_id=request.session_id,
            result_code=ResultCode.SUCCESS,
            origin_host=self.settings.origin_host,
            origin_realm=self.settings.origin_realm,
            proxy_infos=request.proxy_infos,
        )

    # Connections

    def admit(self, connection: Connection) -> bool:
        if len(self._connections) >= self._most:
            return False
        self._connections.add(connection)
        return True

    def new_peer(self, address: Any) -> Peer:
        # Sessions outlive our restarts, so the state id does not grow with them (RFC 6733 §8.16).
        state_id = 1 if self._persistent else self._started_s
        return Peer(
            identity_of(self.settings, address, state_id),
            is_known=self.roster.knows,
            chance=self._chance,
            now=self.clock.now(),
            initiates=False,
            watchdog_interval=Millis(int(self.settings.watchdog_s * 1000)),
            capabilities_within=Millis(int(self.settings.capabilities_s * 1000)),
        )

    def opened(self, connection: Connection) -> None:
        connection.quirks = self.roster.quirks_of(connection.origin_host)
        self.roster.standing_of(connection.origin_host).connections += 1
        self.teller.route(connection.origin_host, connection.origin_realm, connection)
        _log.info("peer connected", peer=connection.origin_host)

    def decoder_of(self, origin_host: str) -> Decoder:
        """Return what reads a peer's messages: what it learnt of them on one connection serves all."""
        return self._decoders.setdefault(origin_host, Decoder())

    def turned_away(self, origin_host: str, origin_realm: str, result_code: int) -> None:
        if result_code == ResultCode.UNKNOWN_PEER:
            self.roster.turned_away(origin_host, origin_realm)
        _log.warning("peer turned away", peer=origin_host, realm=origin_realm, result_code=int(result_code))

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self.left(connection)

    def left(self, connection: Connection) -> None:
        """Forget who spoke on a connection: it is gone, or somebody introduces itself on it again."""
        if connection.origin_host:
            standing = self.roster.standing_of(connection.origin_host)
            standing.connections -= 1
            if not standing.connections:
                self._decoders.pop(connection.origin_host, None)
            self.teller.unroute(connection)
            _log.info("peer gone", peer=connection.origin_host)

    def flush_soon(self, connection: Connection) -> None:
        """Have a connection send what it has when the event loop turns, together with the others."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(connection)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        for connection in outgoing:
            connection.flush()

    @property
    def connections(self) -> set[Connection]:
        return self._connections

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def start(self, errand: Coroutine[Any, Any, None]) -> None:
        """Run something beside the requests, until it is done."""
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def later(self, seconds: float, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something after a while, if we are still there."""
        self._loop.call_later(seconds, lambda: self.start(begin()))

    def _look_at_peers(self) -> None:
        for connection in [one for one in self._connections if one.origin_host]:
            if self.roster.knows(connection.origin_host):
                connection.last_asked = ""  # whoever asks next on it is served by the profile there is now
            else:
                connection.close()
