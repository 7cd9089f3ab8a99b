"""The three streams a command is started with: opened where they were closed, given up where they take nothing."""

from __future__ import annotations

import os
import sys


def stand_in() -> bool:
    """Open the streams that whoever started us closed, lest a socket or a database get the number of one.

    Nothing is to be read from them; what is printed fails, as it does on a full disk. Returns whether stdout was closed.
    """
    closed = sys.stdout is None
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")  # noqa: SIM115 - it stays open
    if closed:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")  # noqa: SIM115
    return closed


def give_output_up() -> None:
    """Let what is left to be written go nowhere, instead of failing once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
