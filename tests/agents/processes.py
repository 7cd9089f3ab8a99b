"""Agents as processes of their own."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.namespaces import Namespace
from tests.patience import PATIENCE_S

SOURCE = Path(__file__).parents[2] / "src"


class Agent:
    """An agent in a process of its own; ``wait_for`` reads its log until an event comes."""

    def __init__(
        self,
        namespace: Namespace,
        module: str,
        *arguments: str,
        before: tuple[str, ...] = (),
        program: tuple[str, ...] = (),
    ) -> None:
        """``before`` are commands through which it is started, that take something away from it.

        ``program`` is run instead of the module.
        """
        command = [*before, *(program or (sys.executable, "-m", module)), *arguments, "--json"]
        with namespace.inside():
            self.process = subprocess.Popen(
                command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(SOURCE)}
            )
        self.lines: list[dict[str, Any]] = []
        self.buffer = b""

    def wait_for(self, event: str, **facts: object) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        assert self.process.stderr is not None
        while True:
            while b"\n" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\n")
                assert line.startswith(b"{"), (line + self.buffer + self.process.stderr.read()).decode()
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == event and facts.items() <= self.lines[-1].items():
                    return self.lines[-1]
            ready, _, _ = select.select([self.process.stderr], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {event!r} within {PATIENCE_S} s: {self.lines}"
            came = os.read(self.process.stderr.fileno(), 65536)
            assert came, f"the agent ended without {event!r}: {self.lines}"
            self.buffer += came

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.lines

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)


def asked(namespace: Namespace, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a ``qanat`` command inside, to its end; ``before`` are commands through which it is started."""
    command = [*before, sys.executable, "-m", "qanat.console.main", *words]
    with namespace.inside():
        known = {**os.environ, "PYTHONPATH": str(SOURCE)}
        return subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def flushing_nft(folder: Path) -> tuple[str, ...]:
    """An ``nft`` on the path that flushes what it has laid, the first time."""
    real, own = shutil.which("nft"), folder / "nft"
    once = 'mkdir "$0.once" 2>/dev/null || exit 0'
    own.write_text(f'#!/bin/sh\n{real} "$@" || exit\n{once}\nexec {real} flush ruleset\n')
    own.chmod(0o755)
    return ("env", f"PATH={folder}:{os.environ['PATH']}")
