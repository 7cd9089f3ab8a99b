"""What a figure was measured on: the machine, the disk, and what durable means here. Printed beside every benchmark."""

from __future__ import annotations

import os
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from qanat.ledger import work
from qanat.store import sqlite_writer

_SYNCS: Final = 400
_WRITES: Final = sqlite_writer.__name__.encode()
_GOVERNOR: Final = Path("/sys/devices/system/cpu/cpuidle/current_governor")
_POLLED: Final = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    cores: int
    python: str
    compiled: bool
    """Whether the hot path is (decision 26)."""
    kernel: str
    idle_poll_us: int | None
    """How long an idle processor of a virtual machine looks for work itself before it halts and is woken by the host (Linux,
    ``Documentation/virt/guest-halt-polling.rst``); None where the kernel has no such governor at work."""
    fsyncs_per_s: int
    """4 KiB appended and synced, one after another, in the folder that is measured."""

    def __str__(self) -> str:
        compiled = ", hot path compiled" if self.compiled else ""
        return f"{self.cores} cores{self._idle}, Linux {self.kernel}, Python {self.python}{compiled}"

    @property
    def _idle(self) -> str:
        if self.idle_poll_us is None:
            return ""
        if self.idle_poll_us == 0:
            return " that halt at once"
        return f" that look for work for {self.idle_poll_us} µs before they halt"


def describe(folder: Path) -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        compiled=not str(work.__file__).endswith(".py"),
        kernel=platform.release(),
        idle_poll_us=_idle_poll_us(),
        fsyncs_per_s=_fsync_rate(folder),
    )


def rss_mb() -> int:
    """Return the resident memory of this process and of those that write for it, in MB."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (os.getpid(), *_writers()))
    return pages * resource.getpagesize() // 1_000_000


def cpu_s() -> float:
    """Return the processor time of this process and of those that write for it, all threads, user and system."""
    return time.process_time() + sum(_run_ns(pid) for pid in _writers()) / 1e9


def _writers() -> list[int]:
    """Return the children that write to a database of ours."""
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [int(pid) for pid in children if _WRITES in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _run_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _idle_poll_us() -> int | None:
    try:
        governed = _GOVERNOR.read_text().strip() == "haltpoll"
        return int(_POLLED.read_text()) // 1000 if governed else None
    except OSError:
        return None


def _fsync_rate(folder: Path) -> int:
    block = os.urandom(4096)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        begun = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(block)
            file.flush()
            os.fdatasync(file.fileno())
        return int(_SYNCS / (time.perf_counter() - begun))
