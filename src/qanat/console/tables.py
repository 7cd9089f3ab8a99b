"""What people see: compact tables, sizes both readable and exact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qanat.units import Unit, format_count, format_money, format_size

_FIGURES = frozenset({"octets", "size", "available", "reserved", "used", "debt", "price", "priority", "times", "free"})


def wants_json() -> bool:
    return bool(click.get_current_context().meta.get("json"))


def say(sentence: str) -> None:
    """Print a sentence, unless the output is for a program."""
    if not wants_json():
        click.echo(sentence)


def show(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table, or a sentence when there is nothing to put in it."""
    lines = [[str(cell) for cell in row] for row in rows]
    if wants_json():
        return
    if not lines:
        click.echo(empty)
        return
    table = _table(columns, lines)
    if Console().is_terminal and _WIDE.measure(table).maximum > Console().width:
        _in_blocks(columns, lines)
    else:
        _WIDE.print(table)


_WIDE: Final = Console(highlight=False, width=10_000, height=25)
"""A pipe has no width, and what fits a terminal needs none: lines stay whole, for grep and for eyes."""


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in _FIGURES else "left", no_wrap=True)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _in_blocks(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Show a table that is too wide for the terminal row by row, a line for each column: an identifier is never folded."""
    width = max(len(column) for column in columns)
    blocks = (
        "\n".join(f"{column:<{width}}  {cell}" for column, cell in zip(columns, line, strict=True)) for line in lines
    )
    click.echo("\n\n".join(blocks))


def size(octets: int) -> str:
    """Write octets readably and exactly: ``1.23 GB (1,234,567,890)``."""
    return f"{octets} B" if abs(octets) < 1000 else f"{format_size(octets)} ({octets:,})"


def amount(count: int, unit: Unit) -> str:
    """Write a count of any unit, octets as ``size`` does."""
    return size(count) if unit == "octets" else format_count(count, unit)


def money(amount: int, currency: str) -> str:
    return f"{format_money(amount)} {currency}"


def moment(text: str | None) -> str:
    return "–" if text is None else text.replace("T", " ").removesuffix("Z")
