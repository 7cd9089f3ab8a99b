"""Chapter B alone, run in a place of its own by ``test_exchange``; prints what was counted as JSON."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from qanat.lab import private
from qanat.lab.exchange_scenario import ExchangeScenario
from qanat.lab.screen import Screen
from qanat.lab.stage import Stage
from qanat.lab.topology import Lab


def main() -> None:
    assert private.is_inside()
    printed = io.StringIO()
    with Stage(Lab("test"), Path(sys.argv[1]), interface="cell0") as stage:
        stage.start_server()
        scenario = ExchangeScenario(stage, Screen(Console(file=printed)))
        for step in scenario.steps().values():
            step()
        said = {
            "counts": scenario.counts(),
            "settlements": scenario.settlements(),
            "audit": stage.qanat("audit"),
            "printed": printed.getvalue(),
        }
    print(msgspec.json.encode(said).decode())


if __name__ == "__main__":
    main()
