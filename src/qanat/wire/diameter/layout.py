"""Layouts: messages of a shape seen before are read with one comparison, two ``Struct`` and one expression.

A shape is everything about a message except its free octets: free values (identifiers, amounts, times, addresses) and
what means nothing to us. All else (codes, flags, lengths, names of machines, enumerated values) is compared with a
message that the walk has read. So a layout cannot misread: what it accepts differs from a message
the walk accepted only in octets that the walk does not judge. Text is decoded again each time; what is no UTF-8 goes
back to the walk for its verdict.

Much that may vary seldom does (where a terminal is attached, its quality of service). A layout has *holes* only where
messages of its shape were seen to differ; the rest it compares, and so has made already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct
from typing import Any, Final, NamedTuple, cast

from msgspec import Struct as Record
from msgspec.structs import astuple, replace

from qanat.wire.diameter.avp import Kind
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.grammar import Slot
from qanat.wire.diameter.leaves import instant_of
from qanat.wire.diameter.messages import Message
from qanat.wire.diameter.walk import walk

_NUMBERS: Final = {Kind.U32: "I", Kind.U64: "Q", Kind.I32: "i", Kind.I64: "q", Kind.TIME: "I"}
_CONVERSIONS: Final = {Kind.TEXT: "{}.decode()", Kind.TIME: "c0({})"}
_NAMES: Final = {Kind.ENUM, Kind.IDENTITY, Kind.URI}
"""Formats whose values the walk judges, or that seldom change with a peer: part of the shape."""
_IDENTIFIERS: Final = (12, 20)
"""Where every message has both of its own."""
_CONSTANTS: Final = {BY_NAME["Service-Context-Id"], BY_NAME["Auth-Application-Id"]}


class Hole(NamedTuple):
    """Where a free value lies, its name, and the expression that makes a field of it."""

    start: int
    octets: int
    format: str
    name: str
    expression: str


class Layout(NamedTuple):
    """``build(*unpack(octets))`` reads every message whose ``pieces(octets)`` are ``fixed``.

    Raises StructError for a message of another length than the one it was learnt from.
    """

    pieces: Callable[[bytes], tuple[bytes, ...]]
    fixed: tuple[bytes, ...]
    unpack: Callable[[bytes], tuple[Any, ...]]
    build: Callable[..., Message]


class Shape:
    """A message and others like it. Its layout leaves open what was seen to vary among them."""

    def __init__(self, octets: bytes) -> None:
        """Learn from a first message. Raises Malformed, as the walk does."""
        learner = _Learner(None)
        walk(octets, learner)
        self._octets, self._free = octets, learner.free
        self._varying = {_IDENTIFIERS}
        self.layout = learn(octets, self._varying)

    def has(self, octets: bytes) -> bool:
        """Return whether a message of the same length has this shape."""
        pieces = _cutter(self._free, len(self._octets))
        return pieces(octets) == pieces(self._octets)

    def widen(self, octets: bytes) -> None:
        """Leave open from now on in what a message of this shape differs from the first."""
        self._varying |= {(start, stop) for start, stop in self._free if octets[start:stop] != self._octets[start:stop]}
        self.layout = learn(self._octets, self._varying)


class _Learner:
    """Watches a walk: leaves a Hole in each field whose value varies, and notes which octets are not compared.

    ``varying`` None leaves open whatever may vary.
    """

    def __init__(self, varying: set[tuple[int, int]] | None) -> None:
        self._varying = varying
        self.free: list[tuple[int, int]] = []
        self.texts: list[Hole] = []
        self.holes = [Hole(12, 4, "I", "v0", "v0"), Hole(16, 4, "I", "v1", "v1")]
        self._leave_open(*_IDENTIFIERS)

    def value(self, slot: Slot, value: Any, *, start: int, data: int, stop: int) -> Any:
        kind = slot.avp.kind
        if kind in _NAMES or slot.avp in _CONSTANTS:
            return value
        if not self._leave_open(data + 2 if kind is Kind.ADDRESS else data, stop):  # an address keeps its family
            return value
        begin = start if slot.whole else data
        name = f"v{len(self.holes)}"
        expression = _CONVERSIONS.get(kind, "{}").format(name)
        hole = Hole(begin, stop - begin, _NUMBERS.get(kind) or f"{stop - begin}s", name, expression)
        self.holes.append(hole)
        if kind is Kind.TEXT:
            self.texts.append(hole)
        return hole

    def ignored(self, data: int, stop: int) -> None:
        self._leave_open(data, stop)

    def _leave_open(self, data: int, stop: int) -> bool:
        """Note that these octets, padding included, are not compared, if they vary."""
        place = data, stop + 3 & ~3
        varies = self._varying is None or place in self._varying
        if varies:
            self.free.append(place)
        return varies


def learn(octets: bytes, varying: set[tuple[int, int]] | None = None) -> Layout:
    """Walk a message and return its layout, open in these places, or wherever values are free.

    Raises Malformed, as the walk does.
    """
    learner = _Learner(varying)
    prototype = replace(walk(octets, learner), hop_by_hop=learner.holes[0], end_to_end=learner.holes[1])
    constants: list[Any] = [instant_of]
    expression = _expression(prototype, constants)
    kept = set(_holes(prototype))
    judged = [hole for hole in learner.texts if hole not in kept]
    if judged:  # dropped, but not before it is known to be text
        expression = f"({expression},{','.join(hole.expression for hole in judged)})[0]"
    holes = [hole for hole in learner.holes if hole in kept or hole in judged]
    build = _maker(len(constants), ",".join(hole.name for hole in holes), expression)(*constants)
    pieces = _cutter(learner.free, len(octets))
    return Layout(pieces, pieces(octets), _unpacker(holes, len(octets)), build)


def _holes(value: Any) -> Iterator[Hole]:
    """Find the holes that became part of a message: what is judged and dropped did not."""
    if isinstance(value, Hole):
        yield value
    elif isinstance(value, Record | tuple):
        for one in astuple(value) if isinstance(value, Record) else value:
            yield from _holes(one)


@lru_cache(maxsize=256)
def _maker(constants: int, values: str, expression: str) -> Callable[..., Callable[..., Message]]:
    """Return what makes a ``build`` from its constants. Messages of one kind share it, whatever their lengths."""
    names = ",".join(f"c{place}" for place in range(constants))
    # Nothing from a message enters this source: only names of holes and constants.
    return cast(Callable[..., Callable[..., Message]], eval(f"lambda {names}:lambda {values}:{expression}"))  # noqa: S307


def _expression(value: Any, constants: list[Any]) -> str:
    """Write the expression that makes ``value`` again, with names in place of holes and constants."""
    if isinstance(value, Hole):
        return value.expression
    if value is None or value == ():
        return repr(value)
    if not any(_holes(value)):
        return _constant(value, constants)
    if isinstance(value, tuple):
        return f"({''.join(_expression(one, constants) + ',' for one in value)})"
    made = _constant(type(value), constants)
    return f"{made}({','.join(_expression(one, constants) for one in _arguments(value))})"


def _arguments(record: Record) -> list[Any]:
    """Return the fields to make a record from: those at its end that hold their default are left out."""
    fields, defaults = list(astuple(record)), list(record.__struct_defaults__)
    while defaults and fields[-1] is defaults.pop():
        fields.pop()
    return fields


def _constant(value: Any, constants: list[Any]) -> str:
    constants.append(value)
    return f"c{len(constants) - 1}"


def _cutter(free: list[tuple[int, int]], length: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """Return what takes the pieces between free octets out of a message of exactly this length."""
    parts, at = ["!"], 0
    for start, stop in free:
        parts.append(f"{start - at}s{stop - start}x")
        at = stop
    return Struct(f"{''.join(parts)}{length - at}s").unpack


def _unpacker(holes: list[Hole], length: int) -> Callable[[bytes], tuple[Any, ...]]:
    """Return what takes all holes out of a message of exactly this length."""
    parts, at = ["!"], 0
    for hole in holes:
        parts.append(f"{hole.start - at}x{hole.format}")
        at = hole.start + hole.octets
    return Struct(f"{''.join(parts)}{length - at}x").unpack
