"""The connection machine, walked: both sides against each other, and every row of its table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
from msgspec.structs import replace as changed
from tests.wire.diameter import samples

from qanat.units import Instant
from qanat.wire.diameter import peer as machine
from qanat.wire.diameter.courtesies import Identity, farewell, introduction, introduction_answer, watchdog
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.messages import (
    CapabilitiesExchangeAnswer,
    CreditControlRequest,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerAnswer,
    ErrorAnswer,
    Message,
    NeighbourAnswer,
)
from qanat.wire.diameter.peer import Action, Close, Opened, Peer, Send, TurnedAway, Unreadable, WakeAt
from qanat.wire.diameter.results import ResultCode
from qanat.wire.diameter.states import TRANSITIONS, Event, State
from qanat.wire.diameter.values import DisconnectCause
from qanat.wire.diameter.walk import walk

T = TypeVar("T")
NOW = Instant(1_700_000_000_000)
SERVER = Identity(
    origin_host="ocs.qanat.test", origin_realm="qanat.test", addresses=(b"\x00\x01\x7f\x00\x00\x01",), origin_state_id=7
)
GATEWAY = replace(SERVER, origin_host="smf.open5gs.test", origin_realm="open5gs.test")
CER = introduction(GATEWAY, (1, 2))
CCR = samples.BUILT["open5gs_first"]


def known(origin_host: str) -> bool:
    return origin_host in {"smf.open5gs.test", "ocs.qanat.test"}


def responder(is_known: Callable[[str], bool] = known) -> Peer:
    return Peer(SERVER, is_known=is_known, chance=Random(1), now=NOW, initiates=False)


def initiator() -> Peer:
    return Peer(GATEWAY, is_known=known, chance=Random(2), now=NOW, initiates=True)


def standing(peer: Peer) -> State:
    """The state now: of an attribute a type checker takes the last assertion for still true."""
    return peer.state


def opened() -> Peer:
    peer = responder()
    peer.receive(encode(CER), NOW)
    assert peer.state is State.OPEN
    return peer


def sent(actions: list[Action]) -> list[Message]:
    return [walk(action.octets) for action in actions if isinstance(action, Send)]


def of(kind: type[T], actions: list[Action]) -> list[T]:
    return [action for action in actions if isinstance(action, kind)]


def wake(actions: list[Action]) -> Instant:
    return of(WakeAt, actions)[-1].at


def test_two_machines_open_probe_serve_and_part() -> None:
    client, server = initiator(), responder()
    hello = of(Send, client.start())[0].octets
    welcome = server.receive(hello, NOW)
    assert of(Opened, welcome) == [Opened("smf.open5gs.test", "open5gs.test", 7)]
    joined = client.receive(of(Send, welcome)[0].octets, NOW)
    assert of(Opened, joined) == [Opened("ocs.qanat.test", "qanat.test", 7)]
    assert [type(one) for one in of(Message, server.receive(CCR * 3, NOW))] == [CreditControlRequest] * 3
    probe = server.tick(wake(server.tick(NOW)))
    back = client.receive(of(Send, probe)[0].octets, NOW)
    assert sent(server.receive(of(Send, back)[0].octets, NOW)) == []
    assert standing(server) is State.OPEN
    leave = server.stop(DisconnectCause.REBOOTING, NOW)
    bye = client.receive(of(Send, leave)[0].octets, NOW)
    assert standing(client) is State.CLOSING
    assert of(Close, server.receive(of(Send, bye)[0].octets, NOW))
    assert standing(server) is State.CLOSED
    assert client.lost(NOW) == []
    assert standing(client) is State.CLOSED


def test_an_unknown_peer_is_told_so_shown_and_closed() -> None:
    peer = responder(lambda origin_host: False)
    actions = peer.receive(encode(CER), NOW)
    (answer,) = sent(actions)
    assert isinstance(answer, ErrorAnswer), "3010 is a protocol error"
    assert answer.result_code == ResultCode.UNKNOWN_PEER
    assert of(TurnedAway, actions) == [TurnedAway("smf.open5gs.test", "open5gs.test", 3010)]
    assert of(Close, actions)
    assert peer.state is State.CLOSED


@pytest.mark.parametrize(
    ("offer", "result"),
    [
        ({"auth_application_ids": (16777238,)}, 5010),
        ({"auth_application_ids": ()}, 5010),
        ({"auth_application_ids": (0xFFFFFFFF,)}, 2001),
        ({"auth_application_ids": (), "acct_application_ids": (4,)}, 2001),
        ({"inband_security_ids": (1,)}, 5017),
        ({"inband_security_ids": ()}, 2001),
        ({"inband_security_ids": (1, 0)}, 2001),
    ],
)
def test_capabilities_decide_who_is_welcome(offer: dict[str, tuple[int, ...]], result: int) -> None:
    (answer,) = sent(responder().receive(encode(changed(CER, **offer)), NOW))
    assert isinstance(answer, CapabilitiesExchangeAnswer)
    assert answer.result_code == result
    assert answer.auth_application_ids == (4,)


def test_an_initiator_that_is_turned_away_says_why() -> None:
    client = initiator()
    client.start()
    refusal = introduction_answer(SERVER, CER, ResultCode.UNKNOWN_PEER)
    actions = client.receive(encode(refusal), NOW)
    assert of(TurnedAway, actions) == [TurnedAway("ocs.qanat.test", "qanat.test", 3010)]
    assert client.state is State.CLOSED


def test_traffic_before_capabilities_ends_the_connection() -> None:
    peer = responder()
    actions = peer.receive(CCR, NOW)
    assert not of(Message, actions)
    assert of(Close, actions)


def test_who_never_introduces_itself_is_closed_even_when_it_drips_octets() -> None:
    peer = responder()
    deadline = wake(peer.start())
    octets = encode(CER)
    for place in range(9):
        assert peer.receive(octets[place : place + 1], Instant(NOW + 1000 * place)) == []
    assert of(Close, peer.tick(deadline))


def test_a_silent_peer_is_probed_suspected_and_closed() -> None:
    peer = opened()
    first = wake(peer.tick(NOW))
    assert 28_000 <= first - NOW <= 32_000
    probe = peer.tick(first)
    (request,) = sent(probe)
    assert isinstance(request, DeviceWatchdogRequest)
    assert request.origin_state_id == 7
    assert standing(peer) is State.PROBING
    doubt = peer.tick(wake(probe))
    assert standing(peer) is State.SUSPECT
    assert not of(Close, doubt)
    assert of(Close, peer.tick(wake(doubt)))
    assert standing(peer) is State.CLOSED


def test_any_message_clears_the_suspicion() -> None:
    peer = opened()
    actions = peer.tick(wake(peer.tick(NOW)))
    actions = peer.tick(wake(actions))
    assert standing(peer) is State.SUSPECT
    heard = peer.receive(CCR, wake(actions))
    assert len(of(Message, heard)) == 1
    assert standing(peer) is State.OPEN
    assert wake(heard) > wake(actions)


def test_traffic_puts_the_watchdog_off_without_waking_anybody() -> None:
    peer = opened()
    before = wake(peer.tick(NOW))
    assert not of(WakeAt, peer.receive(CCR, Instant(NOW + 20_000)))
    again = peer.tick(before)
    assert not sent(again)
    assert wake(again) == NOW + 50_000


def test_watchdog_and_leave_are_answered_with_the_identifiers_of_the_request() -> None:
    peer = opened()
    for request, kind, state in (
        (watchdog(GATEWAY, (11, 12)), DeviceWatchdogAnswer, State.OPEN),
        (farewell(GATEWAY, (21, 22), DisconnectCause.BUSY), DisconnectPeerAnswer, State.CLOSING),
    ):
        (answer,) = sent(peer.receive(encode(request), NOW))
        assert isinstance(answer, NeighbourAnswer)
        assert isinstance(answer, kind)
        assert (answer.hop_by_hop, answer.end_to_end) == (request.hop_by_hop, request.end_to_end)
        assert answer.result_code == 2001
        assert peer.state is state


def test_a_malformed_request_is_answered_and_the_connection_lives() -> None:
    peer = opened()
    broken = CCR[:44] + b"\xff" + CCR[45:]
    actions = peer.receive(broken + CCR, NOW)
    assert len(of(Unreadable, actions)) == len(of(Send, actions)) == len(of(Message, actions)) == 1
    assert peer.state is State.OPEN


def test_a_stream_out_of_step_is_answered_and_closed() -> None:
    peer = opened()
    actions = peer.receive(CCR + b"\x01\xff\xff\xfc" + CCR[4:], NOW)
    assert len(of(Message, actions)) == 1
    (answer,) = of(Send, actions)
    assert int.from_bytes(answer.octets[12:16], "big") == 0x1001
    assert of(Close, actions)
    assert peer.receive(CCR, NOW) == []


def test_requests_under_way_are_served_while_closing_and_talk_does_not_prolong_it() -> None:
    peer = opened()
    end = wake(peer.stop(DisconnectCause.REBOOTING, NOW))
    for place in range(10):
        assert len(of(Message, peer.receive(CCR, Instant(NOW + 500 * place)))) == 1
    assert of(Close, peer.tick(end))


def test_identifiers_grow_and_start_from_chance_and_time() -> None:
    first, again = opened(), opened()
    pairs = [first.identifiers() for _ in range(3)]
    assert pairs == [again.identifiers() for _ in range(3)], "the same chance gives the same numbers"
    assert len({end_to_end >> 20 for _, end_to_end in pairs}) == 1
    assert pairs[0][1] >> 20 == NOW // 1000 & 0xFFF
    assert Peer(SERVER, is_known=known, chance=Random(5), now=NOW, initiates=False).identifiers() not in pairs


def test_the_table_leaves_no_event_without_an_outcome() -> None:
    assert TRANSITIONS.keys() == {(state, event) for state in State for event in Event}


def test_every_state_can_be_reached_and_left_for_closed() -> None:
    reached = {State.AWAIT_CER, State.AWAIT_CEA}
    while more := {after for (before, _), (after, _) in TRANSITIONS.items() if before in reached} - reached:
        reached |= more
    assert reached == set(State)
    for state in set(State) - {State.CLOSED}:
        assert TRANSITIONS[state, Event.LOST][0] is State.CLOSED
        assert TRANSITIONS[state, Event.UNFRAMEABLE][0] is State.CLOSED


STIMULI: dict[Event, bytes] = {
    Event.CER_WELCOME: encode(CER),
    Event.CER_REFUSED: encode(changed(CER, auth_application_ids=())),
    Event.CEA_WELCOME: encode(introduction_answer(SERVER, CER, ResultCode.SUCCESS)),
    Event.CEA_REFUSED: encode(introduction_answer(SERVER, CER, ResultCode.NO_COMMON_APPLICATION)),
    Event.DWR: encode(watchdog(GATEWAY, (1, 2))),
    Event.DWA: encode(DeviceWatchdogAnswer(0, 1, 2, 2001, "smf.open5gs.test", "open5gs.test")),
    Event.DPR: encode(farewell(GATEWAY, (1, 2), DisconnectCause.BUSY)),
    Event.DPA: encode(DisconnectPeerAnswer(0, 1, 2, 2001, "smf.open5gs.test", "open5gs.test")),
    Event.TRAFFIC: CCR,
    Event.MALFORMED: CCR[:44] + b"\xff" + CCR[45:],
    Event.UNFRAMEABLE: b"\x01\xff\xff\xfc" + CCR[4:20],
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_each_row_of_the_table_happens_and_ends_in_its_state(state: State, event: Event) -> None:
    peer = responder()
    peer.state = state
    if event in STIMULI:
        actions = peer.receive(STIMULI[event], NOW)
    elif event is Event.TIMER:
        actions = peer.tick(Instant(NOW + machine.CAPABILITIES_WITHIN))
    else:
        actions = peer.stop(DisconnectCause.REBOOTING, NOW) if event is Event.STOP else peer.lost(NOW)
    after, _ = TRANSITIONS[state, event]
    assert peer.state is after
    asked_to_close = bool(of(Close, actions))
    assert asked_to_close == (after is State.CLOSED and state is not State.CLOSED and event is not Event.LOST)
