"""What shows leave behind."""

from __future__ import annotations

import os
from pathlib import Path

from qanat.lab.show import prune


def test_only_the_last_few_shows_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    for number in range(6):
        show = tmp_path / f"show-{number}"
        (show / "data").mkdir(parents=True)
        os.utime(show, (number, number))
    (tmp_path / "mine").mkdir()
    prune(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["mine", "show-3", "show-4", "show-5"]
