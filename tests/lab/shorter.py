"""A shorter scenario, run in a place of its own by ``test_conservation``; prints what was counted as JSON."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from qanat.agents.notebook import Notebook
from qanat.lab import private
from qanat.lab.namespaces import run
from qanat.lab.scenario import CELL, WIFI, Scenario
from qanat.lab.screen import Screen
from qanat.lab.stage import Stage
from qanat.lab.topology import Lab
from qanat.lab.waiting import until

DEAF = """
table inet deaf {
    chain output {
        type filter hook output priority 0;
        ip daddr { 10.1.0.0/24, 10.2.0.0/24 } tcp sport 8080 meta length > 200 drop
    }
}
"""
"""The server hears the terminal, and nothing that it says arrives."""


class AnswerLost(Lab):
    """Cut in the moment in which the server has booked a report and its answer is on the way."""

    stage: Stage

    def cut(self, interface: str) -> None:
        if interface == WIFI:
            run(self["server"].command("nft", "-f", "-"), text=DEAF)
            until(self._something_is_booked_that_the_terminal_was_not_told, "an answer is lost")
        super().cut(interface)

    def mend(self, interface: str) -> None:
        run(self["server"].command("nft", "-f", "-"), text="add table inet deaf; delete table inet deaf")
        super().mend(interface)

    def _something_is_booked_that_the_terminal_was_not_told(self) -> bool:
        held_back = Notebook(self.stage.journal()).unreported
        return held_back + int(self.stage.balance()["used"]) > self.stage.gate().passed.total


LABS = {"at any moment": Lab, "with an answer on its way": AnswerLost}


def main() -> None:
    assert private.is_inside()
    folder, cut = sys.argv[1:]
    lab = LABS[cut]("test")
    with Stage(lab, Path(folder), interface=CELL) as stage:
        if isinstance(lab, AnswerLost):
            lab.stage = stage
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
