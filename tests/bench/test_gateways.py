"""The gateways of the load client."""

from __future__ import annotations

import asyncio

from qanat.bench.gateways import REALM, ClosedLoop, Connection, Load, due_after
from qanat.wire.diameter.courtesies import Identity, farewell, introduction
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.values import DisconnectCause


def test_a_request_may_be_sent_the_moment_it_is_due_and_not_before() -> None:
    assert [due_after(elapsed_s, 100) for elapsed_s in (0, 0.0099, 0.01, 0.0199, 0.5)] == [1, 1, 2, 2, 51]


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
