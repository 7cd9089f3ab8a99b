"""Writing messages: one writer for each field, compiled from the grammar.

Source: RFC 6733 §3, §4.1; the order of AVPs is the order of fields in ``messages``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Any, Final

from msgspec import Struct as Record
from msgspec.structs import astuple

from qanat.wire.diameter import leaves
from qanat.wire.diameter.avp import PADDINGS, Avp, Kind
from qanat.wire.diameter.grammar import COMPILED, Slot
from qanat.wire.diameter.groups import Group
from qanat.wire.diameter.header import HEADER, HEADER_OCTETS, LONGEST, VERSION
from qanat.wire.diameter.messages import ErrorAnswer, Message

_NUMBERS: Final = {Kind.U32: "I", Kind.U64: "Q", Kind.I32: "i", Kind.I64: "q", Kind.ENUM: "i"}

FieldWriter = Callable[[Any], bytes]

_VERSION: Final = VERSION << 24


def encode(message: Message) -> bytes:
    """Return the octets of a message. Raises ValueError or OverflowError for values its AVPs cannot carry."""
    assert type(message) is not ErrorAnswer, "an error answer is written by encode_as: it needs its request's header"
    return encode_as(message, command=message.command, application=message.application)


def encode_as(message: Message, *, command: int, application: int) -> bytes:
    """Return the octets of a message, field by field, under this header: an error answer has its request's."""
    flags, hop_by_hop, end_to_end, *values = astuple(message)
    body = _fields(_WRITERS[type(message)], values)
    length = HEADER_OCTETS + len(body)
    _check_length(length)
    return HEADER.pack(_VERSION | length, flags << 24 | command, application, hop_by_hop, end_to_end) + body


def _check_length(octets: int) -> None:
    if octets > LONGEST:
        raise ValueError(f"a message of {octets} octets is longer than a header can say")


def _fields(writers: tuple[FieldWriter, ...], values: Any) -> bytes:
    return b"".join([write(value) for write, value in zip(writers, values, strict=True) if value is not None])


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
    return partial(Struct(f"!{len(head)}s{_NUMBERS[avp.kind]}").pack, head)


def _writers(made: type[Record]) -> tuple[FieldWriter, ...]:
    return tuple(_field_writer(slot) for slot in COMPILED[made].fields)


_WRITERS: Final = {made: _writers(made) for made in COMPILED}
