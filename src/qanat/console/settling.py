"""``qanat settle``: what operators owe each other for a month, and its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from qanat.console.client import Client, Json, remote, segment
from qanat.console.parameters import MONTH
from qanat.console.tables import say, show
from qanat.system import fresh_id
from qanat.units import format_amount, number_of


@click.command()
@click.option("--period", type=MONTH, metavar="YYYY-MM", required=True, help="A calendar month, UTC.")
@click.option("--close", is_flag=True, help="Close it for ever; later trades are in the next open month.")
@click.option(
    "--csv",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each operator's records of a closed period here.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a month is closed that is not over.")
@remote
def settle(client: Client, period: str, close: bool, directory: Path | None, yes: bool) -> Json:
    """Net what operators owe each other; a preview unless it is closed."""
    path = f"/v1/settlements/{segment(period)}"
    if close and not yes:
        _ask_if_running(period, client.get(path).get("ends_at"))
    settled = client.post(path + "/closing") if close else client.get(path)
    state = f"closed at {settled['closed_at']}" if settled["closed_at"] else "still open: a preview"
    say(f"Period {period}, {number_of(settled['trades'], 'booking')}, {state}.")
    rows = [
        (
            one["operator"],
            one["unit"],
            *(format_amount(one[key], one["unit"]) for key in ("claims", "owes", "net", "by_transfers")),
        )
        for one in settled["positions"]
    ]
    show(("operator", "unit", "claims", "owes", "net", "by transfers"), rows, empty="Operators owe each other nothing.")
    moves = [
        (one["debtor"], one["creditor"], format_amount(one["amount"], one["unit"]), one["unit"])
        for one in settled["transfers"]
    ]
    show(("pays", "to", "amount", "unit"), moves, empty="No transfer is needed.")
    if settled["transfers"]:
        say("Netting preserved every operator's total." if settled["preserved"] else "NETTING CHANGED A TOTAL.")
    if not settled["unchanged"]:
        raise click.ClickException(f"Period {period} has CHANGED since it was closed; run `qanat audit`.")
    if directory and not settled["closed_at"]:
        raise click.ClickException(f"Period {period} has no files before it is closed: give --close as well.")
    if directory:
        _write_files(client, path, period, directory, sorted({one["operator"] for one in settled["positions"]}))
    return settled


def _ask_if_running(period: str, ends_at: str | None) -> None:
    """Let nobody close by mistake, for ever, a month that is not over."""
    if ends_at is None:
        return
    running = f"{period} runs until {ends_at}, and what is closed is closed for ever"
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{running}.\nWait for its end, or give --yes: what is booked until then is in the next."
        )
    click.confirm(f"{running}. Close it now?", abort=True, err=True)


def _write_files(client: Client, path: str, period: str, directory: Path, operators: list[str]) -> None:
    """Write a file for each operator, whole; no file has its name before all of them are on the disk."""
    with ExitStack() as drafts:
        with _writing(directory, period):
            directory.mkdir(parents=True, exist_ok=True)
        written: dict[Path, Path] = {}
        for operator in operators:
            text = client.text(f"{path}/files/{segment(operator)}")
            file = directory / f"{operator}-{period}.csv"
            written[file] = file.with_suffix(f".{fresh_id('part')}")
            drafts.callback(written[file].unlink, missing_ok=True)
            with _writing(file, period):
                _write_durably(written[file], text)
        for file, draft in written.items():
            with _writing(file, period):
                draft.rename(file)
    for file in written:
        say(f"Wrote {file}.")


def _write_durably(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8", newline="") as kept:
        kept.write(text)
        kept.flush()
        os.fsync(kept.fileno())


@contextmanager
def _writing(path: Path, period: str) -> Iterator[None]:
    """Raises ClickException with the cure where the disk does not take a file."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(
            f"{path} can't be written: {error.strerror}.\n"
            "The server keeps the files of a closed month: make room, or name another directory, then "
            f"`qanat settle --period {period} --csv DIRECTORY`."
        ) from error
