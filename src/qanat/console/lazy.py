"""Commands are imported when they are asked for, and large modules that nobody needs not at all.

An agent on a small device loads what it runs.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """``where`` tells for each name the module and the object: ``"qanat.console.serving:serve"``."""

    def __init__(self, *arguments: Any, where: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._where = where

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted(self._where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        if cmd_name not in self._where:
            return None
        module, _, name = self._where[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command), f"{self._where[cmd_name]} is no command"
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whoever interrupts it gets what shells expect, and no word (click would say "Aborted!", 1)."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)


@contextmanager
def absent(module: str) -> Iterator[None]:
    """Let what is imported meanwhile do without an optional module; it can still be imported afterwards."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # the language's way to say so (reference, §5.3.1)
    try:
        yield
    finally:
        del sys.modules[module]
