"""A shorter scenario, run in a place of its own by ``test_conservation``; prints what was counted as JSON."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from qanat.lab import private
from qanat.lab.scenario import CELL, Scenario
from qanat.lab.screen import Screen
from qanat.lab.stage import Stage
from qanat.lab.topology import Lab


def main() -> None:
    assert private.is_inside()
    lab = Lab("test")
    with Stage(lab, Path(sys.argv[1]), interface=CELL) as stage:
        scenario = Scenario(stage, lab, Screen(Console(file=io.StringIO())))
        scenario.start_server()
        scenario.enrol()
        scenario.buy()
        scenario.go_online()
        scenario.crash()
        scenario.report_late()
        scenario.stop()
        said = {"counts": scenario.counts(), "audit": stage.qanat("audit")}
    print(msgspec.json.encode(said).decode())


if __name__ == "__main__":
    main()
