"""What people see: compact tables, sizes both readable and exact."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any, Self

import click

from qanat.printed import plain, plain_lines
from qanat.units import Unit, format_count, format_size


class Cell(str):
    """A text with a shorter one, for where there is little room."""

    short: str

    def __new__(cls, text: str, short: str) -> Self:
        cell = super().__new__(cls, text)
        cell.short = short
        return cell


def wants_json() -> bool:
    return bool(click.get_current_context().meta.get("json"))


def say(sentence: str) -> None:
    """Print a sentence, unless the output is for a program."""
    if not wants_json():
        click.echo(plain_lines(sentence))


def show(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str, spare: Sequence[str] = ()) -> None:
    """Print a table, or a sentence when there is nothing to put in it. In a narrow terminal ``spare`` is left out, in order."""
    lines = [[cell if isinstance(cell, Cell) else plain(str(cell)) for cell in row] for row in rows]
    if wants_json():
        return
    if not lines:
        click.echo(empty)
        return
    from qanat.console.drawn import draw  # noqa: PLC0415 - most commands draw nothing, and start a tenth sooner

    draw(columns, lines, spare=spare)


def say_more(found: dict[str, Any]) -> None:
    """Tell that a list goes on, and how to see the rest."""
    if found["next"]:
        say(f"There is more: the same again with --after {shlex.quote(found['next'])}.")


def size(octets: int) -> str:
    """Write octets readably and exactly: ``1.23 GB (1,234,567,890)``; only readably where there is little room."""
    readable = format_size(octets)
    return readable if abs(octets) < 1000 else Cell(f"{readable} ({octets:,})", short=readable)


def amount(count: int, unit: Unit) -> str:
    """Write a count of any unit, octets as ``size`` does."""
    return size(count) if unit == "octets" else format_count(count, unit)


def moment(text: str | None) -> str:
    """Write a moment to the second; to the minute where there is little room."""
    if text is None:
        return "–"
    whole = text.replace("T", " ").removesuffix("Z")
    return Cell(whole, short=whole[:16])


def lately(text: str | None) -> str:
    """Write a moment as ``moment`` does, of which the year needn't be said."""
    whole = moment(text)
    return Cell(whole, short=whole[5:16]) if text else whole
