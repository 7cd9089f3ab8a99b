"""The plain walk: one message, AVP by AVP, into its typed form. Every other way of reading is checked against it.

Strict where the grammar is: lengths, flags, counts, formats, enumerations. Tolerant where clients are: AVPs may come in
any order, known AVPs may stand where the grammar does not name them, M bits of known AVPs and padding are not judged.
What is wrong is raised as Malformed with the Result-Code and the AVP at fault, so that every request can be answered.
Source: RFC 6733 §3, §4, §7.1, §7.5.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from qanat.wire.diameter.avp import BASE_HEADER, MANDATORY, RESERVED, VENDOR, VENDOR_HEADER, Avp, Kind
from qanat.wire.diameter.dictionary import BY_KEY, BY_NAME
from qanat.wire.diameter.grammar import ANSWER_GRAMMARS, ERROR_GRAMMAR, REQUEST_GRAMMARS, Grammar, Slot
from qanat.wire.diameter.header import HEADER_OCTETS, Header, read_header
from qanat.wire.diameter.leaves import WrongLength
from qanat.wire.diameter.messages import BASE_APPLICATION, CREDIT_CONTROL, Message
from qanat.wire.diameter.results import Malformed, ResultCode

MAX_DEPTH: Final = 8
"""Groups within groups; the deepest real one is four."""

_HEAD: Final = BASE_HEADER.unpack_from
_LENGTH: Final = 0xFFFFFF
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
    values = _Walk(octets, watcher).group(grammar, HEADER_OCTETS, len(octets), MAX_DEPTH)
    message: Message = grammar.make(header.flags, header.hop_by_hop, header.end_to_end, *values)
    return message


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


_NOTHING: Final = Grammar(make=Message, slots={}, required=(), blank=())
"""For groups we know and do not read: only their structure is checked."""


class _Walk:
    __slots__ = ("octets", "watcher")

    def __init__(self, octets: bytes, watcher: Watcher | None) -> None:
        self.octets = octets
        self.watcher = watcher

    def group(self, grammar: Grammar, start: int, end: int, depth: int) -> list[Any]:
        """Return the values of a command's or group's fields, in the order of the grammar."""
        octets, watcher, slots, values = self.octets, self.watcher, grammar.slots, list(grammar.blank)
        while start < end:
            if end - start < 8:
                raise self.misframed(start, end)
            key, word = _HEAD(octets, start)
            stop, data = start + (word & _LENGTH), start + 8
            if word & _UNUSUAL:
                key, data = self.unusual(start, end, key, word)
            if data > stop or stop > end:
                raise self.misframed(start, end)
            slot = slots.get(key)
            if slot is None:
                self.unread(key, word, start, data, stop, depth)
            else:
                value = self.read(slot, start, data, stop, depth) if slot.group else self.leaf(slot, start, data, stop)
                if watcher is not None and not slot.group:
                    value = watcher.value(slot, value, start=start, data=data, stop=stop)
                index = slot.index
                if slot.many:
                    values[index] += (value,)
                elif values[index] is None:
                    values[index] = value
                else:
                    raise self.fault(ResultCode.AVP_OCCURS_TOO_MANY_TIMES, slot.avp, start, stop, "may come once only")
            start = stop + 3 & ~3
        for slot in grammar.required:
            if values[slot.index] == grammar.blank[slot.index]:
                raise Malformed(
                    f"{slot.avp.name} is missing",
                    result_code=ResultCode.MISSING_AVP,
                    failed_avp=slot.avp.example(),
                    field=slot.avp.name,
                )
        return values

    def leaf(self, slot: Slot, start: int, data: int, stop: int) -> Any:
        try:
            if slot.avp.kind is not Kind.GROUP:
                return slot.read(self.octets, data, stop)
            if stop & 3:
                raise WrongLength
            return self.octets[start:stop]  # kept whole
        except WrongLength:
            raise self.wrong_length(slot.avp, start, stop) from None
        except ValueError as error:
            raise self.fault(ResultCode.INVALID_AVP_VALUE, slot.avp, start, stop, str(error)) from None

    def read(self, slot: Slot, start: int, data: int, stop: int, depth: int) -> Any:
        assert slot.group is not None, "leaves are read by leaf()"
        return slot.group.make(*self.inside(slot.avp, slot.group, start, data, stop, depth))

    def inside(self, avp: Avp, grammar: Grammar, start: int, data: int, stop: int, depth: int) -> list[Any]:
        """Walk a grouped AVP; a fault in it is reported inside its header (RFC 6733 §7.5)."""
        if stop & 3:
            raise self.wrong_length(avp, start, stop)
        if depth == 0:
            raise self.fault(ResultCode.INVALID_AVP_VALUE, avp, start, stop, f"lies deeper than {MAX_DEPTH} groups")
        try:
            return self.group(grammar, data, stop, depth - 1)
        except Malformed as fault:
            fault.failed_avp = avp.encode(fault.failed_avp)
            raise

    def unread(self, key: int, word: int, start: int, data: int, stop: int, depth: int) -> None:
        """Check an AVP that no field wants: it must at least be known, or not mandatory."""
        avp = BY_KEY.get(key)
        if avp is None:
            if word >> 24 & MANDATORY:
                unknown = Avp(f"AVP {key & 0xFFFFFFFF} of vendor {key >> 32}", key & 0xFFFFFFFF, Kind.OCTETS, key >> 32, True)
                raise self.fault(ResultCode.AVP_UNSUPPORTED, unknown, start, stop, "is mandatory and not known here")
        elif avp.kind is Kind.GROUP:
            if avp.name != "Failed-AVP":  # its content is broken by its nature
                self.inside(avp, _NOTHING, start, data, stop, depth)
                return
        elif avp.kind.exact_octets not in (None, stop - data):
            raise self.wrong_length(avp, start, stop)
        if self.watcher is not None:
            self.watcher.ignored(data, stop)

    def unusual(self, start: int, end: int, code: int, word: int) -> tuple[int, int]:
        """Read the vendor and judge the reserved flags. Returns the key, and where the payload begins."""
        if word >> 24 & RESERVED:
            avp = BY_KEY.get(code) or Avp(f"AVP {code}", code, Kind.OCTETS, 0, False)
            raise Malformed(
                f"{avp.name} has reserved flags set: {word >> 24:#04x}",
                result_code=ResultCode.INVALID_AVP_BITS,
                failed_avp=avp.example(),
                field=avp.name,
            )
        if end - start < 12:
            raise self.misframed(start, end)
        vendor = VENDOR_HEADER.unpack_from(self.octets, start)[2]
        return vendor << 32 | code, start + 12

    def misframed(self, start: int, end: int) -> Malformed:
        """An AVP that ends after what contains it, or before its own header does.

        Named with its code and vendor as far as they came, and with the least payload of its format in place of the
        length that cannot be (RFC 6733 §7.1.5).
        """
        head = self.octets[start : min(start + 12, end)].ljust(12, b"\0")
        code, word, vendor = VENDOR_HEADER.unpack(head)
        key = code | (vendor << 32 if word >> 24 & VENDOR else 0)
        avp = BY_KEY.get(key) or Avp(f"AVP {code}", code, Kind.OCTETS, key >> 32, bool(word >> 24 & MANDATORY))
        return Malformed(
            f"{avp.name} says it is {word & _LENGTH} octets long, where {end - start} are left",
            result_code=ResultCode.INVALID_AVP_LENGTH,
            failed_avp=avp.example(),
            field=avp.name,
        )

    def wrong_length(self, avp: Avp, start: int, stop: int) -> Malformed:
        return self.fault(
            ResultCode.INVALID_AVP_LENGTH, avp, start, stop, f"is {stop - start} octets long, no length of {avp.kind.title}"
        )

    def fault(self, code: ResultCode, avp: Avp, start: int, stop: int, sentence: str) -> Malformed:
        whole = self.octets[start:stop] + bytes(-stop & 3)
        return Malformed(f"{avp.name} {sentence}", result_code=code, failed_avp=whole, field=avp.name)


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
        if key in _RESCUED:
            found.setdefault(BY_KEY[key].name, octets[start + 8 : stop])
        elif key == _PROXY_INFO:
            proxies.append(octets[start : stop + 3 & ~3])
        start = stop + 3 & ~3
    return found, tuple(proxies)
