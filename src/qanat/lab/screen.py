"""What the show looks like: numbered steps with what came of them; colours and a live line only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qanat.lab.report import Row
from qanat.units import format_size

_WIDEST: Final = 1_000


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._number = 0
        self.title = "the beginning"
        self._live = _Live()
        self._began = time.monotonic()

    def chapter(self, title: str) -> None:
        self._console.print(Text(f"\n{title}", style="bold underline"))

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self._number += 1
        self.title = f"{self._number}. {title}"
        self._console.print(Text(f"\n{self._number:>2}  {title}", style="bold"))
        self.follow(lambda: title)
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(self._live, spinner="dots"):
            yield

    def follow(self, tell: Callable[[], str]) -> None:
        """Let the live line tell this from now on; it is asked several times a second."""
        self._live.tell = tell

    def say(self, sentence: str) -> None:
        self._indented(Text(sentence))

    def typed(self, *words: str) -> None:
        """Show a command as a person would type it."""
        # Never folded: it is there to be copied.
        self._console.print(Text(f"    $ qanat {' '.join(words)}", style="cyan"), soft_wrap=True)

    def plain(self, sentence: str = "", style: str = "") -> None:
        self._console.print(Text(sentence, style=style), soft_wrap=True)

    def lines(self, title: str, lines: Sequence[str]) -> None:
        self._console.print(Text(title, style="bold red"))
        for line in lines:
            self._indented(Text(line, style="dim"))

    def table(self, rows: Iterable[Row]) -> None:
        """Show figures, which are never cut: a terminal too narrow for both directions gets their total."""
        shown = list(rows)
        table = self._table(shown, ("up", "down", "total"))
        if self._console.is_terminal and (table.width or 0) > self._console.width:
            table = self._table(shown, ("total",))
        self._console.print(table, crop=False)

    def _table(self, rows: Iterable[Row], counts: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("octets", no_wrap=True)
        for column in (*counts, "difference"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("to", no_wrap=True)
        for row in rows:
            style = "" if row.difference is None else "green" if row.difference == 0 else "yellow"
            figures = [_figure(getattr(row, count)) for count in counts]
            table.add_row(row.counter, *figures, Text(_figure(row.difference), style=style), row.against)
        table.width = self._console.measure(table, options=self._console.options.update(max_width=_WIDEST)).maximum
        return table

    def _indented(self, text: Text) -> None:
        """Fold at the width of a terminal; a pipe has no width, and lines stay whole there."""
        if self._console.is_terminal:
            self._console.print(Padding(text, (0, 0, 0, 4)))
        else:
            self._console.print(Text("    ").append_text(text), soft_wrap=True)

    @property
    def elapsed_s(self) -> int:
        return round(time.monotonic() - self._began)


class _Live:
    """A line that says what it is told to at the moment it is drawn."""

    def __init__(self) -> None:
        self.tell: Callable[[], str] = str

    def __rich__(self) -> Text:
        return Text(self.tell(), style="dim")


def size(octets: int) -> str:
    """Write octets exactly, and readably beside it where they are many."""
    return f"{octets:,} octets" if octets < 1_000_000 else f"{octets:,} octets ({format_size(octets)})"


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _figure(octets: int | None) -> str:
    return "" if octets is None else f"{octets:,}"
