"""From a stream of octets to whole messages (RFC 6733 §4: the length is in the header)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from qanat.wire.diameter.header import BEGINNINGS, HEADER_OCTETS, fault_of
from qanat.wire.diameter.results import Unframeable

_word: Final = Struct("!I").unpack_from
_LEAST: Final = BEGINNINGS[0]
_MOST: Final = BEGINNINGS[-1]


class Framer:
    """Cuts a connection's octets into messages. Holds at most one incomplete message, never a length it refuses."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._missing = 0
        """Octets without which what is pending is no message yet: it is looked at, and copied, once they are there."""
        self.fault: Unframeable | None = None
        """Set once the stream cannot be divided any more; what comes after is dropped."""
        self.torn = b""
        """The header at fault, so that it can be answered."""

    def feed(self, octets: bytes) -> list[bytes]:
        """Take what arrived and return the messages it completes, in order.

        After a length or version that cannot be, ``fault`` is set and nothing more comes out.
        """
        if self.fault is not None:
            return []
        if len(octets) < self._missing:
            self._pending += octets
            self._missing -= len(octets)
            return []
        pending = bytes(self._pending) + octets if self._pending else octets
        messages: list[bytes] = []
        start, stop, end = 0, HEADER_OCTETS, len(pending)
        while stop <= end:  # first a header's octets, then with its length the whole message's
            word: int = _word(pending, start)[0]
            if not _LEAST <= word <= _MOST or word & 3:
                self.fault, self.torn = fault_of(word), pending[start : start + HEADER_OCTETS]
                start = end
                break
            stop = start + (word & 0xFFFFFF)
            if stop <= end:
                messages.append(pending[start:stop])
                start, stop = stop, stop + HEADER_OCTETS
        self._pending, self._missing = bytearray(pending[start:]), stop - end
        return messages
