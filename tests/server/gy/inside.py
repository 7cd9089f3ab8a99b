"""A front in this process: real connections without sockets, so that a test says when time passes and what arrives when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

from structlog.testing import capture_logs
from tests.server.live import settings_for

from qanat.clock import ManualClock
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.operators import HOME, create_operator
from qanat.registry.peers import accept_peer
from qanat.registry.subscribers import create_subscriber
from qanat.registry.wallets import top_up
from qanat.server.gy.connection import Connection
from qanat.server.gy.front import Front
from qanat.server.gy.peers import Roster
from qanat.store.store import MemoryStore
from qanat.units import Instant, Octets
from qanat.wire.diameter.courtesies import Identity, introduction
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.profiles import Interrogation, avp, request, text, u32
from qanat.wire.diameter.values import CcRequestType

ALICE, BOB = "001010000000001", "001010000000002"
_TURNS: Final = 1_000
"""Of the event loop: many more than a decision takes."""


class Cable(asyncio.Transport):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def write(self, data: Any) -> None:
        self._written += data

    def close(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return "127.0.0.1", 3868

    def messages(self) -> list[bytes]:
        """Take what was written, message by message, however long."""
        found = []
        while self._written:
            length = int.from_bytes(self._written[1:4], "big")
            found.append(bytes(self._written[:length]))
            del self._written[:length]
        return found


class Peer:
    """A gateway or relay on a connection of its own, introduced."""

    def __init__(self, front: Front, host: str) -> None:
        self.cable = Cable()
        self.identity = Identity(
            origin_host=host, origin_realm="test", addresses=(b"\x00\x01\x7f\x00\x00\x01",), origin_state_id=1
        )
        self.connection = Connection(front)
        self.connection.connection_made(self.cable)
        self.introduce()

    def introduce(self) -> None:
        self.connection.data_received(encode(introduction(self.identity, (1, 1))))
        assert len(self.cable.messages()) == 1

    async def ask(self, *requests: bytes) -> list[bytes]:
        """Send requests in one piece and return their answers."""
        self.connection.data_received(b"".join(requests))
        answers: list[bytes] = []
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            answers += self.cable.messages()
            if len(answers) >= len(requests):
                return answers
        raise AssertionError(f"{len(requests)} requests and {len(answers)} answers")


class Inside:
    def __init__(self, store: MemoryStore, clock: ManualClock, roster: Roster) -> None:
        self.store = store
        self.clock = clock
        self.roster = roster
        self.front = Front(store, clock, settings_for(Path(), store={"database": "memory:"}), roster, Random(1))


@asynccontextmanager
async def inside(
    profiles: dict[str, str], *, subscribers: dict[str, str], octets: int = 10**9, clock: ManualClock | None = None
) -> AsyncIterator[Inside]:
    """Serve peers by their profiles and subscribers by their IMSI; in the end the books add up and nothing went wrong."""

    def begin(work: Work) -> None:
        create_operator(work, name=HOME)
        for host, profile in profiles.items():
            accept_peer(work, origin_host=host, profile=profile)
        for name, imsi in subscribers.items():
            made = create_subscriber(work, name=name, operator=HOME, imsi=imsi)
            assert not isinstance(made, Refused)
            top_up(work, made, octets=Octets(octets), valid_days=30, bucket="all")

    def fell(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        mistakes.append(context)

    mistakes: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(fell)
    clock = clock or ManualClock()
    store = MemoryStore(clock)
    await store.open()
    await store.decide(begin)
    roster = Roster(store, clock)
    await roster.load()
    served = Inside(store, clock, roster)
    with capture_logs() as logged:
        yield served
    assert [*mistakes, *(one for one in logged if one["log_level"] == "error")] == []
    assert (await store.audit()).problems == []
    await store.close()


def ccr(
    kind: int, number: int, *avps: bytes, host: str = "gw.test", session: str = "s", imsi: str = ALICE, place: int = 7
) -> bytes:
    asked = Interrogation(
        kind=CcRequestType(kind),
        number=number,
        session_id=session,
        imsi=imsi,
        at=Instant(0),
        hop_by_hop=place,
        end_to_end=place,
    )
    names = (("Session-Id", session), ("Origin-Host", host), ("Origin-Realm", "test"))
    named = avp("Subscription-Id", u32("Subscription-Id-Type", 1), text("Subscription-Id-Data", imsi))
    return request(
        asked,
        *(text(name, value) for name, value in names),
        text("Destination-Realm", "qanat.test"),
        u32("Auth-Application-Id", 4),
        text("Service-Context-Id", "32251@3gpp.org"),
        u32("CC-Request-Type", kind),
        u32("CC-Request-Number", number),
        *([named] if imsi else []),
        *avps,
    )
