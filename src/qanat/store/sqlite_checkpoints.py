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

    def __init__(
        self, *, passing: sqlite3.Connection, looking: sqlite3.Connection, file: int, much: int = _PASS
    ) -> None:
        """Both connections are for us alone until we are closed; ``file`` is a descriptor of what they are to."""
        self._passing = passing
        self._looking = looking
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
                self._pass()
                os.fdatasync(self._file)

    def _pass(self) -> None:
        """Bring in what stands in the log, and look at the file meanwhile.

        SQLite before 3.51.3 may take what is committed as a pass begins for brought in, if that commit begins the log anew
        ("The WAL-reset bug", sqlite.org/wal.html). While somebody looks at what is in the log it does not begin anew; who
        looks when all of it is in the file keeps a pass from bringing in anything.
        """
        with self._looking:
            self._looking.execute("BEGIN")
            self._looking.execute("SELECT count(*) FROM sqlite_schema")
            self._passing.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _is_wanted(self) -> bool:
        """Wait until there is something to do; tell whether it is more than to close."""
        self._wanted.wait()
        self._wanted.clear()
        return not self._closed
