"""Gateways under load: connections that hold sessions of I + 8 U + T by a real profile, as fast as they are answered.

What varies is filled into stencils, so that the client costs a fraction of the server. A request that was not answered
when the connection broke is sent again with the T flag, as RFC 6733 §5.5.4 has it: it must be charged once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final, Protocol, cast

from qanat.system import SystemClock
from qanat.units import Instant
from qanat.wire.diameter import profiles
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.courtesies import Identity, introduction
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.framer import Framer
from qanat.wire.diameter.leaves import ntp_of
from qanat.wire.diameter.messages import REPEATED, REQUEST, CreditControlAnswer, Message
from qanat.wire.diameter.stencil import stencil
from qanat.wire.diameter.values import CcRequestType

UPDATES: Final = 8
REALM: Final = "bench.test"
_INPUT: Final = 123_456
_OUTPUT: Final = 4_567_890
_CLOCK: Final = SystemClock()
_APART: Final = 10_007
"""Reports differ by up to so many octets each way, as real ones do."""
_GATEWAY: Final = profiles.Gateway(
    origin_host=f"smf.{REALM}", origin_realm=REALM, destination_realm="qanat.test", address=IPv4Address("192.0.2.7")
)
_US: Final = Identity(
    origin_host=_GATEWAY.origin_host,
    origin_realm=REALM,
    addresses=(b"\x00\x01\x7f\x00\x00\x01",),
    origin_state_id=1,
)
_RETRY_S: Final = 0.05


def imsi_of(subscriber: int) -> str:
    return f"00101{subscriber:010}"


@dataclass(slots=True, eq=False)
class Slot:
    """One request under way at a time: a session, and after it the next."""

    index: int
    subscribers: range
    connection: Connection | None = None
    serial: int = -1
    number: int = UPDATES + 1
    session: bytes = b""
    imsi: bytes = b""
    attached: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    """What names the attachment: charging id, address, terminal."""
    used: int = 0
    """Octets that the request under way reports."""
    octets: bytes = b""
    """The request under way, to be sent again if need be."""
    due: float = 0.0
    sent: float = 0.0
    """When it was sent last; it may have been due earlier."""

    @property
    def between_sessions(self) -> bool:
        return self.number > UPDATES


@dataclass(slots=True)
class Load:
    """What the gateways do together, and what came of it."""

    run: int
    seconds: float
    slots: list[Slot]
    until: float = 0.0
    latencies: list[float] = field(default_factory=list)
    acknowledged: int = 0
    refused: int = 0
    put_off: list[float] = field(default_factory=list)
    """How soon each answer came that said only: later."""
    repeated: int = 0
    decoder: Decoder = field(default_factory=Decoder)
    """Of the server's answers."""


class Pace(Protocol):
    def start(self) -> None: ...

    def answered(self, slot: Slot, now: float) -> None: ...


class Connection(asyncio.Protocol):
    """One gateway's connection with its slots; made anew when it broke."""

    def __init__(self, load: Load, pace: Pace, slots: list[Slot]) -> None:
        self._load = load
        self._pace = pace
        self._slots = {slot.index: slot for slot in slots}
        self._framer = Framer()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._end_to_end = 0
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        for slot in slots:
            slot.connection = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(encode(introduction(_US, (1, 1))))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        for octets in self._framer.feed(data):
            message = self._load.decoder.decode(octets)
            if type(message) is CreditControlAnswer:
                self._answered(message)
            elif not self.opened.done():
                self.opened.set_result(None)
                self._repeat()  # at once: whoever hears that we are open sends new requests
            elif not message.flags & REQUEST:  # what the server asks is to part; that it goes is seen anyway
                self._later(message)
        self._flush()

    def send_next(self, slot: Slot, due: float) -> None:
        """Send the slot's next request; its latency counts from when it was due."""
        slot.due = due
        if slot.between_sessions:
            slot.serial += 1
            slot.number = 0
            slot.session = _session_id(self._load.run, slot.index, slot.serial).encode()
            subscriber = slot.subscribers[slot.serial % len(slot.subscribers)]
            slot.imsi, slot.attached = imsi_of(subscriber).encode(), _attached(subscriber)
        else:
            slot.number += 1
        self._end_to_end += 1
        slot.octets = _request(slot, self._end_to_end)
        self._send(slot)

    def _repeat(self) -> None:
        """Send again what was under way when the connection before this one broke."""
        for slot in self._slots.values():
            if slot.octets:
                self._load.repeated += 1
                slot.octets = slot.octets[:4] + bytes((slot.octets[4] | REPEATED,)) + slot.octets[5:]
                self._send(slot)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _answered(self, answer: CreditControlAnswer) -> None:
        slot, now = self._slots[answer.hop_by_hop], time.perf_counter()
        slot.octets = b""
        self._load.latencies.append(now - slot.due)
        services = answer.services
        if answer.result_code == 2001 and (not services or services[0].result_code == 2001):
            self._load.acknowledged += slot.used
        else:
            self._load.refused += 1
        self._pace.answered(slot, now)

    def _later(self, message: Message) -> None:
        """The server was too busy, or its database is away: the same request once more, a moment later."""
        slot = self._slots[message.hop_by_hop]
        self._load.put_off.append(time.perf_counter() - slot.sent)
        self._loop.call_later(_RETRY_S, self._send, slot)

    def _send(self, slot: Slot) -> None:
        slot.sent = time.perf_counter()
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(slot.octets)

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()


