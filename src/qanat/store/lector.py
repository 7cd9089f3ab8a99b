"""The lector: has a process read from the SQLite file, so that who waits for a page waits for nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec

from qanat.errors import StoreFault
from qanat.store.aide import Aide
from qanat.store.sqlite_reader import Found, Question

_found: Final = msgspec.msgpack.Decoder(Found)


class Lector:
    """Has questions answered in order. One event loop."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        program = "qanat.store.sqlite_reader"
        self._aide = Aide(program, str(path), str(busy_ms), does=f"reads from {path}", understand=_understood)

    def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> asyncio.Future[list[list[Any]]]:
        """Return the rows that a statement finds in what is committed. What is awaited raises StoreFault."""
        return self._aide.ask(Question(sql, parameters))

    async def stop(self) -> None:
        """Return when every question is answered and the file is closed."""
        await self._aide.stop()


def _understood(answer: bytes) -> list[list[Any]]:
    found = _found.decode(answer)
    if found.fault:
        raise StoreFault(found.fault)
    return found.rows
