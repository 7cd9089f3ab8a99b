"""The real command in a process of its own, and a server started by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import PATIENCE_S

import qanat

_SOURCE = str(Path(qanat.__file__).parents[1])


class Shell:
    """Runs ``qanat`` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QANAT_")}
        self.environment = kept | {"PYTHONPATH": _SOURCE, "COLUMNS": "200"}

    def qanat(self, *arguments: str, status: int = 0, python: tuple[str, ...] = ()) -> str:
        """Run a command and return what it printed; on failure, what it said."""
        ended = self.run(sys.executable, *python, "-m", "qanat.console.main", *arguments)
        assert ended.returncode == status, (arguments, ended.stdout, ended.stderr)
        assert "Traceback" not in ended.stderr
        return ended.stdout if status == 0 else ended.stdout + ended.stderr

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run any command here to its end."""
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def begin(self, *arguments: str, behind: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Begin a command that goes on until it is stopped; what it prints can be read."""
        return subprocess.Popen(
            [*behind, sys.executable, "-m", "qanat.console.main", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


class Serving:
    """A server in a process of its own, ready."""

    def __init__(self, shell: Shell, *arguments: str, behind: tuple[str, ...] = ()) -> None:
        self.process = shell.begin("serve", "--http", "127.0.0.1:0", *arguments, behind=behind)
        assert self.process.stdout
        self.ready_line = self.process.stdout.readline().strip()
        assert self.ready_line.startswith("ready http="), self.process.communicate()
        self.url = "http://" + self.ready_line.partition("http=")[2].split()[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Return the exit status, and what was printed to stdout after the ready line and to stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@contextmanager
def serving(shell: Shell, *arguments: str, behind: tuple[str, ...] = ()) -> Iterator[Serving]:
    server = Serving(shell, *arguments, behind=behind)
    shell.environment["QANAT_URL"] = server.url
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()
