"""Where ``qanat`` begins. It loads what it runs, and whoever interrupts that is obeyed without a word."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from qanat.console.main import main as command  # noqa: PLC0415 - to load it takes a while

        command(prog_name="qanat")
    except KeyboardInterrupt:
        sys.exit(130)  # 128 and the number of SIGINT, as shells say it
