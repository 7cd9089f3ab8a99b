"""Files with what opens doors: tokens, and codes that are money."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click


@contextmanager
def private(file: Path | None) -> Iterator[TextIO]:
    """Take text for a file that only its owner may read; without a name it is kept nowhere.

    That the file can be written is made sure of first, and what it holds stays unless the block succeeds.
    """
    text = io.StringIO()
    if file:
        _open(file).close()
    yield text
    if file:
        with _open(file, os.O_TRUNC) as kept:
            kept.write(text.getvalue())


def holds_something(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


def _open(file: Path, how: int = 0) -> TextIO:
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | how, 0o600)
        if stat.S_ISREG(os.fstat(opened).st_mode):
            os.fchmod(opened, 0o600)
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}. Nothing was made.") from error
    return os.fdopen(opened, "w", encoding="ascii", newline="")
