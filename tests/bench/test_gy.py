"""The benchmark as a person runs it who thinks better of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.console.running import Shell
from tests.patience import PATIENCE_S
from tests.traffic import until


def processes_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_text())
    return [command for command in found if str(folder) in command]


def test_an_interrupt_while_its_server_starts_leaves_none_behind(tmp_path: Path) -> None:
    """Only the benchmark itself is told, as by a script: in a terminal the server hears of it too."""
    shell = Shell(tmp_path)
    bench = subprocess.Popen(
        [sys.executable, "-m", "qanat", "bench", "gy", "--subscribers", "1", "--seconds", "60"],
        cwd=tmp_path,
        env=shell.environment | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: any("\0serve\0" in command for command in processes_of(tmp_path)))
    bench.send_signal(signal.SIGINT)
    assert bench.wait(timeout=PATIENCE_S) == 130
    until(lambda: not processes_of(tmp_path))
