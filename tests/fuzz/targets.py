"""What must hold for any octets at all: the targets of Hypothesis and of atheris. A target raises AssertionError, or returns."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from tests.wire.diameter import samples

from qanat.units import Instant
from qanat.wire.diameter.codec import MAX_SHAPES, Decoder
from qanat.wire.diameter.courtesies import Identity, farewell, introduction, watchdog
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.messages import DeviceWatchdogAnswer, DisconnectPeerAnswer, Message
from qanat.wire.diameter.peer import Action, Opened, Peer, Send
from qanat.wire.diameter.reply import refuse
from qanat.wire.diameter.results import Malformed, Unframeable
from qanat.wire.diameter.states import State
from qanat.wire.diameter.values import DisconnectCause
from qanat.wire.diameter.walk import walk

US: Final = Identity(
    origin_host="ocs.qanat.test", origin_realm="qanat.test", addresses=(b"\x00\x01\x7f\x00\x00\x01",), origin_state_id=7
)
THEM: Final = "smf.open5gs.test"
_GATEWAY: Final = Identity(
    origin_host=THEM, origin_realm="open5gs.test", addresses=(b"\x00\x01\x7f\x00\x00\x01",), origin_state_id=1
)
MESSAGES: Final = [
    encode(introduction(_GATEWAY, (1, 2))),
    *samples.BUILT.values(),
    *(samples.vector(name) for name in samples.vector_names()),
    encode(watchdog(_GATEWAY, (3, 4))),
    encode(DeviceWatchdogAnswer(0, 1, 2, 2001, THEM, "open5gs.test")),
    encode(farewell(_GATEWAY, (5, 6), DisconnectCause.BUSY)),
    encode(DisconnectPeerAnswer(0, 1, 2, 2001, THEM, "open5gs.test")),
]
_PROXY_INFO: Final = (284).to_bytes(4, "big")
Verdict = Message | tuple[int, bytes]


class Script:
    """Octets read as instructions; past their end everything is zero."""

    def __init__(self, octets: bytes) -> None:
        self._octets = iter(octets)
        self.left = len(octets)

    def number(self) -> int:
        self.left -= 1
        return next(self._octets, 0)

    def take(self, count: int) -> bytes:
        return bytes(self.number() for _ in range(min(count, max(self.left, 0))))

    def message(self) -> bytes:
        """Return one of the messages, with up to three octets changed, cut out or put in."""
        octets = bytearray(MESSAGES[self.number() % len(MESSAGES)])
        for _ in range(self.number() % 4):
            at = (self.number() << 8 | self.number()) % len(octets)
            octets[at : at + self.number() % 9] = self.take(self.number() % 9)
            octets = octets or bytearray(1)
        if self.number() % 2:
            octets[1:4] = len(octets).to_bytes(3, "big")
        return bytes(octets)


def verdict(decode: Decoder | None, octets: bytes) -> Verdict:
    try:
        return walk(octets) if decode is None else decode.decode(octets)
    except Malformed as fault:
        return int(fault.result_code), fault.failed_avp


_LEARNT: Final = Decoder()


def read_both_ways(octets: bytes) -> None:
    """The walk, a decoder that learns now and one that knows many shapes say the same, and a request at fault is answered."""
    plain, fresh = verdict(None, octets), Decoder()
    assert verdict(fresh, octets) == plain
    assert verdict(fresh, octets) == plain, "learnt, it reads differently"
    assert verdict(_LEARNT, octets) == plain
    assert _LEARNT.shapes <= MAX_SHAPES
    if isinstance(plain, Message):
        assert walk(encode(plain)) == plain if not plain.flags & 0x20 else True
    elif len(octets) >= 20 and octets[4] & 0x80:
        answer_is_readable(octets)


def answer_is_readable(request: bytes) -> None:
    try:
        walk(request)
    except Unframeable:
        return
    except Malformed as fault:
        answer = refuse(request, fault, origin_host=US.origin_host, origin_realm=US.origin_realm)
        assert answer is not None, "a request at fault has an answer"
        assert answer[12:20] == request[12:20], "with the identifiers of its request"
        if _PROXY_INFO not in request:  # which is repeated as it came, broken or not
            walk(answer[:4] + b"\x60" + answer[5:])  # by the generic grammar: its own may lack what was at fault


def read_script(octets: bytes) -> None:
    read_both_ways(Script(octets).message())


def converse(octets: bytes) -> None:
    """Whatever a peer sends and however time passes, the machine keeps to its word: nothing is delivered before the peer is
    known and nothing said once closed; what is said can be read.
    """
    script, now, opened = Script(octets), Instant(1_700_000_000_000), False
    peer = Peer(US, is_known=lambda host: host == THEM, chance=Random(1), now=now, initiates=False)
    peer.start()
    while script.left > 0:
        now = Instant(now + script.number() * 100)
        before = peer.state
        actions = _next(peer, script, now)
        opened |= any(isinstance(action, Opened) for action in actions)
        assert opened or not any(isinstance(action, Message) for action in actions)
        assert before is not State.CLOSED or not actions
        for said in _said(actions):
            assert said[0] == 1
            assert int.from_bytes(said[1:4], "big") == len(said)


def _next(peer: Peer, script: Script, now: Instant) -> list[Action]:
    match script.number() % 8:
        case 0 | 1:
            return peer.receive(MESSAGES[script.number() % len(MESSAGES)], now)
        case 2 | 3:
            return peer.receive(script.message(), now)
        case 4:
            return peer.receive(script.take(script.number()), now)
        case 5 | 6:
            return peer.tick(now)
        case _:
            return peer.stop(DisconnectCause.BUSY, now) if script.number() % 2 else peer.lost(now)


def _said(actions: list[Action]) -> Iterator[bytes]:
    return (action.octets for action in actions if isinstance(action, Send))


TARGETS: Final = (read_both_ways, read_script, converse)


def one(octets: bytes) -> None:
    """Give the octets to the target that the first of them chooses."""
    TARGETS[octets[0] % len(TARGETS) if octets else 0](octets[1:])
