"""What people see: compact tables, sizes both readable and exact."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import click

from qanat.units import Unit, format_count, format_money, format_size


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
    from qanat.console.drawn import draw  # noqa: PLC0415 - most commands draw nothing, and start a tenth sooner

    draw(columns, lines)


def say_more(found: dict[str, Any]) -> None:
    """Tell that a list goes on, and how to see the rest."""
    if found["next"]:
        say(f"There is more: the same again with --after {shlex.quote(found['next'])}.")


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
