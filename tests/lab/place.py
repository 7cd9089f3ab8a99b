"""Runs things where the lab may be laid, without touching the machine's own network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qanat.lab import private
from qanat.lab.private import Place

ROOT = Path(__file__).parents[2]


def any_place() -> Place:
    place = private.find_place()
    if place is Place.NOWHERE:
        pytest.skip("needs root, or user namespaces (`sysctl user.max_user_namespaces`)")
    return place


def run_inside(place: Place, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        private.command_inside(place, module, arguments),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT / "src"), str(ROOT), *sys.path)))}


def processes_that_know(text: str) -> list[str]:
    """Return the command lines of all running processes that hold the text."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return [line for line in lines if text in line]
