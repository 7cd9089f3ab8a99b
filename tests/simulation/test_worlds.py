"""Small worlds, each a seed: those that once went wrong, and the same world twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from qanat.console.main import main
from qanat.simulation.world import simulate

HERE = Path(__file__).parent
SEEDS = [line for line in (HERE / "seeds.txt").read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("line", SEEDS)
def test_world_ends_with_books_that_add_up(line: str) -> None:
    seed, terminals, days, _ = line.split(maxsplit=3)
    verdict = simulate(seed=int(seed), terminals=int(terminals), days=float(days))
    assert not verdict.problem, "\n".join([verdict.sentence, verdict.problem, *verdict.events, verdict.trace])


def test_the_same_seed_gives_the_same_output_in_every_process() -> None:
    command = [sys.executable, "-m", "qanat.console.main", "simulate", "--seed", "20417", "--terminals", "4", "--json"]
    outputs = [
        subprocess.run(
            [*command, "--days", "0.5"],
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src"), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["problem"] == ""


def test_command_says_in_one_sentence_how_the_world_ended() -> None:
    result = CliRunner().invoke(main, ["simulate", "--seed", "20417", "--terminals", "2", "--days", "0.1"])
    assert result.exit_code == 0
    assert result.output.startswith("seed 20417: 2 terminals, 0.1 days, ")
    assert result.output.endswith(": books add up\n")
