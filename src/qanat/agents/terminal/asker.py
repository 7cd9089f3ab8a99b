"""Asks the DNS in the agent's own name, from a port that it holds as long as it lives: the gate knows the questions by it.

While the port is held nobody else on this machine can send from it, so the gate may let through what comes from there. It is
held by one socket for both versions of IP, bound to no address and no interface: any narrower hold leaves room beside it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Final

from qanat.system import SteadyClock, fresh_question
from qanat.units import SECOND, Millis
from qanat.wire.dns import ANSWER_MAX, Address, Kind, Malformed, question, read_answer

PORT: Final = 53
TRIES: Final = 3
TRY_FOR: Final = Millis(2 * SECOND)
RESOLVERS_MAX: Final = 3
"""As many as the system's own resolver asks (resolv.conf(5))."""
_FILES: Final = (
    Path("/etc/resolv.conf"),
    Path("/run/systemd/resolve/resolv.conf"),
    Path("/run/NetworkManager/no-stub-resolv.conf"),
)


class Asker:
    """Blocking; the agent calls it in a thread."""

    def __init__(self, resolvers: Callable[[], Sequence[Address]]) -> None:
        self._resolvers = resolvers
        self._clock = SteadyClock()
        self._turn = Lock()
        self._end = _bound()

    @property
    def port(self) -> int:
        port: int = self._end.getsockname()[1]
        return port

    def ask(self, name: str) -> list[Address]:
        """Return where a name leads, nothing when nobody says so within six seconds. Raises BadInput for what is no name."""
        open_ = {kind: question(name, kind, number=fresh_question()) for kind in Kind}
        found: list[Address] = []
        with self._turn:
            resolvers = self._resolvers()
            for _ in range(TRIES):
                if found or not open_ or not self._send(open_.values(), resolvers):
                    break
                found += self._hear(open_, {each.packed for each in resolvers})
        return found

    def close(self) -> None:
        self._end.close()

    def _send(self, questions: Iterable[bytes], resolvers: Iterable[Address]) -> bool:
        """Return whether any of them left."""
        sent = 0
        for resolver, asked in product(resolvers, questions):
            with suppress(OSError, UnicodeError):  # no way there now, or more than the gate allows
                sent += self._end.sendto(asked, (_spelled(resolver, self._end.family), PORT))
        return sent > 0

    def _hear(self, open_: dict[Kind, bytes], resolvers: set[bytes]) -> list[Address]:
        """Return what answers say until none is missing any more, or the time is over."""
        found: list[Address] = []
        ends = self._clock.now() + TRY_FOR
        while open_ and (left := ends - self._clock.now()) > 0:
            self._end.settimeout(left / 1000)
            try:
                octets, (host, port, *_) = self._end.recvfrom(ANSWER_MAX)
            except OSError:
                break
            if port == PORT and _packed(host) in resolvers:
                found += _settled(open_, octets)
        return found


def resolvers(files: Iterable[Path] = _FILES) -> list[Address]:
    """Return those that the first file names which names one elsewhere than on this machine.

    One on this machine would ask on from a port of its own, which the gate doesn't know.
    """
    for file in files:
        found = [each for each in _named_in(file) if not (each.is_loopback or each.is_unspecified)]
        if found:
            return found[:RESOLVERS_MAX]
    return []


def _named_in(file: Path) -> Iterator[Address]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return
    for words in map(str.split, lines):
        if len(words) > 1 and words[0] == "nameserver":
            with suppress(ValueError):
                yield ip_address(words[1])


def _bound() -> socket.socket:
    try:
        end = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    except OSError:  # a kernel without IPv6: there nobody else sends over it either
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    else:
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    end.bind(("", 0))
    return end


def _settled(open_: dict[Kind, bytes], octets: bytes) -> list[Address]:
    """Return what an answer says, and take its question off those that are open."""
    for kind, asked in open_.items():
        with suppress(Malformed):
            said = read_answer(octets, asked=asked)
            if said is not None:
                del open_[kind]
                return said
    return []


def _spelled(address: Address, family: socket.AddressFamily) -> str:
    is_mapped = address.version == 4 and family == socket.AF_INET6
    return f"::ffff:{address}" if is_mapped else str(address)


def _packed(host: str) -> bytes:
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).packed
