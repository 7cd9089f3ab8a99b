"""Live sessions in the terminal: below the prompt, or on the whole screen; for programs one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from qanat.console.client import Client, Json
from qanat.console.standard import give_output_up
from qanat.console.tables import wants_json
from qanat.printed import plain
from qanat.units import format_size

_STREAM: Final = "/v1/pulse/stream"
_BARS: Final = "▁▂▃▄▅▆▇█"
_BELOW_THE_PROMPT: Final = 20
"""Sessions shown while watching; `qanat top` fills the screen."""

_COLUMNS: Final[tuple[tuple[str, str, int], ...]] = (
    ("subscriber", "left", 0),
    ("rate", "right", 0),
    ("used", "right", 0),
    ("reserved", "right", 56),
    ("holder", "left", 76),
    ("last (UTC)", "left", 96),
    ("session", "left", 120),
)
"""Name, side, and how wide the terminal must be for it."""


def watch_sessions(client: Client, *, most: int | None = None) -> NoReturn:
    """Show live sessions until Ctrl-C: so many, or as many as there is room for."""
    console = Console()
    if wants_json() or not console.is_terminal:
        _print_lines(client, most=most)
    past: list[int] = []
    with _until_interrupted(), Live(console=console, auto_refresh=False, transient=False) as live:
        for event in client.events(_STREAM):
            live.update(_picture(event, past, width=console.width, rows=most or _BELOW_THE_PROMPT), refresh=True)
    raise click.exceptions.Exit(0)


def show_top(client: Client) -> NoReturn:
    """Show live sessions on the whole screen until Ctrl-C, and leave the terminal as it was."""
    console = Console()
    if wants_json():
        _print_lines(client)
    if not console.is_terminal:
        raise click.UsageError("`qanat top` needs a terminal; `qanat sessions --watch --json` is for programs.")
    past: list[int] = []
    with _until_interrupted(), Live(console=console, auto_refresh=False, screen=True) as live:
        for event in client.events(_STREAM):
            live.update(_picture(event, past, width=console.width, rows=console.height - 5), refresh=True)
    raise click.exceptions.Exit(0)


def sparkline(values: list[int], width: int) -> str:
    """Draw the last values as bars, the largest one full."""
    shown = values[-width:] if width > 0 else []
    largest = max(shown, default=0)
    return "".join(_BARS[value * (len(_BARS) - 1) // largest] if largest else _BARS[0] for value in shown)


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Ctrl-C is how somebody stops watching: no failure."""
    try:
        yield
    except KeyboardInterrupt:
        return


def _print_lines(client: Client, *, most: int | None = None) -> NoReturn:
    with _until_interrupted():
        try:
            for event in client.events(_STREAM):
                if most is not None:
                    del event.get("sessions", [])[most:]
                click.echo(json.dumps(event, ensure_ascii=False) if wants_json() else line(event))
                sys.stdout.flush()
        except BrokenPipeError:  # whoever read has seen enough
            give_output_up()
    raise click.exceptions.Exit(0)


def line(event: Json) -> str:
    if "away" in event:
        return f"The server is away: {event['away']}. Waiting."
    return f"{_moment(event)} {_sums(event)}"


def _picture(event: Json, past: list[int], *, width: int, rows: int) -> RenderableType:
    if "away" in event:
        return Text(line(event), style="yellow")
    past += [one["octets_per_s"] for one in event["past"]] + [event["octets_per_s"]]
    del past[:-1000]
    head = Text(f"{_moment(event)}  {_sums(event)}", style="bold", no_wrap=True, overflow="ellipsis")
    drawn = Text(sparkline(past, width - 1), style="cyan", no_wrap=True)
    shown = event["sessions"][: max(1, rows)]
    left = event["live"] - len(shown)
    more = "" if event["complete"] else ", and more than are looked at"
    foot = Text(f"{left} slower ones{more}" if left > 0 else "", style="dim")
    return Group(head, drawn, _table(shown, width), foot)


def _moment(event: Json) -> str:
    return str(event["at"]).replace("T", " ").partition(".")[0].removesuffix("Z")


def _sums(event: Json) -> str:
    more = "" if event["complete"] else "+"
    return (
        f"{event['live']}{more} live, {format_size(event['octets_per_s'])}/s, {format_size(event['reserved'])} reserved"
    )


def _table(sessions: list[Json], width: int) -> Table:
    columns = [(name, side) for name, side, needs in _COLUMNS if width >= needs]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=False)
    for name, side in columns:
        table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for one in sessions:
        cells = _cells(one)
        table.add_row(*(Text(cells[name]) for name, _ in columns))
    return table


def _cells(one: dict[str, Any]) -> dict[str, str]:
    return {
        "subscriber": one["subscriber"],
        "rate": f"{format_size(one['octets_per_s'])}/s",
        "used": format_size(one["used"]),
        "reserved": format_size(sum(quota["octets"] - quota["used"] for quota in one["quotas"])),
        "holder": plain(one["holder"]) or "–",
        "last (UTC)": str(one["last_at"])[11:19],
        "session": plain(one["session"]),
    }
