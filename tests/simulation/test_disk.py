"""The journal in memory keeps the same contract as the real one, through crashes and full disks."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from qanat.agents.actions import Acked, Change, CurrentSession, Gone, Pending
from qanat.agents.durable import JournalFault
from qanat.agents.holding import Epoch, Held, Session
from qanat.simulation.disk import Disk, FileDisk, MemoryDisk
from qanat.units import Instant, Octets
from qanat.wire.agent import Interrogation, UsageReport, UsageRow


class Writer:
    """Makes changes as a holder does, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.seq = self.epoch = self.sessions = 0

    def changes(self) -> tuple[Change, ...]:
        return tuple(self.change() for _ in range(self.random.randrange(1, 4)))

    def change(self) -> Change:
        makers = (self.begin_epoch, self.held, self.row, self.gone, self.acked, self.pending, self.session)
        return self.random.choice(makers)()

    def begin_epoch(self) -> Change:
        self.epoch += 1
        return Epoch(number=self.epoch, source="boot", up=self.octets(), down=self.octets())

    def held(self) -> Change:
        return Held(
            quota=self.quota(),
            octets=Octets(1000),
            valid_until=Instant(9),
            threshold=Octets(2),
            final=False,
            epoch=1,
            up=self.octets(),
        )

    def row(self) -> Change:
        self.seq += 1
        up = self.octets()
        return UsageRow(seq=self.seq, quota=self.quota(), epoch=1, up=up, down=0, reserved=up, at=Instant(1))

    def gone(self) -> Change:
        return Gone(self.quota())

    def acked(self) -> Change:
        return Acked(self.random.randrange(self.seq + 1))

    def pending(self) -> Change:
        report = UsageReport(journal="j", floor=0, rows=[])
        message = Interrogation(session="s", number=self.seq, kind="intermediate", report=report)
        return Pending(self.random.choice((message, None)))

    def session(self) -> Change:
        self.sessions += 1
        return CurrentSession(self.random.choice((Session(name=f"s{self.sessions}", next_number=1), None)))

    def octets(self) -> Octets:
        return Octets(self.random.randrange(1000))

    def quota(self) -> str:
        return f"q{self.random.randrange(4)}"


def disks(folder: Path) -> list[Disk]:
    return [MemoryDisk(lambda prefix: f"{prefix}-1"), FileDisk(folder, lambda prefix: f"{prefix}-1")]


@pytest.mark.parametrize("seed", range(10))
def test_both_journals_remember_the_same_after_any_commits_and_crashes(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    memory, file = disks(tmp_path)
    for disk in (memory, file):
        disk.open()
    for _ in range(40):
        changes = writer.changes()
        dies = writer.random.random() < 0.1
        for disk in (memory, file):
            disk.commit(changes)
            if dies:
                disk.crash()
                disk.open()
        assert memory.load() == file.load()


@pytest.mark.parametrize("kind", [0, 1])
def test_full_disk_keeps_nothing_of_a_commit(tmp_path: Path, kind: int) -> None:
    disk = disks(tmp_path)[kind]
    disk.open()
    before = disk.load()
    disk.is_full = True
    with pytest.raises(JournalFault):
        disk.commit((Gone("q"), CurrentSession(Session(name="s", next_number=1))))
    assert disk.load() == before


@pytest.mark.parametrize("kind", [0, 1])
def test_wiped_disk_begins_a_journal_that_knows_nothing(tmp_path: Path, kind: int) -> None:
    disk = disks(tmp_path)[kind]
    disk.open()
    disk.commit((CurrentSession(Session(name="s", next_number=1)),))
    disk.wipe()
    disk.open()
    assert disk.load().session is None
