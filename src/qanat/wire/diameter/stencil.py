"""Stencils: one request as a form to be filled in, for clients that send the same message with other values.

Made from a whole message and the names of the AVPs that will vary; filling it is one ``Struct.pack``. Text keeps the
length it had in the message, so identifiers that vary are written with leading zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any, cast

from qanat.wire.diameter.avp import Kind
from qanat.wire.diameter.grammar import Slot
from qanat.wire.diameter.walk import walk

_NUMBERS = {Kind.U32: "I", Kind.U64: "Q", Kind.I32: "i", Kind.I64: "q", Kind.TIME: "I", Kind.ENUM: "i"}


class _Finder:
    """Watches a walk and notes where the wanted AVPs lie, in the order in which they are wanted."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.wanted = list(reversed(names))
        self.found: list[tuple[int, int, str]] = [(12, 16, "I"), (16, 20, "I")]

    def value(self, slot: Slot, value: Any, *, start: int, data: int, stop: int) -> Any:  # noqa: ARG002
        if self.wanted and slot.avp.name == self.wanted[-1]:
            self.wanted.pop()
            self.found.append((data, stop, _NUMBERS.get(slot.avp.kind, f"{stop - data}s")))
        return value

    def ignored(self, data: int, stop: int) -> None:
        """Only AVPs that are read can vary."""


def stencil(message: bytes, *names: str) -> Callable[..., bytes]:
    """Return ``fill(hop_by_hop, end_to_end, *values)``, with one value for each name, in the order of the wire.

    A name given twice stands for two AVPs in turn. Values are integers (a Time: seconds since 1900) or bytes. Raises
    ValueError when the message has no such AVP at that place in the order.
    """
    finder = _Finder(names)
    walk(message, finder)
    if finder.wanted:
        raise ValueError(f"the message has no {finder.wanted[-1]} left to vary: name AVPs in the order of the wire")
    parts: list[bytes] = []
    shape, at = "!", 0
    for start, stop, form in finder.found:
        parts.append(message[at:start])
        shape += f"{start - at}s{form}"
        at = stop
    pack, tail = Struct(f"{shape}{len(message) - at}s").pack, message[at:]
    return _maker(len(parts))(pack, tail, *parts)


@lru_cache(maxsize=64)
def _maker(places: int) -> Callable[..., Callable[..., bytes]]:
    """Return what makes a form with so many places from its ``pack`` and what stands between them."""
    arguments = ",".join(f"v{place}" for place in range(places))
    pairs = ",".join(f"p{place},v{place}" for place in range(places))
    fixed = ",".join(f"p{place}" for place in range(places))
    # Only names of places enter this source.
    source = f"lambda pack,tail,{fixed}:lambda {arguments}:pack({pairs},tail)"
    return cast(Callable[..., Callable[..., bytes]], eval(source))  # noqa: S307
