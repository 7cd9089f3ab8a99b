"""Writing messages: one writer for each field, compiled from the grammar, and a memory for what repeats.

An answer repeats most of the answer before it: same host, same result, same grant. So groups are frozen and their
octets remembered, and of a credit-control answer everything is, except what names its request.
Source: RFC 6733 §3, §4.1; the order of AVPs is the order of fields in ``messages``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from struct import Struct
from typing import Any, Final

from msgspec import Struct as Record
from msgspec.structs import astuple

from qanat.wire.diameter import leaves
from qanat.wire.diameter.avp import PADDINGS, Avp, Kind
from qanat.wire.diameter.grammar import COMPILED, Slot
from qanat.wire.diameter.groups import Group, Mscc
from qanat.wire.diameter.header import HEADER, HEADER_OCTETS, MAX_MESSAGE_OCTETS, VERSION
from qanat.wire.diameter.messages import CreditControlAnswer, ErrorAnswer, Message

_NUMBERS: Final = {Kind.U32: "I", Kind.U64: "Q", Kind.I32: "i", Kind.I64: "q", Kind.ENUM: "i"}

FieldWriter = Callable[[Any], bytes]

_VERSION: Final = VERSION << 24


def encode(message: Message) -> bytes:
    """Return the octets of a message. Raises ValueError or OverflowError for values its AVPs cannot carry."""
    if type(message) is CreditControlAnswer:
        return _encode_answer(message)
    assert type(message) is not ErrorAnswer, "an error answer is written by encode_error: it needs its request's header"
    return _framed(message, message.command, message.application)


def encode_error(answer: ErrorAnswer, *, command: int, application: int) -> bytes:
    """Return the octets of the answer to a request that could not be read or served."""
    return _framed(answer, command, application)


def _framed(message: Message, command: int, application: int) -> bytes:
    flags, hop_by_hop, end_to_end, *values = astuple(message)
    body = _fields(_WRITERS[type(message)], values)
    length = HEADER_OCTETS + len(body)
    if length > MAX_MESSAGE_OCTETS:
        raise ValueError(f"a message of {length} octets is longer than {MAX_MESSAGE_OCTETS}, the longest sent")
    return HEADER.pack(_VERSION | length, flags << 24 | command, application, hop_by_hop, end_to_end) + body


def _fields(writers: tuple[FieldWriter, ...], values: Any) -> bytes:
    return b"".join([write(value) for write, value in zip(writers, values, strict=True) if value is not None])


@lru_cache(maxsize=8192)
def _group(group: Group) -> bytes:
    """Return the payload of a grouped AVP."""
    return _fields(_WRITERS[type(group)], astuple(group))


def _field_writer(slot: Slot) -> FieldWriter:
    write = _avp_writer(slot)
    if not slot.many:
        return write
    return lambda values: b"".join([write(value) for value in values]) if values else b""


def _avp_writer(slot: Slot) -> FieldWriter:
    avp = slot.avp
    if slot.group is not None:
        return _sized_writer(avp, _group)
    if slot.whole:
        return bytes  # kept whole when it came, so sent whole
    if avp.kind.exact_octets is not None:
        return _exact_writer(avp, avp.kind.exact_octets)
    return _sized_writer(avp, leaves.writer(avp.kind))


def _sized_writer(avp: Avp, payload: leaves.Writer) -> FieldWriter:
    header = {octets: avp.header(octets) for octets in range(128)}  # longer ones are rare

    def write(value: Any) -> bytes:
        octets = payload(value)
        size = len(octets)
        return b"%b%b%b" % (header.get(size) or avp.header(size), octets, PADDINGS[size & 3])

    return write


def _exact_writer(avp: Avp, octets: int) -> FieldWriter:
    if avp.kind is Kind.TIME:
        head, payload = avp.header(octets), leaves.writer(avp.kind)
        return lambda value: head + payload(value)
    head = avp.header(octets)
    words = Struct(f"!{len(head) // 4}I").unpack(head)
    return partial(Struct(f"!{len(head) // 4}I{_NUMBERS[avp.kind]}").pack, *words)


def _writers(made: type[Record]) -> tuple[FieldWriter, ...]:
    slots = sorted(COMPILED[made].slots.values(), key=lambda slot: slot.index)
    return tuple(_field_writer(slot) for slot in slots)


_WRITERS: Final = {made: _writers(made) for made in COMPILED}


# The answer to a credit-control request, of which there are more than of all others together

_START: Final = Struct("!IIIIIII").pack
_NUMBER: Final = _WRITERS[CreditControlAnswer][6]
_ANSWER_FIELDS: Final = CreditControlAnswer.__struct_fields__
assert _ANSWER_FIELDS[3] == "session_id", "the slices of _encode_answer go around these three"
assert _ANSWER_FIELDS[9:11] == ("cc_request_number", "services"), "the slices of _encode_answer go around these three"


def _encode_answer(answer: CreditControlAnswer) -> bytes:
    fields = astuple(answer)
    flags, hop_by_hop, end_to_end, session_id = fields[:4]
    before, services, rest = _before(*fields[4:9]), _services(*fields[10]), fields[11:]
    after = b"" if rest == _NOTHING_MORE else _after(*rest)
    name = session_id.encode()
    octets = len(name)
    length = 40 + (octets + 3 & ~3) + len(before) + len(services) + len(after)
    if length > MAX_MESSAGE_OCTETS:
        raise ValueError(f"an answer of {length} octets is longer than {MAX_MESSAGE_OCTETS}, the longest sent")
    start = _START(_VERSION | length, flags << 24 | 272, 4, hop_by_hop, end_to_end, 263, 0x40000008 + octets)
    return b"".join((start, name, PADDINGS[octets & 3], before, _NUMBER(fields[9]), services, after))


_NOTHING_MORE: Final = COMPILED[CreditControlAnswer].blank[8:]


@lru_cache(maxsize=4096)
def _before(*values: Any) -> bytes:
    """Return what stands between Session-Id and CC-Request-Number."""
    return _fields(_WRITERS[CreditControlAnswer][1:6], values)


@lru_cache(maxsize=8192)
def _services(*services: Mscc) -> bytes:
    return _WRITERS[CreditControlAnswer][7](services)


@lru_cache(maxsize=4096)
def _after(*values: Any) -> bytes:
    """Return what stands after the services."""
    return _fields(_WRITERS[CreditControlAnswer][8:], values)
