"""Writing messages: one writer for each field, compiled from the grammar, and a memory for what repeats.

An answer repeats most of the answer before it: same host, same result, same terms. So of a credit-control answer
everything is remembered except what names its request and how much is granted for how long, which is filled in.
Source: RFC 6733 §3, §4.1; the order of AVPs is the order of fields in ``messages``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from operator import itemgetter
from struct import Struct, calcsize
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import Struct as Record
from msgspec.structs import astuple

from qanat.wire.diameter import leaves
from qanat.wire.diameter.avp import PADDINGS, Avp, Kind
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.grammar import COMPILED, Slot
from qanat.wire.diameter.groups import Group, Mscc, Units
from qanat.wire.diameter.header import HEADER, HEADER_OCTETS, LONGEST, VERSION
from qanat.wire.diameter.messages import CREDIT_CONTROL, CreditControlAnswer, ErrorAnswer, Message

_NUMBERS: Final = {Kind.U32: "I", Kind.U64: "Q", Kind.I32: "i", Kind.I64: "q", Kind.ENUM: "i"}

FieldWriter = Callable[[Any], bytes]
_F = TypeVar("_F")

_VERSION: Final = VERSION << 24
_BEGINNING: Final = Struct("!III")


def encode(message: Message) -> bytes:
    """Return the octets of a message. Raises ValueError or OverflowError for values its AVPs cannot carry."""
    if type(message) is CreditControlAnswer:
        return encode_answer(message)
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


# The answer to a credit-control request, of which there are more than of all others together

_MAX_FORMS: Final = 4096
_ANSWER_WRITERS: Final = _WRITERS[CreditControlAnswer]
_SESSION_ID: Final = BY_NAME["Session-Id"]
_NUMBER_HEADER: Final = BY_NAME["CC-Request-Number"].header(4)
_ANSWER_FIELDS: Final = CreditControlAnswer.__struct_fields__
assert _ANSWER_FIELDS[3:4] == ("session_id",), "encode_answer counts on these places"
assert _ANSWER_FIELDS[9:11] == ("cc_request_number", "services"), "encode_answer counts on these places"
_around: Final = itemgetter(0, slice(4, 9), slice(11, None))
"""The flags, and what stands around number and services."""


class _Form(NamedTuple):
    """An answer with blanks: ``pack`` puts the pieces that stay the same and what names the request side by side."""

    around: tuple[Any, ...]
    """What it was made for."""
    pack: Callable[..., bytes]
    header: bytes
    """Up to the identifiers."""
    session_header: bytes
    middle: bytes
    """From behind Session-Id to the value of CC-Request-Number."""
    after: bytes
    """What stands behind the services."""


_forms: Final[dict[Any, _Form]] = {}
"""By what tells most of them apart; a form replaces the one before."""


def encode_answer(answer: CreditControlAnswer) -> bytes:
    """Return the octets of the answer to a credit-control request. Raises as ``encode`` does."""
    fields = astuple(answer)
    name, services = fields[3].encode(), b""
    for service in fields[10]:
        services += _service(service)
    around, key = _around(fields), (len(name), len(services), fields[4], fields[8])
    form = _forms.get(key)
    if form is None or form.around != around:
        if answer.error_message is not None or answer.failed_avps or answer.proxy_infos:
            # Why a request was refused and what relays wrote on it seldom come again, and can be long: that is not remembered.
            return encode_as(answer, command=CreditControlAnswer.command, application=CREDIT_CONTROL)
        form = _remembered(_forms, key, _form(len(name), len(services), around))
    _, pack, header, session_header, middle, after = form
    return pack(header, fields[1], fields[2], session_header, name, middle, fields[9], services, after)


def _remembered(forms: dict[Any, _F], key: Any, form: _F) -> _F:
    if len(forms) == _MAX_FORMS:
        forms.clear()
    forms[key] = form
    return form


def _form(name: int, services: int, around: tuple[int, tuple[Any, ...], tuple[Any, ...]]) -> _Form:
    """Return the form for a name and services of so many octets."""
    flags, before, rest = around
    session_header = _SESSION_ID.header(name)
    middle = _fields(_ANSWER_WRITERS[1:6], before) + _NUMBER_HEADER
    after = _fields(_ANSWER_WRITERS[8:], rest)
    # Session-Id is padded by its format, since what is too short for "s" is filled up with zeros.
    shape = Struct(f"!12sII8s{name + 3 & ~3}s{len(middle)}sI{services}s{len(after)}s")
    _check_length(shape.size)
    header = _BEGINNING.pack(_VERSION | shape.size, flags << 24 | CreditControlAnswer.command, CREDIT_CONTROL)
    return _Form(around, shape.pack, header, session_header, middle, after)


# A service in it. Every quota is of another size; on what terms it is granted seldom changes

_SERVICES: Final = BY_NAME["Multiple-Services-Credit-Control"]
_GRANTED: Final = BY_NAME["Granted-Service-Unit"]
_TOTAL_HEADER: Final = BY_NAME["CC-Total-Octets"].header(8)
_VALIDITY_HEADER: Final = BY_NAME["Validity-Time"].header(4)
_LEFT_HEADER: Final = BY_NAME["Volume-Quota-Threshold"].header(4)
_GRANT_FIELDS: Final = (*Units.__struct_fields__, *Mscc.__struct_fields__)
_GRANT_WRITERS: Final = (*_WRITERS[Units], *_WRITERS[Mscc])
assert _GRANT_FIELDS[5] == "total", "_service counts on these places"
assert _GRANT_FIELDS[9] == "granted", "_service counts on these places"
assert _GRANT_FIELDS[16] == "validity_time_s", "_service counts on these places"
assert _GRANT_FIELDS[20] == "volume_quota_threshold", "_service counts on these places"
_TERMS: Final = (slice(5), slice(6, 9), slice(10, 16), slice(17, 20), slice(21, None))
"""What stands around the octets granted, for how long, and how many remain when the client should come back."""
_terms: Final = itemgetter(*_TERMS)


class _Grant(NamedTuple):
    """A service with blanks for these three."""

    terms: tuple[Any, ...]
    pack: Callable[..., bytes]
    before: bytes
    between: bytes
    behind: bytes
    after: bytes


_grants: Final[dict[Any, _Grant]] = {}
"""By rating group."""


def _service(service: Mscc) -> bytes:
    granted = service.granted
    if granted is None:
        return _whole_service(service)
    fields = astuple(granted) + astuple(service)
    total, validity_s, left = fields[5], fields[16], fields[20]
    if total is None or validity_s is None or left is None:
        return _whole_service(service)
    terms = _terms(fields)
    grant = _grants.get(fields[14])
    if grant is None or grant.terms != terms:
        grant = _remembered(_grants, fields[14], _grant(terms))
    _, pack, before, between, behind, after = grant
    return pack(before, total, between, validity_s, behind, left, after)


@lru_cache(maxsize=_MAX_FORMS)
def _whole_service(service: Mscc) -> bytes:
    return _SERVICES.encode(_group(service))


def _grant(terms: tuple[tuple[Any, ...], ...]) -> _Grant:
    """Return the form for a grant of octets on these terms."""
    pieces = [_fields(_GRANT_WRITERS[place], values) for place, values in zip(_TERMS, terms, strict=True)]
    quota = pieces[0] + _TOTAL_HEADER
    granted = _GRANTED.header(len(quota) + 8 + len(pieces[1])) + quota
    between = pieces[1] + pieces[2] + _VALIDITY_HEADER
    behind, after = pieces[3] + _LEFT_HEADER, pieces[4]
    shape = f"sQ{len(between)}sI{len(behind)}sI{len(after)}s"
    before = _SERVICES.header(calcsize(f"!{len(granted)}{shape}")) + granted
    return _Grant(terms, Struct(f"!{len(before)}{shape}").pack, before, between, behind, after)
