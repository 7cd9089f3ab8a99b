"""A group of commands that are imported when they are asked for: an agent on a small device loads what it runs."""

from __future__ import annotations

from collections.abc import Mapping
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
