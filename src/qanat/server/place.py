"""Where a server process stands: alone, or one of several workers on the same ports of a host."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from qanat.server.listening import bind


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    worker: int = 0
    workers: int = 1
    doors: Mapping[str, socket.socket] = field(default_factory=dict)
    """Sockets that were bound for this worker before it was started, by the flag that chooses their address."""
    house: Mapping[int, str] = field(default_factory=dict)
    """The paths on which each worker of the host hears the others."""

    @property
    def alone(self) -> bool:
        return self.workers == 1

    def door(self, listen: str, flag: str) -> socket.socket:
        """Return a bound socket to listen on. Raises CannotListen, BadInput."""
        return self.doors[flag] if flag in self.doors else bind(listen, flag)


ALONE: Final = Place()
