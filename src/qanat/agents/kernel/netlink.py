"""Netlink: questions to the kernel, its answers, its dumps and its multicast events.

First the pure part: packing and parsing of messages and attributes, tested with vectors. Then one small socket. It
knows nothing of links or rules; ``link``, ``route`` and ``nft`` say what the octets mean.
Sources: RFC 3549 §2; linux/netlink.h; linux/netfilter/nfnetlink.h (batches).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from qanat.errors import Fault

ROUTE: Final = 0
NETFILTER: Final = 12

REQUEST: Final = 0x1
ACK: Final = 0x4
DUMP: Final = 0x300
REPLACE: Final = 0x100
EXCL: Final = 0x200
CREATE: Final = 0x400

_DUMP_INTERRUPTED: Final = 0x10
_CAPPED: Final = 0x100
_EXPLAINED: Final = 0x200
_ERROR: Final = 2
_DONE: Final = 3
_BATCH_BEGIN: Final = 0x10
_BATCH_END: Final = 0x11
_TYPE_MASK: Final = 0x3FFF  # the two upper bits say "nested" and "network byte order"
_NESTED: Final = 0x8000

_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_BUFFER_OCTETS: Final = 4 * 1024 * 1024
_DATAGRAM_OCTETS: Final = 256 * 1024
_ANSWER_TIMEOUT_S: Final = 10.0
_DUMP_TRIES: Final = 20

_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")


class KernelFault(Fault):
    """The kernel did not do what it was asked; nothing of the request or batch took effect."""

    def __init__(self, message: str, *, code: int, index: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """The errno."""
        self.index = index
        """Which message of a batch failed, from 0; None when it was the batch itself."""


class Malformed(Fault):
    """Octets that are no netlink message: a kernel this code does not know, or not the kernel at all."""


class EventsLost(Fault):
    """The kernel had more events than the socket could keep (ENOBUFS): read the present state instead."""


class Message(NamedTuple):
    kind: int
    payload: bytes
    flags: int = 0
    seq: int = 0


def pack(message: Message) -> bytes:
    return _HEADER.pack(16 + len(message.payload), message.kind, message.flags, message.seq, 0) + _padded(
        message.payload
    )


def parse(datagram: bytes) -> list[Message]:
    """Take a datagram apart. Raises Malformed when a length points outside of it."""
    found, place, end = [], 0, len(datagram)
    unpack = _HEADER.unpack_from
    while place < end:
        if end - place < 16:
            raise Malformed(f"netlink header cut short at octet {place} of {end}")
        length, kind, flags, seq, _port = unpack(datagram, place)
        if not 16 <= length <= end - place:
            raise Malformed(f"netlink message at octet {place} says {length} octets, {end - place} are there")
        found.append(Message(kind, datagram[place + 16 : place + length], flags, seq))
        place += (length + 3) & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + _padded(value)


def nested(kind: int, *inner: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(inner))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def be32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))


def be64(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!Q", value))


def attribute_list(data: bytes) -> list[tuple[int, bytes]]:
    """Return each attribute in order. Raises Malformed when a length points outside of the data."""
    return [(kind, data[begin:end]) for kind, begin, end in attribute_places(data)]


def attribute_places(data: bytes) -> list[tuple[int, int, int]]:
    """Return each attribute's kind, and where its value begins and ends. Raises Malformed like ``attribute_list``."""
    found, place, end = [], 0, len(data)
    unpack = _ATTRIBUTE.unpack_from
    while end - place >= 4:
        length, kind = unpack(data, place)
        if length < 4 or length > end - place:
            raise Malformed(f"netlink attribute at octet {place} says {length} octets, {end - place} are there")
        found.append((kind & _TYPE_MASK, place + 4, place + length))
        place += (length + 3) & ~3
    if place < end:
        raise Malformed(f"netlink attribute cut short at octet {place} of {end}")
    return found


class Attributes(dict[int, bytes]):
    """Attributes by kind; asking for one that is not there raises Malformed."""

    def __missing__(self, kind: int) -> bytes:
        raise Malformed(f"netlink answer without attribute {kind}")


def attributes(data: bytes) -> Attributes:
    return Attributes(attribute_list(data))


