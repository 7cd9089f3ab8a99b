"""What faces the demanders, over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from ipaddress import ip_address

import pytest
from tests.namespaces import Namespace

from qanat.agents.base_station.http import CONNECTIONS_OF_ONE_MAX, Answer, HttpServer, Request
from qanat.agents.kernel.neighbour import Address

pytestmark = pytest.mark.namespaces

PORT = 8910
ANOTHER = "127.0.0.200"


def test_a_device_has_its_share_of_connections_and_no_more_however_many_addresses_it_has(namespace: Namespace) -> None:
    """One device has every address of 127.0.0.0/8 here, but for one."""
    with namespace.inside():
        asyncio.run(crowd())


async def crowd() -> None:
    let_go = asyncio.Event()

    async def answer(_request: Request) -> Answer:
        await let_go.wait()
        return Answer(body=b"served")

    with closing(HttpServer(answer, device_of=device_of, failed=fail)) as server:
        await server.listen("127.0.0.1", PORT)
        asking = [asyncio.create_task(ask(f"127.0.0.{place}")) for place in range(1, CONNECTIONS_OF_ONE_MAX + 2)]
        done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert ([each.result() for each in done], len(waiting)) == ([b""], CONNECTIONS_OF_ONE_MAX)
        asking.append(asyncio.create_task(ask(ANOTHER)))
        let_go.set()
        assert sorted(await asyncio.gather(*asking)) == [b"", *[b"served"] * (CONNECTIONS_OF_ONE_MAX + 1)]


async def ask(source: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT, local_addr=(source, 0))
    with closing(writer), suppress(ConnectionResetError):
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        return (await reader.read()).rpartition(b"\r\n")[2]
    return b""


def device_of(address: Address) -> str:
    return "another" if address == ip_address(ANOTHER) else "one"


def fail(fault: Exception) -> None:
    raise fault
