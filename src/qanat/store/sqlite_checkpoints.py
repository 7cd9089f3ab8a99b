"""Brings what stands in SQLite's log into the file, beside the writing.

SQLite does it by itself within the commit that finds the log long, and every answer waits for that commit. A thread with
a connection of its own does most of it before, while commits go on, and has the disk take it: so that commit finds little
left, and the log begins anew.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from threading import Event, Thread
from typing import Final

_PASS: Final = 300
"""Pages that are brought in at once: a commit that the disk gets behind them waits for so many."""


class Checkpoints:
    """Is told what was written, and begins a pass whenever that is much."""

    def __init__(self, connection: sqlite3.Connection, file: int, *, much: int = _PASS) -> None:
        """``connection`` is for us alone until we are closed; ``file`` is a descriptor of what it is to."""
        self._connection = connection
        self._file = file
        self._much = much
        self._pages = 0
        """About so many were written since the last pass began."""
        self._wanted = Event()
        self._closed = False
        self._thread = Thread(target=self._work, name="checkpoints", daemon=True)
        self._thread.start()

    def written(self, pages: int) -> None:
        self._pages += pages
        if self._pages >= self._much:
            self._pages = 0
            self._wanted.set()

    def close(self) -> None:
        """Return when the last pass has ended."""
        self._closed = True
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        while self._is_wanted():
            with suppress(sqlite3.Error, OSError):  # all is durable in the log; the next pass tries again
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                os.fdatasync(self._file)

    def _is_wanted(self) -> bool:
        """Wait until there is something to do; tell whether it is more than to close."""
        self._wanted.wait()
        self._wanted.clear()
        return not self._closed
