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

_SYNCS: Final = 400


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    cores: int
    python: str
    kernel: str
    fsyncs_per_s: int
    """4 KiB appended and synced, one after another, in the folder that is measured."""


def describe(folder: Path) -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        kernel=platform.release(),
        fsyncs_per_s=_fsync_rate(folder),
    )


def rss_mb() -> int:
    """Return the resident memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000


def cpu_s() -> float:
    """Return the processor time of this process so far, all threads, user and system."""
    return time.process_time()


def _fsync_rate(folder: Path) -> int:
    block = os.urandom(4096)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        begun = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(block)
            file.flush()
            os.fdatasync(file.fileno())
        return int(_SYNCS / (time.perf_counter() - begun))