def text_of(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def number_of(value: bytes, layout: str) -> int:
    """Read one integer, ``layout`` as in ``struct``. Raises Malformed for any other length."""
    try:
        (number,) = struct.unpack(layout, value)
    except struct.error as error:
        raise Malformed(f"netlink attribute of {len(value)} octets where {struct.calcsize(layout)} belong") from error
    return int(number)


def error_of(message: Message) -> tuple[int, str]:
    """Read an error message: the errno (0 is an acknowledgement) and the kernel's own sentence, when it gave one."""
    if len(message.payload) < 4:
        raise Malformed("netlink error without a code")
    code = -number_of(message.payload[:4], "=i")
    if not message.flags & _EXPLAINED or len(message.payload) < 20:
        return code, ""
    (echoed,) = struct.unpack_from("=I", message.payload, 4)
    skip = 20 if message.flags & _CAPPED else 4 + echoed + -echoed % 4
    sentence = attributes(message.payload[skip:]).get(1, b"")
    return code, text_of(sentence)


class Netlink:
    """One socket for questions, in the network namespace it was made in. Not for use by two threads at once."""

    def __init__(self, protocol: int) -> None:
        self._socket = _open(protocol)
        self._socket.settimeout(_ANSWER_TIMEOUT_S)
        _widen(self._socket, _SO_SNDBUFFORCE, socket.SO_SNDBUF)  # a batch is one datagram
        self._seq = count(1)

    def ask(self, message: Message) -> list[Message]:
        """Send one request; return what the kernel said before its acknowledgement. Raises KernelFault."""
        seq = self._send([Message(message.kind, message.payload, message.flags | REQUEST | ACK)])
        answers: list[Message] = []
        for answer in self._answers(seq):
            if answer.kind == _ERROR:
                _raise_for(answer, message)
                return answers
            answers.append(answer)
        raise AssertionError("the answers never end without an acknowledgement")

    def dump(self, message: Message) -> list[Message]:
        """Return a whole table; begins again when it changed under the kernel's hands. Raises KernelFault."""
        for _ in range(_DUMP_TRIES):
            answers, interrupted = self._dump_once(message)
            if not interrupted:
                return answers
        raise KernelFault("the kernel's table kept changing while it was read: try again", code=errno.EINTR)

    def batch(self, messages: Sequence[Message], *, subsystem: int) -> None:
        """Do all of it in one transaction, or nothing. Raises KernelFault, which names the first that failed."""
        if not messages:
            return
        frame = struct.pack("!BBH", 0, 0, subsystem)
        begin = self._send(
            [
                Message(_BATCH_BEGIN, frame, REQUEST),
                *(Message(each.kind, each.payload, each.flags | REQUEST) for each in messages[:-1]),
                Message(messages[-1].kind, messages[-1].payload, messages[-1].flags | REQUEST | ACK),
                Message(_BATCH_END, frame, REQUEST),
            ]
        )
        last = begin + len(messages)
        first_fault: KernelFault | None = None
        for answer in self._answers(begin, last):
            fault = _fault(answer, index=answer.seq - begin - 1)
            first_fault = first_fault or fault
            # An error on BATCH_BEGIN is the whole batch's (no permission, or the commit itself failed).
            if answer.seq == last or (answer.seq == begin and fault):
                break
        if first_fault:
            raise first_fault

    def close(self) -> None:
        self._socket.close()

    def _send(self, messages: Sequence[Message]) -> int:
        numbered = [Message(each.kind, each.payload, each.flags, next(self._seq)) for each in messages]
        self._socket.send(b"".join(map(pack, numbered)))
        return numbered[0].seq

    def _answers(self, first: int, last: int | None = None) -> Iterator[Message]:
        """Give the answers to these numbers; what is left over from an earlier question is passed over."""
        while True:
            for answer in parse(_receive(self._socket)):
                if first <= answer.seq <= (last or first):
                    yield answer

    def _dump_once(self, message: Message) -> tuple[list[Message], bool]:
        seq = self._send([Message(message.kind, message.payload, message.flags | REQUEST | DUMP)])
        answers: list[Message] = []
        interrupted = False
        for answer in self._answers(seq):
            interrupted = interrupted or bool(answer.flags & _DUMP_INTERRUPTED)
            if answer.kind in (_DONE, _ERROR):
                if answer.payload:
                    _raise_for(answer, message)
                break
            answers.append(answer)
        return answers, interrupted


@dataclass(slots=True)
class Events:
    """A socket that hears multicast groups; readable when something happened."""

    protocol: int
    groups: Sequence[int]
    _socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._socket = _open(self.protocol)
        self._socket.setblocking(False)
        _widen(self._socket, _SO_RCVBUFFORCE, socket.SO_RCVBUF)
        for group in self.groups:
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def fileno(self) -> int:
        return self._socket.fileno()

    def take(self) -> list[Message]:
        """Return what has happened since the last time; never waits. Raises EventsLost."""
        found: list[Message] = []
        lost: EventsLost | None = None
        while True:
            try:
                found += parse(_receive(self._socket))
            except EventsLost as fault:
                lost = fault  # the kernel says it once, and goes on losing events until the socket is empty
            except BlockingIOError:
                break
        if lost:
            raise lost
        return found

    def close(self) -> None:
        self._socket.close()


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _open(protocol: int) -> socket.socket:
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise KernelFault(f"this kernel has no netlink protocol {protocol}: {error}", code=error.errno or 0) from error
    opened.bind((0, 0))
    for option in (_CAP_ACK, _EXT_ACK):
        opened.setsockopt(_SOL_NETLINK, option, 1)
    return opened


def _widen(sock: socket.socket, forced: int, asked: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_OCTETS)
    except PermissionError:  # without CAP_NET_ADMIN in the first user namespace the system's limit holds
        sock.setsockopt(socket.SOL_SOCKET, asked, _BUFFER_OCTETS)


def _receive(sock: socket.socket) -> bytes:
    """Take one datagram that the kernel itself sent."""
    while True:
        try:
            data, _, flags, (port, _groups) = sock.recvmsg(_DATAGRAM_OCTETS)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise EventsLost("more kernel events than the socket could keep: the state is read again") from error
            raise
        if flags & socket.MSG_TRUNC:
            raise Malformed(f"netlink datagram longer than {_DATAGRAM_OCTETS} octets")
        if port == 0:
            return bytes(data)


def _raise_for(answer: Message, request: Message) -> None:
    fault = _fault(answer, index=None, what=f"request {request.kind:#x}")
    if fault:
        raise fault


def _fault(answer: Message, *, index: int | None, what: str = "batch") -> KernelFault | None:
    code, sentence = error_of(answer)
    if code == 0:
        return None
    place = f"message {index} of the {what}" if index is not None and index >= 0 else what
    because = f" ({sentence})" if sentence else ""
    return KernelFault(
        f"the kernel refused {place}: {os.strerror(code)}{because}",
        code=code,
        index=index if index is not None and index >= 0 else None,
    )
