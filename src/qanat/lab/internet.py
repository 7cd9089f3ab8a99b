"""The internet host: serves real files over HTTP/1.1 at the speed of a good mobile cell, and takes uploads.

``python -m qanat.lab.internet FOLDER ADDRESS:PORT`` prints one line ``ready`` and serves until it is ended.
"""

from __future__ import annotations

import socket
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Final

from qanat.units import Octets

OCTETS_PER_S: Final = 5_000_000
"""40 Mbit/s."""
FILES: Final = {
    "page.html": Octets(250_000),
    "photo.jpg": Octets(2_000_000),
    "song.ogg": Octets(6_000_000),
    "film.mp4": Octets(20_000_000),
    "radio.ogg": Octets(6_000_000),
}
_SLOW: Final = {"/radio.ogg": 1_000_000}
"""What comes no faster than it is listened to, in octets a second."""
_MAX_PACING_RATE: Final = 47
"""SO_MAX_PACING_RATE of linux/socket.h: TCP itself keeps to the rate."""


def make_files(folder: Path) -> None:
    """Fill the folder with files that do not compress; the same name always has the same contents."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in FILES.items():
        (folder / name).write_bytes(Random(name).randbytes(size))  # noqa: S311  # contents, not secrets


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file at its rate."""
        self.connection.setsockopt(socket.SOL_SOCKET, _MAX_PACING_RATE, _SLOW.get(self.path, OCTETS_PER_S))
        super().do_GET()

    def do_PUT(self) -> None:
        """Take an upload and forget it."""
        left = int(self.headers.get("content-length", "0"))
        while left > 0:
            piece = self.rfile.read(min(left, 65_536))
            if not piece:
                return
            left -= len(piece)
        self.send_response(HTTPStatus.CREATED)
        self.send_header("content-length", "0")
        self.end_headers()


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say in a line that a client went away; a stack trace would not help anybody."""
        print(sys.exc_info()[1], file=sys.stderr)


def main() -> None:
    folder, address = Path(sys.argv[1]), sys.argv[2]
    host, _, port = address.rpartition(":")
    with Listener((host, int(port)), partial(Handler, directory=str(folder))) as listener:
        print(f"ready http={host}:{listener.server_port}", flush=True)
        listener.serve_forever()


if __name__ == "__main__":
    main()
