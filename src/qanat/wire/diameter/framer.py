"""From a stream of octets to whole messages (RFC 6733 §4: the length is in the header)."""

from __future__ import annotations

from qanat.wire.diameter.header import HEADER_OCTETS, check_frame
from qanat.wire.diameter.results import Unframeable


class Framer:
    """Cuts a connection's octets into messages. Holds at most one incomplete message, never a length it refuses."""

    def __init__(self) -> None:
        self._pending = b""
        self._wanted = HEADER_OCTETS
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
        pending = self._pending + octets if self._pending else octets
        messages: list[bytes] = []
        start, end = 0, len(pending)
        while end - start >= self._wanted:
            word = int.from_bytes(pending[start : start + 4], "big")
            length = word & 0xFFFFFF
            try:
                check_frame(word)
            except Unframeable as fault:
                self.fault, self.torn = fault, pending[start : start + HEADER_OCTETS]
                self._pending = b""
                return messages
            if end - start < length:
                self._wanted = length
                break
            messages.append(pending[start : start + length])
            start += length
            self._wanted = HEADER_OCTETS
        self._pending = pending[start:]
        return messages
