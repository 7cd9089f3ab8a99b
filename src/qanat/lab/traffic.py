"""What a person does with a network: downloads and uploads over real connections, in a host of the lab."""

from __future__ import annotations

import hashlib
import http.client
import socket
import struct
from contextlib import nullcontext, suppress
from http import HTTPStatus
from threading import Event, Thread
from typing import Final

from qanat.lab.namespaces import Host, LabFault
from qanat.lab.waiting import PATIENCE_S, until
from qanat.units import Octets

_PIECE: Final = 65_536
_HANG_UP: Final = struct.pack("ii", 1, 0)


class Download:
    """A file on its way; ``received`` grows. It waits as long as a person would when the network stalls."""

    def __init__(self, host: Host | None, address: str, file: str) -> None:
        self.file = file
        self.received = Octets(0)
        self.size = Octets(0)
        self.digest = ""
        self._fault = ""
        self._ended = Event()
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        self._connection.sock = _connect(host, address)
        Thread(target=self._run, daemon=True).start()

    @property
    def is_complete(self) -> bool:
        """Raises LabFault when it can't become so."""
        if self._fault:
            raise LabFault(f"downloading {self.file}: {self._fault} after {self.received} octets")
        return self._ended.is_set()

    def reach(self, octets: int) -> None:
        """Wait until so much has arrived. Raises TooLate when nothing more comes, LabFault."""
        while not self.is_complete and self.received < octets:
            self._receive_more()

    def finish(self) -> Octets:
        """Wait until all of it has arrived, and return its size. Raises TooLate when nothing more comes, LabFault."""
        while not self.is_complete:
            self._receive_more()
        if self.received != self.size:
            raise LabFault(f"{self.file} has {self.size} octets, {self.received} came")
        return self.received

    def abandon(self) -> None:
        """Hang up at once."""
        sock = self._connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HANG_UP)
                sock.shutdown(socket.SHUT_RDWR)

    def _receive_more(self) -> None:
        """However slow the machine, a download that goes on is not given up."""
        before = self.received
        until(lambda: self.is_complete or self.received > before, f"more of {self.file} than {before} octets")

    def _run(self) -> None:
        hashed = hashlib.sha256()
        try:
            self._connection.request("GET", f"/{self.file}", headers={"connection": "close"})
            answer = self._connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise LabFault(f"status {answer.status}")
            self.size = Octets(answer.length or 0)
            while piece := answer.read1(_PIECE):
                hashed.update(piece)
                self.received = Octets(self.received + len(piece))
            self.digest = hashed.hexdigest()
        except (OSError, http.client.HTTPException, LabFault) as error:
            self._fault = str(error) or type(error).__name__
        finally:
            self._ended.set()
            self._connection.close()


def upload(host: Host | None, address: str, file: str, contents: bytes) -> Octets:
    """Send something and return how much. Raises LabFault."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    try:
        connection.sock = _connect(host, address)
        connection.request("PUT", f"/{file}", body=contents, headers={"connection": "close"})
        if connection.getresponse().status != HTTPStatus.CREATED:
            raise LabFault(f"{address} did not take {file}")
    except (OSError, http.client.HTTPException) as error:
        raise LabFault(f"uploading {file}: {error}") from error
    finally:
        connection.close()
    return Octets(len(contents))


def _connect(host: Host | None, address: str) -> socket.socket:
    name, _, port = address.rpartition(":")
    with host.inside() if host else nullcontext():
        try:
            return socket.create_connection((name, int(port)), timeout=PATIENCE_S)
        except OSError as error:
            raise LabFault(f"connecting to {address}: {error}") from error
