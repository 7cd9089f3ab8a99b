"""Reading messages fast: a bounded memory of layouts in front of the walk.

One ``Decoder`` belongs to one connection, so that a peer who sends ever new shapes slows only itself. Learning a shape
costs about four walks where its kind of message was learnt before, ten where it was not (measured for Open5GS and
Magma); it is paid from a budget that refills by one for every ``LEARN_EVERY`` messages walked, so what such a peer costs
stays within a tenth of the plain walk.
"""

from __future__ import annotations

from operator import itemgetter
from struct import error as StructError
from typing import Final

from qanat.wire.diameter.layout import Layout, learn
from qanat.wire.diameter.messages import Message
from qanat.wire.diameter.walk import walk

MAX_SHAPES: Final = 256
"""Layouts kept for one connection: about 4.5 kB each for requests of 800 octets."""
MAX_ALIKE: Final = 8
"""Layouts that share a key and are compared in turn."""
LEARN_EVERY: Final = 128
LEARN_UP_TO: Final = 1 << 13
"""Octets of the longest message whose layout is learnt: none longer has been seen, and a layout is several times as long."""

_key: Final = itemgetter(slice(8), slice(20, 28))
"""Length, flags, command and the header of the first AVP, which is Session-Id: enough to tell most shapes apart."""


class Decoder:
    """Reads the messages of one connection."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[bytes, bytes], list[Layout]] = {}
        self.shapes = 0
        self._budget = MAX_SHAPES
        self.walked = 0

    def decode(self, octets: bytes) -> Message:
        """Read one whole message. Raises Malformed with what to answer."""
        try:
            for pieces, fixed, unpack, build in self._layouts.get(_key(octets), ()):
                if pieces(octets) == fixed:
                    return build(*unpack(octets))
        except (UnicodeDecodeError, StructError):
            pass  # the walk says what is wrong with it
        return self._read_new(octets)

    def _read_new(self, octets: bytes) -> Message:
        message = walk(octets)
        self.walked += 1
        if self.walked % LEARN_EVERY == 0:
            self._budget = min(self._budget + 1, MAX_SHAPES)
        if self._budget and len(octets) <= LEARN_UP_TO:
            self._budget -= 1
            self._keep(octets, learn(octets))
        return message

    def _keep(self, octets: bytes, layout: Layout) -> None:
        """Remember a layout; the oldest go when there are too many, of its key or of all."""
        if self.shapes == MAX_SHAPES:
            oldest = next(iter(self._layouts))
            self.shapes -= len(self._layouts.pop(oldest))
        alike = self._layouts.setdefault(_key(octets), [])
        if len(alike) == MAX_ALIKE:
            alike.pop()
            self.shapes -= 1
        alike.insert(0, layout)
        self.shapes += 1
