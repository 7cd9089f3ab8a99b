"""What opens doors: tokens, passcodes, codes. It goes into files for their owner only, and is never lost in silence."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final, TextIO

import click

from qanat.console.standard import give_output_up

_SHOWN_ONCE: Final = "qanat.shown_once"


def shown_once(what: str, *, cure: str) -> None:
    """Name what was just made and is told nobody a second time, and what to do if it can't be written."""
    click.get_current_context().meta[_SHOWN_ONCE] = (what, cure)


@contextmanager
def told_if_lost() -> Iterator[None]:
    """End a command that made what is shown once, and could not write it, with the cure."""
    try:
        yield
    except OSError as error:
        made = click.get_current_context().meta.get(_SHOWN_ONCE)
        if made is None:
            raise
        give_output_up()
        what, cure = made
        raise click.ClickException(f"{what}, shown only once, can't be written: {error.strerror}. {cure}") from error


@contextmanager
def private(file: Path | None) -> Iterator[TextIO]:
    """Take text for a file that only its owner may read; without a name it is kept nowhere.

    That the file is ours and can be written is made sure of first, and what it holds stays unless the block succeeds.
    Whatever has its name by then, the text goes into the file that was made sure of.
    """
    text = io.StringIO()
    with _open(file) if file else nullcontext() as kept:
        yield text
        if kept is not None:
            if _is_regular(kept.fileno()):
                kept.truncate()
            kept.write(text.getvalue())


def holds_something(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


def _open(file: Path) -> TextIO:
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        _refuse_anothers(file, opened)
        if _is_regular(opened):
            os.fchmod(opened, 0o600)
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}. Nothing was made.") from error
    return os.fdopen(opened, "w", encoding="ascii", newline="")


def _refuse_anothers(file: Path, opened: int) -> None:
    """Refuse, and close, what somebody else laid there, who could read what it is given. A device keeps nothing."""
    found = os.fstat(opened)
    if found.st_uid != os.geteuid() and not stat.S_ISCHR(found.st_mode):
        os.close(opened)
        raise click.ClickException(
            f"{file} belongs to somebody else (user {found.st_uid}), who could read it: remove it, or name another. "
            "Nothing was made."
        )


def _is_regular(opened: int) -> bool:
    return stat.S_ISREG(os.fstat(opened).st_mode)
