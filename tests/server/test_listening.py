"""Sockets that fronts listen on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from qanat.server.listening import address_of, bind


class _Accepted(asyncio.Protocol):
    def __init__(self, seen: asyncio.Future[socket.socket]) -> None:
        self.seen = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen.set_result(transport.get_extra_info("socket"))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_answer_in_two_writes_does_not_wait_for_the_first_to_be_acknowledged(host: str) -> None:
    async def accepted() -> int:
        seen = asyncio.get_running_loop().create_future()
        listening = bind(f"{host}:0", "--http")
        async with await asyncio.get_running_loop().create_server(lambda: _Accepted(seen), sock=listening):
            address, _, port = address_of(listening).rpartition(":")
            _, writer = await asyncio.open_connection(address.strip("[]"), int(port))
            without_delay: int = (await seen).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
        return without_delay

    assert asyncio.run(accepted())
