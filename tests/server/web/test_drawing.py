from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qanat.server.web.drawing import compile_all, templates


@pytest.fixture(autouse=True)
def start() -> Iterator[None]:
    """A process that has compiled nothing yet; the tests after this one find it so, too."""
    templates.cache_clear()
    yield
    templates.cache_clear()


def test_what_was_compiled_is_kept_for_the_next_start(tmp_path: Path) -> None:
    compile_all(tmp_path / "pages")
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "pages").iterdir()}
    assert len(kept) == len(templates().list_templates())
    templates.cache_clear()
    compile_all(tmp_path / "pages")
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "pages").iterdir()} == kept


def test_what_an_interrupted_start_left_is_compiled_anew(tmp_path: Path) -> None:
    compile_all(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    templates.cache_clear()
    compile_all(tmp_path)
    assert all(file.stat().st_size > 100 for file in tmp_path.iterdir())


def test_a_folder_that_cannot_be_had_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "pages").touch()
    compile_all(tmp_path / "pages")
    assert templates().get_template("sign_in.html").name == "sign_in.html"
