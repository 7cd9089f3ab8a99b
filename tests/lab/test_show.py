"""What shows leave behind, and what they say where there is no room."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.console.running import Shell, serving
from tests.lab.place import any_place, environment, processes_that_know, run_inside

from qanat.lab import private
from qanat.lab.show import prune


def test_only_the_last_few_shows_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    for number in range(6):
        show = tmp_path / f"show-{number}"
        (show / "data").mkdir(parents=True)
        os.utime(show, (number, number))
    (tmp_path / "mine").mkdir()
    prune(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["mine", "show-3", "show-4", "show-5"]


def test_a_show_whose_books_are_served_again_is_kept_however_old_it_is(tmp_path: Path) -> None:
    """As its goodbye says: `qanat serve --data run/show-…/data`."""
    for number in range(5):
        (tmp_path / f"show-{number}").mkdir()
    (tmp_path / "show-0" / "data").mkdir()
    with serving(Shell(tmp_path), "--data", "show-0/data"):
        for number in range(5):
            os.utime(tmp_path / f"show-{number}", (number, number))
        prune(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["show-0", "show-2", "show-3", "show-4"]
    assert (tmp_path / "show-0" / "data" / "admin.token").exists()


@pytest.mark.namespaces
def test_whoever_interrupts_it_is_told_so_from_its_first_line_on_and_nothing_stays(tmp_path: Path) -> None:
    place = any_place()
    command = private.command_inside(place, "qanat.lab.show", [place.name])
    show = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert show.stdout is not None
    assert show.stdout.readline().startswith("Qanat, the whole job")
    show.send_signal(signal.SIGINT)
    said, complained = show.communicate()
    assert (show.returncode, complained) == (130, "")
    assert said.endswith("\nInterrupted; everything was taken down.\n")
    assert processes_that_know(str(tmp_path)) == []


@pytest.mark.namespaces
def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    done = run_inside(any_place(), "tests.lab.cramped", "size=1m", str(tmp_path), str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    assert "Failed at the beginning" in done.stdout
    assert "No space left on device" in done.stdout


@pytest.mark.namespaces
def test_where_nothing_can_be_written_a_cure_is_named() -> None:
    done = run_inside(any_place(), "tests.lab.cramped", "ro", "/proc", "/tmp", "/var/tmp")
    assert (done.returncode, done.stderr) == (1, "")
    assert "go to a folder that is yours, or name one in TMPDIR" in done.stdout
