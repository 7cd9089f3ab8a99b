"""``qanat backup``, ``restore``, ``archive`` and ``database``: the care for the database itself, without the server."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from qanat.console.lazy import Group
from qanat.errors import BadInput, Fault
from qanat.store.address import file_at
from qanat.system import SystemClock
from qanat.units import DAY, Instant, format_instant, number_of

if TYPE_CHECKING:
    from qanat.store.archive import Archived

_DATA = click.option("--data", metavar="DIR", default="data", show_default=True, help="The server's data directory.")
_DATABASE = click.option("--database", metavar="URL", help="sqlite:///PATH (default: DIR/qanat.db).")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_PROBLEMS_SHOWN: Final = 100
_OWN_TOOLS: Final = {
    "backup": "pg_dump --format=custom --file=FILE {}",
    "restore": "pg_restore --dbname={} FILE",
}


@click.command()
@_DATA
@_DATABASE
@click.option("--to", metavar="FILE", required=True, help="Where the copy goes; it must not exist.")
@_JSON
def backup(data: str, database: str | None, to: str, as_json: bool) -> None:
    """Copy the database while it is served, and audit the copy. For PostgreSQL it names pg_dump."""
    from qanat.store.backup import back_up  # noqa: PLC0415 - the store's imports cost a third of a second

    with _said(), _Progress() as tell:
        file = _file(data, database, verb="backup")
        verdict = back_up(file, Path(to), tell=lambda done, total: tell("octets", done, total))
    size = Path(to).stat().st_size
    found = {"file": to, "size": size, "entries": verdict.entries, "accounts": verdict.accounts, "balanced": True}
    sentence = f"{to}: {number_of(size, 'octet')}, {_books(verdict.entries, verdict.accounts)}; balanced."
    _tell(found, sentence, as_json=as_json)


@click.command()
@click.option("--from", "copy", metavar="FILE", required=True, help="A file that `qanat backup` made.")
@_DATA
@_DATABASE
@_JSON
def restore(copy: str, data: str, database: str | None, as_json: bool) -> None:
    """Put a backup in the place of the database; what was there is kept beside it. The server must be stopped."""
    from qanat.store import backup as backups  # noqa: PLC0415 - as above

    with _said(), _Progress() as tell:
        file = _file(data, database, verb="restore")
        verdict, replaced = backups.restore(Path(copy), file, tell=lambda done, total: tell("octets", done, total))
    found = {
        "file": str(file),
        "replaced": str(replaced) if replaced else None,
        "entries": verdict.entries,
        "accounts": verdict.accounts,
        "balanced": True,
    }
    kept = f" What was there is now {replaced}." if replaced else ""
    _tell(found, f"{file}: {_books(verdict.entries, verdict.accounts)}; balanced.{kept}", as_json=as_json)


@click.group(cls=Group)
def archive() -> None:
    """Let the oldest entries go from the database into files, and audit those."""


@archive.command()
@click.option("--to", metavar="FILE", required=True, help="Where they go, as gzipped JSON lines; it must not exist.")
@click.option("--keep-days", type=click.IntRange(0, 36_500), default=90, show_default=True, help="How many stay.")
@_DATA
@click.option("--database", "url", metavar="URL", help="sqlite:///PATH (default: DIR/qanat.db) or postgresql://….")
@_JSON
def make(to: str, keep_days: int, data: str, url: str | None, as_json: bool) -> None:
    """Archive what is older than so many days, while the database is served or not.

    The file is audited first. Balances and records stay as they are; the room is used again, and the file of the database does
    not become smaller.
    """
    from qanat.store.archive import archive as make_archive  # noqa: PLC0415 - as above
    from qanat.store.archive import open_archivable  # noqa: PLC0415

    async def story() -> Archived:
        database = await open_archivable(url or f"sqlite:///{data}/qanat.db")
        before = Instant(SystemClock().now() - keep_days * DAY)
        return await make_archive(database, Path(to), before=before, tell=tell)

    with _said(), _Progress() as tell:
        done = asyncio.run(story())
    found = {"file": to if done.entries else None, "entries": done.entries, "records": done.records, "size": done.size}
    if not done.entries:
        _tell(found, f"No entry older than {keep_days} days can go; {to} was not written.", as_json=as_json)
        return
    assert done.first is not None
    assert done.last is not None
    found |= {"first": format_instant(done.first), "last": format_instant(done.last)}
    sentence = (
        f"{to}: {done.size:,} octets, {number_of(done.entries, 'entry', 'entries')} "
        f"from {found['first']} to {found['last']}; balanced. "
        f"Brought forward: {number_of(done.records, 'record')}."
    )
    _tell(found, sentence, as_json=as_json)


@archive.command("audit")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@_JSON
def audit_archives(files: tuple[str, ...], as_json: bool) -> None:
    """Recompute archives, the oldest first, and whether each goes on where the one before ended."""
    from qanat.store.archive_file import audit_archives as audits  # noqa: PLC0415 - as above

    found: list[dict[str, Any]] = []
    with _said(), _Progress() as tell:
        for one in audits([Path(file) for file in files], tell=tell):
            found.append(asdict(one) | {"balanced": not one.problems})
            if not as_json:
                word = "NOT balanced" if one.problems else "balanced"
                click.echo(
                    f"{one.file}: {word}, {number_of(one.accounts, 'account')}, {number_of(one.entries, 'entry', 'entries')}."
                )
                for problem in one.problems[:_PROBLEMS_SHOWN]:
                    click.echo(f"  {problem}")
    if as_json:
        click.echo(json.dumps(found))
    if not all(one["balanced"] for one in found):
        raise SystemExit(1)


@click.group(cls=Group)
def database() -> None:
    """Move the database, or lay it out over machines."""


@database.command()
@click.option("--from", "source", metavar="URL", required=True, help="The database that is moved; its server stopped.")
@click.option(
    "--to", "target", metavar="URL", required=True, help="An empty one, or one that holds a part of the copy."
)
@_JSON
def copy(source: str, target: str, as_json: bool) -> None:
    """Copy a database into another, of whichever kind; run it again after an interruption. Audits both."""
    from qanat.store.moving import move  # noqa: PLC0415 - as above

    with _said(), _Progress() as tell:
        moved = asyncio.run(move(source, target, tell=tell))
    found = {
        "entries": moved.copied.entries,
        "appended": moved.copied.appended,
        "records": moved.copied.rows,
        "accounts": moved.verdict.accounts,
        "balanced": True,
    }
    sentence = (
        f"{number_of(moved.copied.entries, 'entry', 'entries')} ({moved.copied.appended:,} written in this run, "
        f"one for each shard that an entry touches), {number_of(moved.copied.rows, 'record')}, "
        f"{number_of(moved.verdict.accounts, 'account')}; "
        "both balanced, with the same totals."
    )
    _tell(found, sentence, as_json=as_json)


@database.command()
@click.option(
    "--database", "address", metavar="URL", required=True, help="The coordinator: postgresql://USER@HOST/NAME."
)
@click.option(
    "--pieces",
    type=click.IntRange(1, 1024),
    help="Lay the tables out in so many of Citus' shards, anew if they lie in another number.  [default: one for each machine]",
)
@_JSON
def distribute(address: str, pieces: int | None, as_json: bool) -> None:
    """Lay the tables out by shard over the machines of a Citus cluster. Servers should be stopped meanwhile."""
    from qanat.store.distribute import distribute as lay_out  # noqa: PLC0415 - as above

    with _said():
        layout = asyncio.run(lay_out(address, pieces=pieces))
    found = {
        "citus": layout.version,
        "nodes": layout.nodes,
        "distributed": list(layout.tables),
        "pieces": layout.pieces,
        "pieces_before": layout.pieces_before,
    }
    what = ", ".join(layout.tables) or "nothing, all tables were distributed before"
    where = f"They lie in {number_of(layout.pieces, 'piece')}"
    if layout.pieces_before not in (0, layout.pieces):
        where += f", and lay in {layout.pieces_before}"
    if layout.pieces > layout.nodes:
        where += f"; a commit visits each it touches: --pieces {layout.nodes} lays them out anew, one on each machine"
    _tell(
        found,
        f"Citus {layout.version}, {number_of(layout.nodes, 'machine')}; distributed: {what}. {where}.",
        as_json=as_json,
    )


def _file(data: str, database: str | None, *, verb: str) -> Path:
    """Return the SQLite file that is meant. Raises BadInput for another kind of database, with its own tool's line."""
    if database is None:
        return Path(data) / "qanat.db"
    file = file_at(database)
    if file is not None:
        return file
    if database.startswith("postgres"):
        line = _OWN_TOOLS[verb].format(database)
        raise BadInput(f"PostgreSQL has its own tool for this: {line}", field="database")
    raise BadInput(f"{database!r} is no file: write sqlite:///path/to/file", field="database")


def _books(entries: int, accounts: int) -> str:
    return f"{number_of(entries, 'entry', 'entries')}, {number_of(accounts, 'account')}"


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except Fault as fault:
        raise click.ClickException(f"{str(fault).rstrip('.')}.") from fault


class _Progress:
    """Says on stderr how far it is: on one line that changes for a person, now and then a new line for a file."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._said_at = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._watched or time.monotonic() > self._said_at + 1:
            self._said_at = time.monotonic()
            line = f"{what}: {done:,} of {total:,}" if total else f"{what}: {done:,}"
            click.echo(f"\r{line:<60}" if self._watched else line, nl=not self._watched, err=True)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watched:
            click.echo(err=True)


def _tell(found: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    click.echo(json.dumps(found) if as_json else sentence)
