"""A table as people see it. Loads rich, which commands without a table do without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FIGURES: Final = frozenset(
    {"octets", "size", "available", "reserved", "used", "debt", "price", "priority", "times", "free"}
)
_WIDE: Final = Console(highlight=False, width=10_000, height=25)
"""A pipe has no width, and what fits a terminal needs none: lines stay whole, for grep and for eyes."""


def draw(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table; one that is too wide for the terminal row by row."""
    table = _table(columns, lines)
    if Console().is_terminal and _WIDE.measure(table).maximum > Console().width:
        _in_blocks(columns, lines)
    else:
        _WIDE.print(table)


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
