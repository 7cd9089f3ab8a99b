"""Groups of commands: listed with their whole first sentences, and imported when they are asked for.

An agent on a small device loads what it runs, and large modules that nobody needs not at all.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import click

_SENTENCE: Final = 160
"""Letters; none of our first sentences is longer."""


class Group(click.Group):
    """Lists each command with its whole first sentence; click would cut it at what is left of the line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.sentence(ctx, name)) for name in self.list_commands(ctx)])

    def sentence(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        assert command is not None, f"{name} is listed"
        return command.get_short_help_str(_SENTENCE)


class LazyGroup(Group):
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; click looks for names like one that there is not among those that are loaded, and none is."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as unknown:
            raise click.NoSuchCommand(unknown.command_name, possibilities=self._where, ctx=ctx) from None

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
