"""Brings what stands in SQLite's log into the file, beside the writing.

SQLite does it by itself within the commit that finds the log long, and every answer waits for that commit. A thread with
a connection of its own does it while commits go on. What was committed meanwhile is left for the next pass; a pass during which
nothing was has brought in everything, and the next commit begins the log anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from threading import Event, Thread

from qanat.store.sqlite_link import PAGES_IN_LOG


class Checkpoints:
    """Is told what was written; passes begin when that is much, and follow the commits until all is in the file."""

    def __init__(self, connection: sqlite3.Connection, *, much: int = PAGES_IN_LOG) -> None:
        self._connection = connection
        self._much = much
        self._pages = 0
        """About so many the log holds."""
        self._wanted = Event()
        self._closed = False
        self._thread = Thread(target=self._work, name="checkpoints", daemon=True)
        self._thread.start()

    def written(self, pages: int) -> None:
        self._pages += pages
        if self._pages >= self._much:
            self._wanted.set()

    def close(self) -> None:
        """Return when the connection is closed."""
        self._closed = True
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        with closing(self._connection):
            while self._is_wanted():
                with suppress(sqlite3.Error):  # all is durable in the log; the next commit has us try again
                    self._bring_in()

    def _is_wanted(self) -> bool:
        """Wait until there is something to do; tell whether it is more than to close."""
        self._wanted.wait()
        self._wanted.clear()
        return not self._closed

    def _bring_in(self) -> None:
        _, in_log, in_file = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if in_file == in_log:
            self._pages = 0
