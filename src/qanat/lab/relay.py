"""A way from the machine's own loopback to the server in the lab, so that a browser outside can open the console.

``python -m qanat.lab.relay FD HOST:PORT`` runs on the server's host and accepts on a socket that was bound outside: a
socket stays in the network in which it was made, whoever holds it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

_CHUNK = 65_536


def bound_outside() -> socket.socket:
    """Return a socket on a free port of the loopback of whoever calls; it can be handed to a child."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", 0))
    listening.set_inheritable(True)
    return listening


async def relay(listening: socket.socket, host: str, port: int) -> None:
    """Pass on every connection for ever."""

    async def connected(near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            far, far_out = await asyncio.open_connection(host, port)
        except OSError:
            near_out.close()
            return
        await asyncio.gather(_pump(near, far_out), _pump(far, near_out))

    server = await asyncio.start_server(connected, sock=listening)
    print("relaying", flush=True)
    async with server:
        await server.serve_forever()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await source.read(_CHUNK):
            sink.write(octets)
            await sink.drain()
    sink.close()


if __name__ == "__main__":
    name, _, number = sys.argv[2].rpartition(":")
    with suppress(KeyboardInterrupt):
        asyncio.run(relay(socket.socket(fileno=int(sys.argv[1])), name, int(number)))
