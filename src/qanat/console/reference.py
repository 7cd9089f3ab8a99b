"""``make docs``: the pages of docs/reference/ that are printed from code, and one file of SQL. A test holds them against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from qanat.agents.states import TRANSITIONS as HOLDER
from qanat.agents.states import State
from qanat.charging.session import TRANSITIONS as SESSION
from qanat.console.main import main
from qanat.exchange.trades import TRANSITIONS as TRADE
from qanat.refusals import WORDS
from qanat.server import settings
from qanat.store.migrate import NEW_FILE
from qanat.store.upgrade import new_file

ROOT: Final = Path(__file__).parents[3]


def pages() -> dict[Path, str]:
    """Return every generated page by its path below the project."""
    return {
        Path("docs/reference/refusals.md"): "".join(_refusals()),
        Path("docs/reference/states.md"): "".join(_states()),
        Path("docs/reference/commands.md"): "".join(_commands()),
        Path("docs/qanat.toml"): settings.as_toml(),
        NEW_FILE.relative_to(ROOT): new_file(),
    }


def _refusals() -> Iterator[str]:
    yield "# Refusals\n\nPrinted from `refusals.py` by `make docs`. `{…}` stands for a fact that the refusal carries.\n\n"
    yield "| reason | what is said | the cure |\n|---|---|---|\n"
    for reason, words in WORDS.items():
        yield f"| `{reason}` | {words.sentence}<br>{words.sentence_zh} | {words.cure}<br>{words.cure_zh} |\n"


def _states() -> Iterator[str]:
    yield "# States\n\nPrinted from the tables in the code by `make docs`; the tests walk the same tables.\n"
    yield "\n## A session at the server (`charging/session.py`)\n\n"
    yield from _diagram((state.name, event.value, after.name) for (state, event), after in SESSION.items())
    yield "\n## A trade (`exchange/trades.py`)\n\n"
    yield from _diagram((state.name, event.value, after.name) for (state, event), after in TRADE.items())
    yield "\n## A holder of quotas (`agents/states.py`)\n\n"
    yield from _diagram((state.name, event.value, after.name) for (state, event), after in HOLDER.items())
    yield "\n"
    yield from (f"- **{state.name.lower()}**: {state.value}\n" for state in State)


def _diagram(rows: Iterator[tuple[str, str, str]]) -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2\n"
    for state, event, after in rows:
        yield f"    {state.lower()} --> {after.lower()}: {event}\n"
    yield "```\n"


def _commands() -> Iterator[str]:
    yield "# Commands\n\nPrinted from the commands' own help by `make docs`.\n"
    context = click.Context(main, info_name="qanat", max_content_width=110, terminal_width=110)
    yield from _help(main, context)


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, f"{name} is listed by {context.command_path}"
            yield from _help(child, click.Context(child, parent=context, info_name=name))


def write() -> None:
    for path, text in pages().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")


if __name__ == "__main__":
    write()
