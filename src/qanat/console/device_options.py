"""What the commands of both devices have in common: where they keep their state, and how they end when it goes wrong."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from qanat.errors import BadInput, Fault
from qanat.printed import plain_lines

T = TypeVar("T")
Command = Callable[..., Any]


def state_option(contents: str) -> Callable[[Command], Command]:
    """Add ``--state``, the folder of these."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--state", type=kind, help=f"Folder of {contents}.")


def to_run(command: str, state: Path | None) -> str:
    """Return what is typed to start the agent on this folder; None is the usual one."""
    return shlex.join(["qanat", command, "run", *(("--state", str(state)) if state else ())])


def or_exit(command: str, action: Callable[[], T]) -> T:
    """Do it; a fault ends the command with what happened and how to cure it."""
    try:
        return action()
    except Fault as fault:
        click.echo(plain_lines(f"qanat {command}: {fault}"), err=True)
        sys.exit(2 if isinstance(fault, BadInput) else 1)
