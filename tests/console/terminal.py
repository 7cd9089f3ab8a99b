"""A command at a real terminal (a pty of a chosen size), read as a person would, and stopped with Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.console.running import Shell
from tests.patience import PATIENCE_S


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self.seen = ""

    def until(self, text: str, *, seconds: float = 20) -> str:
        """Read until the text was shown, and return everything shown so far."""
        while text not in self.seen:
            ready, _, _ = select.select([self._screen], [], [], seconds)
            assert ready, f"{text!r} was not shown: {self.seen!r}"
            self.seen += self._read()
        return self.seen

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit status."""
        return self.type("\x03")

    def type(self, keys: str) -> int:
        """Type what ends the command, and return the exit status."""
        os.write(self._screen, keys.encode())
        while shown := self._read():
            self.seen += shown
        return self.process.wait(PATIENCE_S)

    def _read(self) -> str:
        try:
            return os.read(self._screen, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""


@contextmanager
def at_terminal(shell: Shell, *arguments: str, columns: int = 100, lines: int = 24) -> Iterator[Terminal]:
    screen, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "qanat.console.main", *arguments],
        cwd=shell.directory,
        env=_environment(shell, "xterm-256color"),
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    os.close(inside)
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(screen)


def on_a_terminal(shell: Shell, *words: str, columns: int) -> list[str]:
    """Run a command on a terminal of so many columns and return the lines it wrote."""
    near, far = os.openpty()
    termios.tcsetwinsize(far, (24, columns))
    command = [sys.executable, "-m", "qanat.console.main", *words]
    with subprocess.Popen(command, cwd=shell.directory, env=_environment(shell, "xterm"), stdout=far) as running:
        os.close(far)
        written = b"".join(iter(partial(_read, near), b""))
    os.close(near)
    assert running.returncode == 0
    return re.sub(r"\x1b\[\d*m|\r", "", written.decode()).splitlines()


def _environment(shell: Shell, terminal: str) -> dict[str, str]:
    """Return what a command finds at this kind of terminal, which itself says how large it is."""
    kept = {name: value for name, value in shell.environment.items() if name not in ("COLUMNS", "LINES")}
    return kept | {"TERM": terminal}


def _read(near: int) -> bytes:
    try:
        return os.read(near, 4096)
    except OSError:  # nobody has the other end any more
        return b""
