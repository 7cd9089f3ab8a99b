from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from qanat.console.private import private


def test_a_secret_goes_into_the_file_that_was_made_sure_of_whatever_takes_its_name(tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "token", tmp_path / "everybody-reads"
    elsewhere.write_text("mine")
    with private(file) as kept:
        file.unlink()
        file.symlink_to(elsewhere)
        kept.write("secret")
    assert elsewhere.read_text() == "mine"


def test_a_file_holds_the_new_secret_alone_and_the_old_one_when_there_is_no_new_one(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a longer secret")
    file.chmod(0o644)
    with pytest.raises(ValueError, match="refused"), private(file):
        raise ValueError("refused")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("a longer secret", 0o600)
    with private(file) as kept:
        kept.write("secret")
    assert file.read_text() == "secret"


def test_what_is_no_file_takes_a_secret_too() -> None:
    with private(Path("/dev/null")) as kept:
        kept.write("secret")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to lay a file as somebody else")
def test_a_file_that_somebody_else_laid_there_takes_no_secret(tmp_path: Path) -> None:
    laid = tmp_path / "token"
    laid.touch()
    laid.chmod(0o666)
    os.chown(laid, 1234, 1234)
    told = r"token belongs to somebody else \(user 1234\).* name another\. Nothing was made\."
    with pytest.raises(click.ClickException, match=told), private(laid) as kept:
        kept.write("secret")
    assert (laid.read_text(), laid.stat().st_mode & 0o777) == ("", 0o666)
