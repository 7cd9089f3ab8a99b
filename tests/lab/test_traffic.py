"""The file server and those who load from it, over loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.lab import internet
from qanat.lab.namespaces import LabFault
from qanat.lab.programs import PYTHON, Program
from qanat.lab.traffic import Download, upload
from qanat.lab.waiting import TooLate, until


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    internet.make_files(tmp_path / "files")
    command = (*PYTHON, "qanat.lab.internet", str(tmp_path / "files"), "127.0.0.1:0")
    program = Program("internet", command, log=tmp_path / "internet.log")
    yield program.wait_for("ready http=").split("=")[1]
    program.stop()


def test_a_file_arrives_as_it_was_made(web: str, tmp_path: Path) -> None:
    download = Download(None, web, "page.html")
    assert download.finish() == internet.FILES["page.html"]
    assert download.digest == hashlib.sha256((tmp_path / "files" / "page.html").read_bytes()).hexdigest()


def test_an_upload_is_taken_whole(web: str) -> None:
    assert upload(None, web, "video.mp4", bytes(300_000)) == 300_000


def test_a_file_that_is_not_there_fails_with_its_name(web: str) -> None:
    with pytest.raises(LabFault, match=r"nothing\.txt.*404"):
        Download(None, web, "nothing.txt").finish()


def test_a_download_can_be_abandoned(web: str) -> None:
    download = Download(None, web, "film.mp4")
    download.reach(100_000)
    download.abandon()
    with pytest.raises(LabFault):
        download.finish()


def test_what_is_waited_for_in_vain_is_named() -> None:
    with pytest.raises(TooLate, match="waited 0 s in vain: rain"):
        until(lambda: False, "rain", within_s=0)


def test_a_program_that_ends_before_it_is_ready_shows_its_last_words(tmp_path: Path) -> None:
    program = Program("mayfly", (*PYTHON, "qanat.lab.internet", str(tmp_path), "nowhere:x"), log=tmp_path / "log")
    with pytest.raises(LabFault, match=r"mayfly ended with status 1: .*ValueError"):
        program.wait_for("ready")
