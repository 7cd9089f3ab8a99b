"""Programs that the lab starts: each writes into a log file of its own and never outlives the lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from qanat.lab.namespaces import LabFault
from qanat.lab.waiting import until

_DIE_WITH_PARENT: Final = ("setpriv", "--pdeathsig", "KILL")
_STOP_WITHIN_S: Final = 15
PYTHON: Final = (sys.executable, "-m")
QANAT: Final = (*PYTHON, "qanat.console.main")


class Program:
    """A running program. ``stop`` is polite, ``kill`` is not."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, pass_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.log = log
        self._seen = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                pass_fds=pass_fds,
                start_new_session=True,  # Ctrl-C is for the lab, which then stops its programs in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, text: str) -> str:
        """Return the first line of this run that holds the text. Raises TooLate, and LabFault when it ended instead."""
        return until(lambda: self._find(text), f"{self.name} says {text!r}")

    def lines(self) -> Iterator[str]:
        """Yield what this run has written so far, whole lines only."""
        with self.log.open("rb") as opened:
            opened.seek(self._seen)
            text = opened.read().decode(errors="replace")
        yield from text[: text.rfind("\n") + 1].splitlines()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON log lines of this run about one kind of event."""
        found = []
        for line in self.lines():
            with suppress(msgspec.DecodeError):
                event = msgspec.json.decode(line)
                if isinstance(event, dict) and event.get("event") == name:
                    found.append(event)
        return found

    def tail(self, count: int = 8) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()[-count:]

    def kill(self) -> None:
        """End it as a power cut would end a process: kill -9."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end and wait for that; after too long it is killed. Returns its exit status."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def _find(self, text: str) -> str | None:
        ended = not self.is_running
        for line in self.lines():
            if text in line:
                return line
        if ended:
            raise LabFault(f"{self.name} ended with status {self._process.returncode}: {' / '.join(self.tail(3))}")
        return None
