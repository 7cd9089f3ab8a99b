"""The disks of terminals: what a journal keeps through a crash, a power cut and a full disk.

Most terminals keep their journal in memory, for speed; a share of them keep the real SQLite journal in real files. A crash
takes the files as they are at that moment, beside the process that had them open: what was not committed is not there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from qanat.agents.actions import Change, remember
from qanat.agents.durable import JournalFault
from qanat.agents.holding import Snapshot
from qanat.agents.journal import Journal


class Disk(Protocol):
    """Survives every crash; ``is_full`` makes every commit fail."""

    is_full: bool

    def open(self) -> None:
        """Find the journal, or make one."""
        ...

    def load(self) -> Snapshot: ...

    def commit(self, changes: tuple[Change, ...]) -> None:
        """Keep the changes, all or none. Raises JournalFault."""
        ...

    def crash(self) -> None:
        """The process that had the journal open is gone."""
        ...

    def wipe(self) -> None:
        """The journal is deleted, or the device was set back to how it left the factory."""
        ...


class MemoryDisk:
    def __init__(self, new_name: Callable[[str], str]) -> None:
        self.is_full = False
        self._new_name = new_name
        self._kept: Snapshot | None = None

    def open(self) -> None:
        if self._kept is None:
            self._kept = Snapshot(journal=self._new_name("jnl"))

    def load(self) -> Snapshot:
        kept = self._opened()
        return replace(kept, quotas=dict(kept.quotas), rows=dict(kept.rows))

    def commit(self, changes: tuple[Change, ...]) -> None:
        _unless_full(self)
        for change in changes:
            remember(self._opened(), change)

    def crash(self) -> None:
        """What was committed stays."""

    def wipe(self) -> None:
        self._kept = None

    def _opened(self) -> Snapshot:
        assert self._kept is not None, "a journal is opened before it is used"
        return self._kept


class FileDisk:
    """A folder with the agent's own journal in it."""

    def __init__(self, folder: Path, new_name: Callable[[str], str]) -> None:
        self.is_full = False
        self._folder = folder
        self._new_name = new_name
        self._lives = 0
        self._journal: Journal | None = None

    def open(self) -> None:
        if self._journal is None:
            self._journal = Journal(self._place / "journal.db", new_name=self._new_name, new_leap=lambda: 0)

    def load(self) -> Snapshot:
        return self._opened().load()

    def commit(self, changes: tuple[Change, ...]) -> None:
        _unless_full(self)
        self._opened().commit(changes)

    def crash(self) -> None:
        if self._journal is None:
            return
        before = self._place
        self._lives += 1
        shutil.copytree(before, self._place)
        self._journal.close()
        self._journal = None
        shutil.rmtree(before)

    def wipe(self) -> None:
        self.crash()
        shutil.rmtree(self._place, ignore_errors=True)

    @property
    def _place(self) -> Path:
        return self._folder / str(self._lives)

    def _opened(self) -> Journal:
        assert self._journal is not None, "a journal is opened before it is used"
        return self._journal


def _unless_full(disk: Disk) -> None:
    if disk.is_full:
        raise JournalFault("the disk is full")
