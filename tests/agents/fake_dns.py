"""A small DNS: one name, which leads where the test says."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread

from tests.agents.names import NAME
from tests.namespaces import Namespace

A = 1
SHORTEST = 12 + 4


class FakeDns:
    """Answers over UDP until it is closed; ``asked_from`` has the port of every question."""

    def __init__(self, internet: Namespace, address: str) -> None:
        self.leads_to: list[str] = []
        self.asked_from: list[int] = []
        self.ignores = 0
        """So many questions get no answer."""
        self.overtaken_by: FakeDns | None = None
        """Somebody else who hears the questions too, and answers sooner."""
        with internet.inside():
            self.end = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.end.bind((address, 53))
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.end.shutdown(socket.SHUT_RDWR)
        self.end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                asked, whom = self.end.recvfrom(2000)
                if not asked:
                    return
                self.asked_from.append(whom[1])
                if self.overtaken_by is not None:
                    self.overtaken_by.end.sendto(self.overtaken_by.answer(asked), whom)
                if self.ignores:
                    self.ignores -= 1
                elif len(asked) > SHORTEST:
                    self.end.sendto(self.answer(asked), whom)

    def answer(self, asked: bytes) -> bytes:
        """Compose the answer of RFC 1035 §4.1, with names that point at the question's."""
        number, kind = struct.unpack("!H", asked[:2])[0], struct.unpack("!H", asked[-4:-2])[0]
        is_known = asked[12:-4] == b"".join(bytes((len(part),)) + part.encode() for part in NAME.split(".")) + b"\0"
        found = [each.packed for each in map(ip_address, self.leads_to) if each.version == (4 if kind == A else 6)]
        records = [struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data for data in found if is_known]
        head = struct.pack("!6H", number, 0x8180 if is_known else 0x8183, 1, len(records), 0, 0)
        return head + asked[12:] + b"".join(records)
