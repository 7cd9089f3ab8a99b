"""The scribe: has a process write to the SQLite file, so that a commit waits for the disk alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from qanat.errors import StoreFault
from qanat.store.aide import Aide
from qanat.store.port import Taken
from qanat.store.sqlite_writer import Job, Outcome

_outcomes: Final = msgspec.msgpack.Decoder(Outcome)


class Scribe:
    """Hands jobs over in order. One event loop."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        program = "qanat.store.sqlite_writer"
        self._aide = Aide(program, str(path), str(busy_ms), does=f"writes to {path}", understand=_understood)

    @property
    def pid(self) -> int | None:
        """Of the process, if it was started."""
        return self._aide.pid

    def write(self, job: Job) -> asyncio.Future[None]:
        """Begin with a job; it is done even if nobody waits for it any more.

        What is awaited raises Taken or StoreFault; after the latter the job may have been done, if the process was lost:
        whoever waits looks at the file before going on.
        """
        return self._aide.ask(job)

    async def stop(self) -> None:
        """Return when every job handed over is done and the file is closed."""
        await self._aide.stop()


def _understood(answer: bytes) -> None:
    outcome = _outcomes.decode(answer)
    if outcome.fault:
        raise Taken(outcome.fault) if outcome.taken else StoreFault(outcome.fault)
