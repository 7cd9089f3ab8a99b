"""What people type on the command line: sizes and money, admitted exactly or refused with the cure (exit 2)."""

from __future__ import annotations

from typing import Any

import click

from qanat.units import parse_money, parse_size


class Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Money(click.ParamType[int]):
    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_money(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
