"""The plain walk: one message, AVP by AVP, into its typed form. Every other way of reading is checked against it.

Strict where the grammar is: lengths, flags, counts, formats, enumerations. Tolerant where clients are: AVPs may come in
any order, known AVPs may stand where the grammar does not name them, M bits of known AVPs and padding are not judged.
What is wrong is raised as Malformed with the Result-Code and the AVP at fault, so that every request can be answered.
Source: RFC 6733 §3, §4, §7.1, §7.5.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, Protocol, cast

from qanat.wire.diameter.avp import BASE_HEADER, MANDATORY, RESERVED, VENDOR, VENDOR_HEADER, Avp, Kind
from qanat.wire.diameter.dictionary import BY_KEY, BY_NAME
from qanat.wire.diameter.grammar import ANSWER_GRAMMARS, ERROR_GRAMMAR, REQUEST_GRAMMARS, Grammar, Slot
from qanat.wire.diameter.header import HEADER_OCTETS, Header, read_header
from qanat.wire.diameter.leaves import WrongLength
from qanat.wire.diameter.messages import BASE_APPLICATION, CREDIT_CONTROL, Message
from qanat.wire.diameter.results import Malformed, ResultCode

MAX_DEPTH: Final = 8
"""Groups within groups; the deepest real one is four."""
MAX_OF_ONE: Final = 128
"""How often one AVP may stand in a command or group. The most seen is a service for each of twenty rating groups."""

_HEAD: Final = BASE_HEADER.unpack_from
_WORDS: Final = Struct("!IIII").unpack_from
"""Code, flags and length, and then vendor and value, or value and what follows it."""
_BEYOND: Final = bytes(12)
_LENGTH: Final = 0xFFFFFF
_MANDATORY: Final = MANDATORY << 24
_RESERVED: Final = RESERVED << 24
_UNUSUAL: Final = (VENDOR | RESERVED) << 24


class Watcher(Protocol):
    """Is told where each value lies while a message is walked; ``layout`` learns from that."""

    def value(self, slot: Slot, value: Any, *, start: int, data: int, stop: int) -> Any:
        """Return what to put into the field in place of ``value``."""

    def ignored(self, data: int, stop: int) -> None:
        """These octets mean nothing to us."""


def walk(octets: bytes, watcher: Watcher | None = None) -> Message:
    """Read one whole message. Raises Malformed."""
    header = read_header(octets)
    grammar = _grammar(header)
    values = _Walk(octets + _BEYOND, watcher).group(grammar, HEADER_OCTETS, len(octets), MAX_DEPTH)
    return cast(Message, grammar.make(header.flags, header.hop_by_hop, header.end_to_end, *values))


def _grammar(header: Header) -> Grammar:
    """Choose the grammar by command, application and flags."""
    if header.is_request and header.is_error:
        raise Malformed("a request has the E bit set", result_code=ResultCode.INVALID_HDR_BITS)
    if not header.is_request and header.is_error:
        return ERROR_GRAMMAR
    if header.application not in (BASE_APPLICATION, CREDIT_CONTROL):
        raise Malformed(
            f"application {header.application} is not served here, only {CREDIT_CONTROL}",
            result_code=ResultCode.APPLICATION_UNSUPPORTED,
        )
    grammar = (REQUEST_GRAMMARS if header.is_request else ANSWER_GRAMMARS).get(header.command)
    if grammar is None:
        raise Malformed(f"command {header.command} is not known here", result_code=ResultCode.COMMAND_UNSUPPORTED)
    if grammar.make.application != header.application:  # type: ignore[attr-defined]
        raise Malformed(
            f"command {header.command} does not belong to application {header.application}",
            result_code=ResultCode.APPLICATION_UNSUPPORTED,
        )
    return grammar


_NOTHING: Final = Grammar(make=Message, fields=(), slots={}, required=(), blank=())
"""For groups we know and do not read: only their structure is checked."""

_ANY_LENGTH: Final = 0
_GROUP: Final = -1
_UNREAD: Final = {
    key: _ANY_LENGTH
    if avp.name == "Failed-AVP"  # its content is broken by its nature
    else _GROUP
    if avp.kind is Kind.GROUP
    else avp.kind.exact_octets or _ANY_LENGTH
    for key, avp in BY_KEY.items()
}
"""How a known AVP is checked that no field wants: its exact length, or as a group, or not at all."""


class _Walk:
    __slots__ = ("octets", "watcher")

    def __init__(self, octets: bytes, watcher: Watcher | None) -> None:
        self.octets = octets
        self.watcher = watcher

    def group(self, grammar: Grammar, start: int, end: int, depth: int) -> list[Any]:  # noqa: PLR0912
        """Return the values of a command's or group's fields, in the order of the grammar.

        One loop without calls for what is usual: this runs once for every AVP of every new shape.
        """
        octets, watcher, slots, values = self.octets, self.watcher, grammar.slots, list(grammar.blank)
        while start < end:
            key, word, third, value = _WORDS(octets, start)  # beyond the end there are zeros: see walk()
            stop, data = start + (word & _LENGTH), start + 8
            if word & _UNUSUAL:
                if word & _RESERVED:
                    raise self.reserved_flags(word, start)
                key |= third << 32
                data = start + 12
            else:
                value = third
            if data > stop or stop > end:
                raise self.misframed(start, end)
            slot = slots.get(key)
            if slot is None:
                if _UNREAD.get(key) != stop - data or watcher is not None:
                    self.unread(key, word, start, (data, stop), depth)
                start = stop + 3 & ~3
                continue
            if slot.group is not None:
                value = slot.group.make(*self.inside(slot.group, start, data, stop, depth))
            else:
                if not slot.is_word or stop - data != 4:
                    value = self.leaf(slot, start, data, stop)
                if watcher is not None:
                    value = watcher.value(slot, value, start=start, data=data, stop=stop)
            index = slot.index
            if slot.many:
                several = values[index] or ()
                if len(several) == MAX_OF_ONE:
                    raise self.fault(
                        ResultCode.AVP_OCCURS_TOO_MANY_TIMES, start, stop, f"may come {MAX_OF_ONE} times only"
                    )
                values[index] = (*several, value)
            elif values[index] is None:
                values[index] = value
            else:
                raise self.fault(ResultCode.AVP_OCCURS_TOO_MANY_TIMES, start, stop, "may come once only")
            start = stop + 3 & ~3
        for slot in grammar.required:
            if values[slot.index] is None:
                raise _missing(slot.avp)
        return values[: len(grammar.fields)]

    def leaf(self, slot: Slot, start: int, data: int, stop: int) -> Any:
        try:
            return slot.read(self.octets, start if slot.whole else data, stop)
        except WrongLength:
            raise self.wrong_length(start, stop) from None
        except ValueError as error:
            raise self.fault(ResultCode.INVALID_AVP_VALUE, start, stop, f"holds {error}") from None

    def inside(self, grammar: Grammar, start: int, data: int, stop: int, depth: int) -> list[Any]:
        """Walk a grouped AVP; a fault in it is reported inside its header (RFC 6733 §7.5)."""
        if stop & 3:
            raise self.wrong_length(start, stop)
        if depth == 0:
            raise self.fault(ResultCode.INVALID_AVP_VALUE, start, stop, f"lies deeper than {MAX_DEPTH} groups")
        try:
            return self.group(grammar, data, stop, depth - 1)
        except Malformed as fault:
            fault.failed_avp = self.avp_at(start).encode(fault.failed_avp)
            raise

    def unread(self, key: int, word: int, start: int, payload: tuple[int, int], depth: int) -> None:
        """Check an AVP that no field wants: it must at least be known, or not mandatory."""
        data, stop = payload
        check = _UNREAD.get(key)
        if check is None:
            if word & _MANDATORY:
                raise self.fault(ResultCode.AVP_UNSUPPORTED, start, stop, "is mandatory and not known here")
        elif check == _GROUP:
            self.inside(_NOTHING, start, data, stop, depth)
            return
        elif check and check != stop - data:
            raise self.wrong_length(start, stop)
        if self.watcher is not None:
            self.watcher.ignored(data, stop)

    def reserved_flags(self, word: int, start: int) -> Malformed:
        avp = self.avp_at(start)
        return Malformed(
            f"{avp.name} has reserved flags set: {word >> 24:#04x}",
            result_code=ResultCode.INVALID_AVP_BITS,
            failed_avp=avp.example(),
            field=avp.name,
        )

    def misframed(self, start: int, end: int) -> Malformed:
        """Name an AVP that ends after what contains it, or before its own header does.

        With code and vendor as far as they came, and with the least payload of its format in place of the length that
        cannot be (RFC 6733 §7.1.5).
        """
        avp = self.avp_at(start)
        return Malformed(
            f"{avp.name} has a length that cannot be, where {end - start} octets are left",
            result_code=ResultCode.INVALID_AVP_LENGTH,
            failed_avp=avp.example(),
            field=avp.name,
        )

    def wrong_length(self, start: int, stop: int) -> Malformed:
        title = self.avp_at(start).kind.title
        return self.fault(
            ResultCode.INVALID_AVP_LENGTH, start, stop, f"is {stop - start} octets long, no length of {title}"
        )

    def fault(self, code: ResultCode, start: int, stop: int, sentence: str) -> Malformed:
        avp, whole = self.avp_at(start), self.octets[start:stop] + bytes(-stop & 3)
        return Malformed(f"{avp.name} {sentence}", result_code=code, failed_avp=whole, field=avp.name)

    def avp_at(self, start: int) -> Avp:
        """Return the definition of the AVP that begins here; of an unknown or torn one, as much as came."""
        code, word, vendor = VENDOR_HEADER.unpack(self.octets[start : start + 12].ljust(12, b"\0"))
        vendor = vendor if word >> 24 & VENDOR else 0
        unknown = Avp(f"AVP {code} of vendor {vendor}", code, Kind.OCTETS, vendor, bool(word & _MANDATORY))
        return BY_KEY.get(vendor << 32 | code, unknown)


def _missing(avp: Avp) -> Malformed:
    return Malformed(
        f"{avp.name} is missing", result_code=ResultCode.MISSING_AVP, failed_avp=avp.example(), field=avp.name
    )


_PROXY_INFO: Final = BY_NAME["Proxy-Info"].key
_RESCUED: Final = {
    BY_NAME[name].key for name in ("Session-Id", "CC-Request-Type", "CC-Request-Number", "Auth-Application-Id")
}


def rescue(octets: bytes) -> tuple[dict[str, bytes], tuple[bytes, ...]]:
    """Return what an answer must repeat, from a request that cannot be read, as far as it can be walked.

    That is the payloads of Session-Id and its companions by name, and every Proxy-Info whole.
    """
    found: dict[str, bytes] = {}
    proxies: list[bytes] = []
    start, end = HEADER_OCTETS, len(octets)
    while end - start >= 8:
        key, word = _HEAD(octets, start)
        stop = start + (word & _LENGTH)
        if stop < start + 8 or stop > end:
            break
        if word >> 31:
            pass  # a vendor's, whatever its code
        elif key in _RESCUED:
            found.setdefault(BY_KEY[key].name, octets[start + 8 : stop])
        elif key == _PROXY_INFO:
            proxies.append(octets[start : stop + 3 & ~3])
        start = stop + 3 & ~3
    return found, tuple(proxies)
