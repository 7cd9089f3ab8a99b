"""The targets by Hypothesis, and a bounded run of atheris that begins from real messages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz import targets
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.__name__)
@settings(max_examples=150, deadline=None)
@given(octets=st.binary(max_size=400))
def test_any_octets_are_read_alike_both_ways_and_leave_the_machine_true_to_its_word(
    target: Callable[[bytes], None], octets: bytes
) -> None:
    target(octets)


@given(place=st.integers(0, len(targets.MESSAGES) - 1))
def test_real_messages_are_read_alike_both_ways(place: int) -> None:
    targets.read_both_ways(targets.MESSAGES[place])


def test_coverage_guided_fuzzing_finds_nothing_in_a_bounded_run(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="has no wheel for this Python")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for place, octets in enumerate(targets.MESSAGES):
        (seeds / f"message-{place}").write_bytes(b"\0" + octets)
        (seeds / f"script-{place}").write_bytes(bytes((1, place, 1, 0, 8, 4, 4)) + b"\0\0\0\1")
        (seeds / f"talk-{place}").write_bytes(bytes((2, 0, 0, 0, 1, 2, place, 200, 5)))
    ended = subprocess.run(
        [
            sys.executable,
            "tests/fuzz/diameter.py",
            "-runs=4000",
            "-seed=1",
            "-max_len=2000",
            f"-artifact_prefix={tmp_path}/found-",
            seeds,
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "Done 4000 runs" in ended.stderr
