"""Room ahead in SQLite's log that is written already.

A commit that lengthens the log has the disk write twice: its pages, and where these lie. SQLite writes the log from its
beginning again once all of it stands in the file, so that is over after some 33 MB; until then a commit of a server that
was just started takes half as long again. So the log is lengthened ahead, in steps, with zeros, in which SQLite finds its
end (file format, section 4.1: a frame counts only with the log's salt and the checksum of all before it).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

_LEAST: Final = 1 << 16
_MOST: Final = 1 << 20
"""Octets of a step: as many as there are already, within these."""


class LogRoom:
    """Is told behind each commit."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """``connection`` is to the file at ``path``, for us alone until we are closed, and waits for nobody: a commit is
        answered behind us.

        Raises OSError.
        """
        self._connection = connection
        self._log = os.open(f"{path.resolve()}-wal", os.O_WRONLY)
        self._end = self._length()

    def committed(self) -> None:
        """Lengthen the log if its length is not what we left: the commit did too, or somebody cut it short.

        What fails is left: the commit that needs the room will say so.
        """
        if self._length() == self._end:
            return
        with suppress(sqlite3.Error, OSError):
            self._lengthen()
        self._end = self._length()

    def close(self) -> None:
        os.close(self._log)

    def _lengthen(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")  # nobody else writes meanwhile
        try:
            length = self._length()
            os.pwrite(self._log, bytes(min(max(length, _LEAST), _MOST)), length)
        finally:
            self._connection.execute("COMMIT")

    def _length(self) -> int:
        """Not by ``fstat``: whose times somebody looked at has new ones written with its next page (Linux 6.13)."""
        return os.lseek(self._log, 0, os.SEEK_END)
