"""Reading messages fast: a bounded memory of layouts in front of the walk.

One ``Decoder`` belongs to one peer, on however many connections, so that a peer who sends ever new shapes slows only
itself. Learning a shape, or in what else its messages differ, costs about five walks where its kind of message was learnt
before, ten where it was not (measured for Open5GS and Magma); it is paid from a budget that refills by one for every
``LEARN_EVERY`` messages walked, so what such a peer costs stays within a tenth of the plain walk.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Final

from qanat.wire.diameter.layout import Shape
from qanat.wire.diameter.messages import Message
from qanat.wire.diameter.walk import walk

MAX_SHAPES: Final = 256
"""Shapes kept for one peer: some 8 kB each for requests of 800 octets."""
MAX_ALIKE: Final = 8
"""Shapes that share a key and are compared in turn."""
LEARN_AT_ONCE: Final = 4 * MAX_SHAPES
"""What may be learnt before it has to be earned: a shape is settled after three or four messages that differ."""
LEARN_EVERY: Final = 128
LEARN_UP_TO: Final = 1 << 13
"""Octets of the longest message whose layout is learnt: none longer has been seen, and a layout is several times as long."""

_key: Final = Struct("!I20xI").unpack_from
"""The lengths of the message and of its first AVP, which is Session-Id: enough to tell most shapes apart."""


class Decoder:
    """Reads the messages of one peer, on however many connections."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], list[Shape]] = {}
        self.shapes = 0
        self._budget = LEARN_AT_ONCE
        self.walked = 0

    def decode(self, octets: bytes) -> Message:
        """Read one whole message. Raises Malformed with what to answer."""
        try:
            for shape in self._known.get(_key(octets), ()):
                pieces, fixed, unpack, build = shape.layout
                if pieces(octets) == fixed:
                    return build(*unpack(octets))
        except (UnicodeDecodeError, StructError):
            pass  # the walk says what is wrong with it
        return self._read_new(octets)

    def _read_new(self, octets: bytes) -> Message:
        message = walk(octets)
        self.walked += 1
        if self.walked % LEARN_EVERY == 0:
            self._budget = min(self._budget + 1, LEARN_AT_ONCE)
        if self._budget and len(octets) <= LEARN_UP_TO:
            self._budget -= 1
            self._learn(octets)
        return message

    def _learn(self, octets: bytes) -> None:
        """Open a hole where this message differs from others of its shape, or remember a new shape."""
        for shape in self._known.get(_key(octets), ()):
            if shape.has(octets):
                shape.widen(octets)
                return
        self._keep(octets, Shape(octets))

    def _keep(self, octets: bytes, shape: Shape) -> None:
        """Remember a shape; the oldest go when there are too many, of its key or of all."""
        if self.shapes == MAX_SHAPES:
            oldest = next(iter(self._known))
            self.shapes -= len(self._known.pop(oldest))
        alike = self._known.setdefault(_key(octets), [])
        if len(alike) == MAX_ALIKE:
            alike.pop()
            self.shapes -= 1
        alike.insert(0, shape)
        self.shapes += 1