class ClosedLoop:
    """Every slot sends its next request when the one before was answered; when time is up, only to end its session."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def start(self) -> None:
        for slot in self._load.slots:
            _send(slot, time.perf_counter())

    def answered(self, slot: Slot, now: float) -> None:
        if now < self._load.until or not slot.between_sessions:
            _send(slot, now)


def due_after(elapsed_s: float, rate: float) -> int:
    """Return how many requests are due by then, the first at once: each may be sent the moment it is due, not one later."""
    return int(elapsed_s * rate) + 1


class OpenLoop:
    """Requests are due at a fixed rate, whether or not earlier ones were answered, as in the world outside.

    When time is up no session begins any more, and those that are open end at the same rate.
    """

    def __init__(self, load: Load, rate: float) -> None:
        self._load = load
        self._rate = rate
        self._idle = deque(load.slots)
        self._waiting: deque[float] = deque()
        self._sent = 0

    def start(self) -> None:
        now = time.perf_counter()
        self.send_due(now)
        if now < self._load.until or not all(slot.between_sessions for slot in self._load.slots):
            asyncio.get_running_loop().call_later(0.001, self.start)

    def send_due(self, now: float) -> None:
        """Send what is due by now and was not sent."""
        is_over, begun = now >= self._load.until, self._load.until - self._load.seconds
        due = due_after(now - begun, self._rate)
        self._waiting.extend(begun + place / self._rate for place in range(self._sent, due))
        self._sent = due
        if is_over:
            self._idle = deque(slot for slot in self._idle if not slot.between_sessions)
        while self._waiting and self._idle:
            _send(self._idle.popleft(), self._waiting.popleft())
        if is_over:
            self._waiting.clear()  # nobody is left to send it

    def answered(self, slot: Slot, now: float) -> None:
        if now >= self._load.until and slot.between_sessions:
            return
        if self._waiting:
            _send(slot, self._waiting.popleft())
        else:
            self._idle.append(slot)


def _send(slot: Slot, due: float) -> None:
    assert slot.connection is not None, "a slot sends when its connection was made"
    slot.connection.send_next(slot, due)


async def drive(load: Load, pace: Pace, *, connections: int, address: Callable[[], Awaitable[str]]) -> None:
    """Hold the load until time is up and every session has ended. ``address`` waits until the server listens."""
    groups = [load.slots[place::connections] for place in range(connections)]
    ended = asyncio.Event()
    keepers = [asyncio.create_task(_keep(load, pace, group, address, ended)) for group in groups]
    while not all(slot.connection and slot.connection.opened.done() for slot in load.slots):  # noqa: ASYNC110 - once
        await asyncio.sleep(_RETRY_S)
    load.until = time.perf_counter() + load.seconds
    pace.start()
    await asyncio.sleep(load.seconds)
    while not all(slot.between_sessions and not slot.octets for slot in load.slots):  # noqa: ASYNC110 - once
        await asyncio.sleep(_RETRY_S)
    ended.set()
    for slot in load.slots:
        if slot.connection is not None:
            slot.connection.close()
    await asyncio.gather(*keepers)


async def _keep(
    load: Load, pace: Pace, slots: list[Slot], address: Callable[[], Awaitable[str]], ended: asyncio.Event
) -> None:
    """Connect, and again whenever the connection breaks."""
    while not ended.is_set():
        host, _, port = (await address()).rpartition(":")
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(load, pace, slots), host, int(port)
            )
        except OSError:
            await asyncio.sleep(_RETRY_S)
            continue
        await connection.lost


def _request(slot: Slot, end_to_end: int) -> bytes:
    """Return the request that a slot sends now, and note what it reports."""
    named = (slot.session, slot.number, ntp_of(_CLOCK.now()), slot.imsi)
    if not slot.number:
        slot.used = 0
        return _FIRST(slot.index, end_to_end, *named, *slot.attached)
    apart = end_to_end % _APART
    slot.used = _INPUT + _OUTPUT + 2 * apart
    fill = _FINAL if slot.number > UPDATES else _UPDATE
    return fill(slot.index, end_to_end, *named, 1 + apart % 60, _INPUT + apart, _OUTPUT + apart, *slot.attached)


def _attached(subscriber: int) -> tuple[bytes, bytes, bytes]:
    number = subscriber.to_bytes(4, "big")
    return number, b"\0\1\x0a" + number[1:], f"35{subscriber:014}".encode()


def _form(kind: CcRequestType) -> Callable[..., bytes]:
    """Return what fills in a request of the Open5GS profile with all that differs from one to the next."""
    asked = profiles.Interrogation(
        kind=kind,
        number=0,
        session_id=_session_id(0, 0, 0),
        imsi=imsi_of(0),
        at=Instant(1_700_000_000_000),
        hop_by_hop=0,
        end_to_end=0,
        input_octets=_INPUT,
        output_octets=_OUTPUT,
        time_s=20,
        destination_host=None if kind is CcRequestType.INITIAL else "ocs.qanat.test",
    )
    usage = () if kind is CcRequestType.INITIAL else ("CC-Time", "CC-Input-Octets", "CC-Output-Octets")
    named = ("Session-Id", "CC-Request-Number", "Event-Timestamp", "Subscription-Id-Data")
    attached = ("3GPP-Charging-Id", "PDP-Address", "User-Equipment-Info-Value")
    return stencil(profiles.open5gs(_GATEWAY, asked), *named, *usage, *attached)


def _session_id(run: int, slot: int, serial: int) -> str:
    return f"{_GATEWAY.origin_host};{run:010};{slot:06};{serial:08}"


_FIRST: Final = _form(CcRequestType.INITIAL)
_UPDATE: Final = _form(CcRequestType.UPDATE)
_FINAL: Final = _form(CcRequestType.TERMINATION)
