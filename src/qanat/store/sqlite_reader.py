"""What reads from a SQLite file for the event loop: a process that answers one question after another.

It is started by the lector, hears from it over its standard input, which is a socket, and ends when that does, by
whatever cause.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from qanat.errors import Fault
from qanat.store.frames import answer_all
from qanat.store.processes import line_to_the_server
from qanat.store.sqlite_link import connect, faults


class Question(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is to be read: a statement that changes nothing."""

    sql: str
    parameters: tuple[Any, ...] = ()


class Found(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The rows, or why there are none."""

    rows: list[Any] = []
    fault: str = ""


_questions: Final = msgspec.msgpack.Decoder(Question)


class Reader:
    """Answers a server's questions; opens the file with the first."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._connection: sqlite3.Connection | None = None

    def answer(self, question: Question) -> Found:
        try:
            connection = self._connection = self._connection or self._opened()
            with faults(self._path):
                return Found(connection.execute(question.sql, question.parameters).fetchall())
        except Fault as fault:
            return Found(fault=str(fault))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = connect(self._path, self._busy_ms)
        connection.execute("PRAGMA query_only=ON")
        return connection


def main() -> None:
    """Answer what comes over the standard input until that ends."""
    path, busy_ms = sys.argv[1:]
    line = line_to_the_server()
    reader = Reader(Path(path), int(busy_ms))
    answer_all(line, lambda question: reader.answer(_questions.decode(question)))
    reader.close()


if __name__ == "__main__":
    main()
