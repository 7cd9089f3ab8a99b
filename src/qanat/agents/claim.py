"""One agent for one interface: whoever comes second is refused, and told who holds it.

Two would raise, fence and remove each other's gate. The claim is a socket with a name in the abstract namespace, which
belongs to the network namespace as interfaces do, and goes with its process however that ends. Source: unix(7).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from qanat.errors import Fault

_UCRED: Final = struct.Struct("=iII")


class InterfaceInUse(Fault):
    """Another agent holds this interface."""


@contextmanager
def claim(role: Literal["terminal", "station"], interface: str) -> Iterator[None]:
    """Hold the interface in this role while the block runs. Raises InterfaceInUse."""
    name = f"\0qanat/{role}/{interface}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        try:
            held.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise InterfaceInUse(
                f"{interface} is in use by another agent ({_holder_of(name)}): stop that one, or name another interface"
            ) from error
        held.listen(socket.SOMAXCONN)
        yield


def _holder_of(name: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(name)
        except OSError:
            return "a process that is just coming or going"
        pid, _, _ = _UCRED.unpack(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return f"process {pid}" if pid else "a process of another container"
