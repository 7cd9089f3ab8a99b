from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.server.web.drawing import prepare, templates


@pytest.fixture(autouse=True)
def start() -> Iterator[None]:
    """A process that has compiled nothing yet; the tests after this one find it so, too."""
    templates.cache_clear()
    yield
    templates.cache_clear()


def test_what_was_compiled_is_kept_for_the_next_start(tmp_path: Path) -> None:
    kept = _compiled(tmp_path / "pages")
    assert kept
    templates.cache_clear()
    assert _compiled(tmp_path / "pages") == kept


def test_what_an_interrupted_start_left_is_compiled_anew(tmp_path: Path) -> None:
    whole = {file: file.stat().st_size for file in _compiled(tmp_path)}
    for file in whole:
        file.write_bytes(file.read_bytes()[:100])
    templates.cache_clear()
    assert {file: file.stat().st_size for file in _compiled(tmp_path)} == whole


def test_a_folder_that_cannot_be_had_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "pages").touch()
    prepare(tmp_path / "pages")
    assert templates().get_template("people/plans.html").name == "people/plans.html"


def _compiled(folder: Path) -> dict[Path, int]:
    """Start, and return when each file was written."""
    prepare(folder)
    return {file: file.stat().st_mtime_ns for file in folder.iterdir()}
