"""The usage journal on a real disk: kill -9, power cuts, full disks, foreign files.

A power cut is played with the files as SQLite leaves them: WAL and FULL sync the log at every commit and touch the main
file only at a checkpoint, so the disk after a cut holds the main file and the log cut at any octet after the last
commit that returned. Cuts before that are tried too: then a whole prefix of the commits is there, never a part of one.
"""

from __future__ import annotations

import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

from qanat.agents.actions import Acked, CurrentSession, Gone, Pending, leap, remember
from qanat.agents.durable import JournalDamaged, JournalFault, JournalInUse, open_durable
from qanat.agents.holding import Epoch, Held, Session, Snapshot
from qanat.agents.journal import Journal, read_only
from qanat.units import Instant, Octets
from qanat.wire.agent import Interrogation, UsageReport, UsageRow

SOURCE = Path(__file__).parents[2] / "src"
WRITER = """
import sys
from pathlib import Path
from qanat.agents.holding import Epoch, Held
from qanat.agents.journal import Journal
journal = Journal(Path(sys.argv[1]))
for n in range(1, 10**9):
    journal.commit((Epoch(number=1, source="s", up=n, down=0),
        Held(quota="q", octets=10**9, valid_until=0, threshold=0, final=False, epoch=1, up=n, reserved=n)))
    print(n, flush=True)
"""


def quota(name: str = "q1", *, up: int = 0) -> Held:
    return Held(
        quota=name,
        octets=Octets(1000),
        valid_until=Instant(5),
        threshold=Octets(10),
        final=True,
        epoch=1,
        up=Octets(up),
        reserved=Octets(up),
    )


def row(seq: int) -> UsageRow:
    return UsageRow(seq=seq, quota="q1", epoch=1, up=seq, down=0, reserved=9, at=Instant(1))


def epoch(up: int) -> Epoch:
    return Epoch(number=1, source="s", up=Octets(up), down=Octets(0))


def test_what_is_committed_is_read_back_by_the_next_process(tmp_path: Path) -> None:
    question = Interrogation(
        session="s.1",
        number=0,
        kind="first",
        report=UsageReport(journal="j", floor=0, rows=[row(1)]),
        returns=["q0"],
    )
    changes = (
        epoch(7),
        quota(up=3),
        quota("q2"),
        row(1),
        row(2),
        Acked(1),
        Gone("q2"),
        CurrentSession(Session(name="s.1", next_number=1)),
        Pending(question),
    )
    journal = Journal(tmp_path / "j.db", new_leap=lambda: 0)
    expected = Snapshot(journal=journal.load().journal)
    for change in changes:
        remember(expected, change)
    journal.commit(changes)
    journal.close()
    again = Journal(tmp_path / "j.db", new_leap=lambda: 1000)
    leap(expected, 1000)
    assert again.load() == expected == read_only(tmp_path / "j.db")
    again.close()


def test_sequence_numbers_are_never_used_again_and_those_of_a_copy_are_others(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "j.db", new_leap=lambda: 0)) as journal:
        journal.commit((row(1), row(2)))
        journal.commit((Acked(2),))
    shutil.copy(tmp_path / "j.db", tmp_path / "copy.db")
    for name, by in (("j.db", 1000), ("copy.db", 2000)):
        with closing(Journal(tmp_path / name, new_leap=lambda by=by: by)) as again:  # type: ignore[misc]
            assert again.load().next_seq == by + 3


def test_a_new_file_has_a_new_name(tmp_path: Path) -> None:
    names = set()
    for number in range(2):
        journal = Journal(tmp_path / f"{number}.db")
        names.add(journal.load().journal)
        journal.close()
    assert len(names) == 2


def test_kill_9_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    for lines in (1, 40, 200):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(SOURCE)},
        ) as writer:
            assert writer.stdout is not None
            last = [int(writer.stdout.readline()) for _ in range(lines)][-1]
            writer.send_signal(signal.SIGKILL)
            last = max([last, *(int(line) for line in writer.stdout.read().splitlines())])
        journal = Journal(path)
        kept = journal.load()
        journal.close()
        assert kept.epoch is not None
        assert kept.quotas["q"].up == kept.epoch.up
        assert kept.epoch.up in (last, last + 1)


def test_power_cut_leaves_a_whole_prefix_and_everything_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = Journal(path)
    sizes = [0]
    for number in range(1, 30):
        journal.commit((epoch(number), quota(up=number)))
        sizes.append((tmp_path / "j.db-wal").stat().st_size)
    copy = tmp_path / "cut"
    copy.mkdir()
    log = (tmp_path / "j.db-wal").read_bytes()
    for cut in range(sizes[1], len(log) + 1, 997):
        shutil.copy(path, copy / "j.db")
        (copy / "j.db-shm").unlink(missing_ok=True)
        (copy / "j.db-wal").write_bytes(log[:cut])
        acknowledged = max(number for number, size in enumerate(sizes) if size <= cut)
        after = Journal(copy / "j.db")
        kept = after.load()
        after.close()
        assert kept.epoch is not None
        assert kept.quotas["q1"].up == kept.epoch.up
        assert kept.epoch.up >= acknowledged
    journal.close()


def _fill(path: Path, limit: int, results: object) -> None:
    journal = Journal(path)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    number = 0
    try:
        while True:
            journal.commit((epoch(number + 1), quota(up=number + 1)))
            number += 1
    except JournalFault as fault:
        sentence = str(fault)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kept = journal.load().epoch
    journal.commit((epoch(number + 2),))
    results.put((number, 0 if kept is None else kept.up, sentence))  # type: ignore[attr-defined]


def test_a_commit_that_returned_is_synced_to_the_disk(tmp_path: Path) -> None:
    """What the power cuts above are played with: the log is synced at every commit (2 is FULL)."""
    db = open_durable(tmp_path / "j.db", version=0, create=lambda _: None)
    assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")] == ["wal", 2]
    db.close()


def test_full_disk_is_a_fault_with_a_cure_and_the_journal_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes every write past the limit fail, as a full disk does."""
    context = get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_fill, args=(tmp_path / "j.db", 200_000, results))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    committed, kept, sentence = results.get()
    assert committed == kept > 0
    assert "j.db" in sentence
    assert "disk" in sentence


def test_two_agents_never_share_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    with pytest.raises(JournalInUse, match="stop that one"):
        Journal(tmp_path / "j.db")
    journal.close()
    Journal(tmp_path / "j.db").close()


def test_file_that_is_no_journal_is_named_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(JournalDamaged, match="move it aside"):
        Journal(tmp_path / "j.db")


def test_journal_of_another_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "j.db") as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalDamaged, match="version 99"):
        Journal(tmp_path / "j.db")


def test_failed_commit_leaves_nothing_of_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    journal.commit((row(1),))
    with pytest.raises(JournalFault):
        journal.commit((epoch(5), row(1)))
    assert journal.load().epoch is None
    journal.close()
