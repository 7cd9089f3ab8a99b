"""A table as people see it. Loads rich, which commands without a table do without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FIGURES: Final = frozenset(
    {
        *("octets", "size", "available", "reserved", "used", "debt", "days", "price", "priority", "times", "free"),
        *("given", "promised", "obtained", "price of 1 GB", "offset"),
        *("claims", "owes", "net", "by transfers", "amount"),
    }
)
_WIDE: Final = Console(highlight=False, width=10_000, height=25)
"""A pipe has no width, and what fits a terminal needs none: lines stay whole, for grep and for eyes."""

Lines = Sequence[Sequence[str]]


def draw(columns: Sequence[str], lines: Lines, *, spare: Sequence[str] = ()) -> None:
    """Print a table; in a terminal that is too narrow in shorter words, then without what can be spared, then row by row."""
    console = Console()
    room = console.width if console.is_terminal else _WIDE.width
    for kept, cells in _ever_narrower(columns, lines, spare):
        table = _table(kept, cells)
        if _WIDE.measure(table).maximum <= room:
            _WIDE.print(table)
            if missing := ", ".join(name for name in columns if name not in kept):
                click.echo(f"(A wider terminal, or --json, shows more: {missing}.)")
            return
    _in_blocks(columns, lines)


def _ever_narrower(columns: Sequence[str], lines: Lines, spare: Sequence[str]) -> Iterator[tuple[Sequence[str], Lines]]:
    yield columns, lines
    lines = [[getattr(cell, "short", cell) for cell in line] for line in lines]
    yield columns, lines
    for name in spare:
        kept = [at for at, column in enumerate(columns) if column != name]
        columns = [columns[at] for at in kept]
        lines = [[line[at] for at in kept] for line in lines]
        yield columns, lines


def _table(columns: Sequence[str], lines: Lines) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in _FIGURES else "left", no_wrap=True)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _in_blocks(columns: Sequence[str], lines: Lines) -> None:
    """Show a table row by row, a line for each column: an identifier is never folded."""
    width = max(len(column) for column in columns)
    blocks = (
        "\n".join(f"{column:<{width}}  {cell}" for column, cell in zip(columns, line, strict=True)) for line in lines
    )
    click.echo("\n\n".join(blocks))
