"""The gateways of the load client."""

from __future__ import annotations

import asyncio

from qanat.bench.gateways import REALM, UPDATES, ClosedLoop, Connection, Load, OpenLoop, Slot, due_after
from qanat.wire.diameter.courtesies import Identity, farewell, introduction
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.values import DisconnectCause


def test_a_request_may_be_sent_the_moment_it_is_due_and_not_before() -> None:
    assert [due_after(elapsed_s, 100) for elapsed_s in (0, 0.0099, 0.01, 0.0199, 0.5)] == [1, 1, 2, 2, 51]


class Sent(Connection):
    """Notes what it is to send and when it was due."""

    def __init__(self, load: Load, pace: OpenLoop) -> None:
        super().__init__(load, pace, load.slots)
        self.sent: list[tuple[int, int, float]] = []

    def send_next(self, slot: Slot, due: float) -> None:
        slot.number = 0 if slot.between_sessions else slot.number + 1
        self.sent.append((slot.index, slot.number, due))


def test_in_an_open_loop_requests_are_due_at_their_rate_until_the_last_session_has_ended() -> None:
    async def story() -> None:
        load = Load(run=1, seconds=1, slots=[Slot(index, range(1)) for index in range(3)], until=101.0)
        pace = OpenLoop(load, rate=8)
        gateway = Sent(load, pace)
        pace.send_due(100.0)
        assert gateway.sent == [(0, 0, 100.0)]
        pace.send_due(100.375)
        assert gateway.sent[1:] == [(1, 0, 100.125), (2, 0, 100.25)], "one is due, and nobody is idle"
        pace.answered(load.slots[1], 100.4)
        assert gateway.sent[3:] == [(1, 1, 100.375)], "late by the time it waited"
        pace.answered(load.slots[0], 100.45)
        pace.send_due(101.0)
        assert gateway.sent[4:] == [(0, 1, 100.5)], "what is due behind that is nobody's any more"
        pace.answered(load.slots[0], 101.01)
        load.slots[0].number = UPDATES
        pace.send_due(101.2)
        assert gateway.sent[5:] == [(0, UPDATES + 1, 101.125)], "a session ends at the rate, too"
        pace.answered(load.slots[0], 101.21)
        pace.send_due(101.5)
        assert gateway.sent[6:] == [], "and no other begins"

    asyncio.run(story())


def test_a_server_that_says_it_goes_puts_no_request_off() -> None:
    async def story() -> None:
        load = Load(run=1, seconds=1, slots=[])
        server = Identity(
            origin_host="ocs.qanat.test", origin_realm=REALM, addresses=(b"\0\1\x7f\0\0\1",), origin_state_id=1
        )
        connection = Connection(load, ClosedLoop(load), load.slots)
        connection.data_received(encode(introduction(server, (1, 1))))
        assert connection.opened.done()
        connection.data_received(encode(farewell(server, (0, 1), DisconnectCause.REBOOTING)))
        assert load.put_off == []

    asyncio.run(story())
