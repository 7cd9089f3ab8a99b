"""What every process that the store starts has in common: its environment, how it is set up, how its end is told."""

from __future__ import annotations

import os
import signal
import socket
import sys

from qanat.system import tune


def environment() -> dict[str, str]:
    """Return ours, with where we import from: a package brings its libraries in a folder of its own."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def line_to_the_server() -> socket.socket:
    """Set a process up that works for a server until that goes, and return the socket on its standard input.

    Signals to the whole group pass: the server answers them, and still has to write and read then.
    """
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked_to_stop, signal.SIG_IGN)
    tune()
    return socket.socket(fileno=sys.stdin.fileno())


def how_it_ended(status: int) -> str:
    if status < 0:
        return f"was ended by signal {-status} ({signal.strsignal(-status)}): the system's log may know why"
    return f"ended with status {status}: what it said last is in the log"
