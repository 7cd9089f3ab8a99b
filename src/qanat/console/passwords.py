"""Passwords that a command needs: asked for at the terminal unseen; where there is none, a line of what is piped in."""

from __future__ import annotations

import os
import sys
from typing import Any

import click


class Password(click.Option):
    """An option that is asked for when it is not given."""

    def prompt_for_value(self, ctx: click.Context) -> Any:
        assert self.prompt is not None, "it has words to be asked for with"
        return super().prompt_for_value(ctx) if _terminal() else _line(f"--{self.name}")


def ask(prompt: str, *, option: str) -> str:
    """Ask for what an option was not given for."""
    return str(click.prompt(prompt, hide_input=True)) if _terminal() else _line(option)


def _line(option: str) -> str:
    """Raises UsageError if nothing more is piped in."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError(f"There is no terminal to ask at: give {option}, or pipe it in.")
    return line


def _terminal() -> bool:
    """Whether somebody can be asked unseen: at the terminal we belong to, or the one that stdin is."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True
