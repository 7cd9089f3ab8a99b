"""One connection to a neighbour, without I/O: octets and the time in, actions out.

What each event does is the table of ``states``; here is how it is done. Watchdog: RFC 3539 §3.4.1, with one
simplification, that any message proves the peer alive, not only a DWA; its REOPEN state belongs to whoever reconnects.

The caller sends and closes as told, calls ``tick`` at the instant of the last WakeAt, and matches answers to its own
requests by hop-by-hop identifier.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from msgspec import Struct

from qanat.units import SECOND, Instant, Millis, later
from qanat.wire.diameter.courtesies import (
    NO_INBAND_SECURITY,
    Identity,
    courtesy,
    farewell,
    introduction,
    introduction_answer,
    watchdog,
)
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.framer import Framer
from qanat.wire.diameter.messages import (
    RELAY,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerAnswer,
    DisconnectPeerRequest,
    ErrorAnswer,
    Message,
)
from qanat.wire.diameter.reply import refuse
from qanat.wire.diameter.results import Malformed, ResultCode
from qanat.wire.diameter.states import TRANSITIONS, Event, State, Step
from qanat.wire.diameter.values import DisconnectCause
from qanat.wire.diameter.walk import walk

CAPABILITIES_WITHIN: Final = Millis(10 * SECOND)
"""A connection that does not introduce itself by then is closed."""
CLOSING_WITHIN: Final = Millis(5 * SECOND)
WATCHDOG: Final = Millis(30 * SECOND)
"""Tw, RFC 3539 §3.4.1; each interval is moved by up to two seconds either way."""
WATCHDOG_LEAST: Final = Millis(6 * SECOND)
JITTER: Final = Millis(2 * SECOND)
_OPEN: Final = State.OPEN


class Send(Struct, frozen=True):
    octets: bytes


class Opened(Struct, frozen=True):
    """The peer is known and shares an application. ``origin_state_id`` grown since last time: its sessions are lost."""

    origin_host: str
    origin_realm: str
    origin_state_id: int | None


class TurnedAway(Struct, frozen=True):
    """The peer was not accepted: unknown (3010, to be shown to the operator), or nothing in common."""

    origin_host: str
    origin_realm: str
    result_code: int


class Unreadable(Struct, frozen=True):
    """A message could not be read; a request among them has been answered already."""

    fault: Malformed


class WakeAt(Struct, frozen=True):
    """Call ``tick`` then. Replaces the one before."""

    at: Instant


class Close(Struct, frozen=True):
    reason: str


Action = Message | Send | Opened | TurnedAway | Unreadable | WakeAt | Close
"""A message is to be delivered: a request to serve, or the answer to one of ours."""


class _Given(NamedTuple):
    """What came with an event."""

    message: Message | None = None
    fault: Malformed | None = None
    octets: bytes = b""
    cause: DisconnectCause = DisconnectCause.REBOOTING


class Peer:
    """One connection. Every method returns what the caller has to do, in order."""

    def __init__(
        self,
        identity: Identity,
        *,
        is_known: Callable[[str], bool],
        chance: Random,
        now: Instant,
        initiates: bool,
        watchdog_interval: Millis = WATCHDOG,
        capabilities_within: Millis = CAPABILITIES_WITHIN,
    ) -> None:
        assert watchdog_interval >= WATCHDOG_LEAST, "RFC 3539 allows no watchdog under six seconds"
        self.state = State.AWAIT_CEA if initiates else State.AWAIT_CER
        self._identity = identity
        self._is_known = is_known
        self._chance = chance
        self._watchdog = watchdog_interval
        self._framer = Framer()
        self.read: Callable[[bytes], Message] = walk
        """Reads a message or raises Malformed; once open, a decoder may take over, which learns for whoever speaks."""
        self._hop_by_hop = chance.getrandbits(32)
        # Seconds above, chance below: no repeat within four minutes even across a restart (RFC 6733 §3).
        self._end_to_end = (now // 1000 & 0xFFF) << 20 | chance.getrandbits(20)
        self._deadline = later(now, capabilities_within)

    def start(self) -> list[Action]:
        """Begin: an initiator introduces itself, a responder waits."""
        wake = WakeAt(self._deadline)
        return (
            [Send(encode(introduction(self._identity, self.identifiers()))), wake]
            if self.state is State.AWAIT_CEA
            else [wake]
        )

    def receive(self, octets: bytes, now: Instant) -> list[Action]:
        """Take what arrived on the connection."""
        actions: list[Action] = []
        read, quiet_until = self.read, later(now, self._watchdog)
        for whole in self._framer.feed(octets):
            try:
                message = read(whole)
            except Malformed as fault:
                actions += self._happen(Event.MALFORMED, now, _Given(fault=fault, octets=whole))
                continue
            if self.state is _OPEN and type(message) not in _BETWEEN_NEIGHBOURS:
                actions.append(message)  # what the table says too, without asking it for every request
                self._deadline = quiet_until
            else:
                actions += self._happen(self._event(message), now, _Given(message=message))
        if self._framer.fault is not None:
            given = _Given(fault=self._framer.fault, octets=self._framer.torn)
            actions += self._happen(Event.UNFRAMEABLE, now, given)
        return actions

    def tick(self, now: Instant) -> list[Action]:
        """The instant of the last WakeAt has come; calling earlier is harmless."""
        if now < self._deadline:
            return [] if self.state is State.CLOSED else [WakeAt(self._deadline)]
        return self._happen(Event.TIMER, now, _Given())

    def stop(self, cause: DisconnectCause, now: Instant) -> list[Action]:
        """Take leave: DPR, and the close comes when it is answered or too late."""
        return self._happen(Event.STOP, now, _Given(cause=cause))

    def lost(self, now: Instant) -> list[Action]:
        """The connection is gone."""
        return self._happen(Event.LOST, now, _Given())

    def identifiers(self) -> tuple[int, int]:
        """Return hop-by-hop and end-to-end identifiers for a new request of ours on this connection."""
        self._hop_by_hop = self._hop_by_hop + 1 & 0xFFFFFFFF
        self._end_to_end = self._end_to_end & 0xFFF00000 | self._end_to_end + 1 & 0xFFFFF
        return self._hop_by_hop, self._end_to_end

    # From message to event

    def _event(self, message: Message) -> Event:
        match message:
            case CapabilitiesExchangeRequest():
                welcome = self._verdict(message) is ResultCode.SUCCESS
                return Event.CER_WELCOME if welcome else Event.CER_REFUSED
            case CapabilitiesExchangeAnswer():
                welcome = message.result_code == ResultCode.SUCCESS and self._is_known(message.origin_host)
                return Event.CEA_WELCOME if welcome else Event.CEA_REFUSED
            case ErrorAnswer() if self.state is State.AWAIT_CEA:
                return Event.CEA_REFUSED
            case _:
                return _EVENTS.get(type(message), Event.TRAFFIC)

    def _verdict(self, request: CapabilitiesExchangeRequest) -> ResultCode:
        """Decide whether to talk to this peer (RFC 6733 §5.3)."""
        if not self._is_known(request.origin_host):
            return ResultCode.UNKNOWN_PEER
        if not request.applications & {*self._identity.applications, RELAY}:
            return ResultCode.NO_COMMON_APPLICATION
        if request.inband_security_ids and NO_INBAND_SECURITY not in request.inband_security_ids:
            return ResultCode.NO_COMMON_SECURITY
        return ResultCode.SUCCESS

    # From event to actions

    def _happen(self, event: Event, now: Instant, given: _Given) -> list[Action]:
        before = self.state
        self.state, step = TRANSITIONS[before, event]
        if self.state is State.CLOSING:
            # Only the first reason to close sets the time for it: a peer that goes on talking does not prolong it.
            self._deadline = self._deadline if before is State.CLOSING else later(now, CLOSING_WITHIN)
        elif self.state is not State.CLOSED:
            self._deadline = later(now, self._interval())
        actions = _STEPS[step](self, given)
        if self.state is not before and self.state is not State.CLOSED:
            actions.append(WakeAt(self._deadline))
        return actions

    def _interval(self) -> Millis:
        """Tw, moved by up to two seconds, so that peers do not all probe at once (RFC 3539 §3.4.1)."""
        return Millis(self._watchdog + self._chance.randint(-JITTER, JITTER))

    def _nothing(self, _: _Given) -> list[Action]:
        return []

    def _welcome(self, given: _Given) -> list[Action]:
        request = given.message
        assert isinstance(request, CapabilitiesExchangeRequest), "only a CER is welcomed"
        opened = Opened(request.origin_host, request.origin_realm, request.origin_state_id)
        return [Send(encode(introduction_answer(self._identity, request, ResultCode.SUCCESS))), opened]

    def _opened(self, given: _Given) -> list[Action]:
        answer = given.message
        assert isinstance(answer, CapabilitiesExchangeAnswer), "only a CEA opens"
        return [Opened(answer.origin_host, answer.origin_realm, answer.origin_state_id)]

    def _turn_away(self, given: _Given) -> list[Action]:
        message = given.message
        if isinstance(message, CapabilitiesExchangeRequest):
            verdict = self._verdict(message)
            away = TurnedAway(message.origin_host, message.origin_realm, verdict)
            return [
                Send(encode(introduction_answer(self._identity, message, verdict))),
                away,
                Close(f"turned away: {verdict.name}"),
            ]
        assert isinstance(message, CapabilitiesExchangeAnswer | ErrorAnswer), "a CER or its answer is turned away"
        away = TurnedAway(message.origin_host, message.origin_realm, message.result_code)
        return [away, Close(f"{message.origin_host} answered {message.result_code}")]

    def _answer_watchdog(self, given: _Given) -> list[Action]:
        return [Send(encode(courtesy(self._identity, DeviceWatchdogAnswer, given.message)))]

    def _answer_disconnect(self, given: _Given) -> list[Action]:
        return [Send(encode(courtesy(self._identity, DisconnectPeerAnswer, given.message)))]

    def _send_watchdog(self, _: _Given) -> list[Action]:
        return [Send(encode(watchdog(self._identity, self.identifiers())))]

    def _send_disconnect(self, given: _Given) -> list[Action]:
        return [Send(encode(farewell(self._identity, self.identifiers(), given.cause)))]

    def _deliver(self, given: _Given) -> list[Action]:
        assert given.message is not None, "traffic is a message"
        return [given.message]

    def _refuse(self, given: _Given) -> list[Action]:
        assert given.fault is not None, "what is refused has a fault"
        us = self._identity
        answer = refuse(given.octets, given.fault, origin_host=us.origin_host, origin_realm=us.origin_realm)
        return [*([Send(answer)] if answer is not None else []), Unreadable(given.fault)]

    def _refuse_and_close(self, given: _Given) -> list[Action]:
        return [*self._refuse(given), Close(str(given.fault))]

    def _close(self, _: _Given) -> list[Action]:
        return [Close("the peer fell silent, or did not keep to the order of things")]


_EVENTS: Final[dict[type[Message], Event]] = {
    DeviceWatchdogRequest: Event.DWR,
    DeviceWatchdogAnswer: Event.DWA,
    DisconnectPeerRequest: Event.DPR,
    DisconnectPeerAnswer: Event.DPA,
}
_BETWEEN_NEIGHBOURS: Final = {*_EVENTS, CapabilitiesExchangeRequest, CapabilitiesExchangeAnswer}
# A step takes what came with the event, also where it needs none of it.
_STEPS: Final[dict[Step, Callable[[Peer, _Given], list[Action]]]] = {
    Step.NOTHING: Peer._nothing,
    Step.WELCOME: Peer._welcome,
    Step.OPENED: Peer._opened,
    Step.TURN_AWAY: Peer._turn_away,
    Step.ANSWER_WATCHDOG: Peer._answer_watchdog,
    Step.SEND_WATCHDOG: Peer._send_watchdog,
    Step.ANSWER_DISCONNECT: Peer._answer_disconnect,
    Step.SEND_DISCONNECT: Peer._send_disconnect,
    Step.DELIVER: Peer._deliver,
    Step.REFUSE: Peer._refuse,
    Step.REFUSE_AND_CLOSE: Peer._refuse_and_close,
    Step.CLOSE: Peer._close,
}
assert _STEPS.keys() == set(Step), "a step without a way to do it"
