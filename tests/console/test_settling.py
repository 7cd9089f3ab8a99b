"""The real command against a server in this process, whose clock says which month it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.console.running import Shell
from tests.console.terminal import at_terminal
from tests.server.live import Live
from tests.server.market import open_market


def test_files_of_a_closed_month_are_written_whole_or_not_at_all(shell: Shell, live: Live) -> None:
    """RLIMIT_FSIZE makes every write past the limit fail, as a full disk does."""
    _give_traffic(live)
    live.done("/v1/settlements/2023-11/closing")
    fetch = ("settle", "--period", "2023-11", "--csv", "settled")
    full = _with_files_up_to(shell, blocks=0, words=fetch)
    assert full.returncode == 1
    assert "settled/north-2023-11.csv can't be written: File too large." in full.stderr
    assert "make room, or name another directory, then `qanat settle --period 2023-11 --csv DIRECTORY`" in full.stderr
    assert [*(shell.directory / "settled").iterdir()] == []
    assert "Wrote settled/north-2023-11.csv." in shell.qanat(*fetch)
    before = _held(shell.directory / "settled")
    assert _with_files_up_to(shell, blocks=0, words=fetch).returncode == 1
    assert _held(shell.directory / "settled") == before
    assert before.keys() == {f"{operator}-2023-11.csv" for operator in ("north", "south", "west")}
    assert all("trailer" in text for text in before.values())


def test_who_fetches_the_files_of_an_open_month_is_told_to_close_it(shell: Shell, live: Live) -> None:
    _give_traffic(live)
    fetch = ("settle", "--period", "2023-11", "--csv", "settled")
    said = shell.qanat(*fetch, status=1)
    assert "Period 2023-11, 1 booking, still open" in said
    assert "Period 2023-11 has no files before it is closed: give --close as well." in said
    assert "Wrote settled/north-2023-11.csv." in shell.qanat(*fetch, "--close", "--yes")


def test_a_month_that_is_not_over_is_closed_by_whoever_says_yes(shell: Shell, live: Live) -> None:
    closing = ("settle", "--period", "2023-11", "--close")
    said = shell.qanat(*closing, status=2)
    assert "2023-11 runs until 2023-12-01T00:00:00Z, and what is closed is closed for ever." in said
    assert "give --yes" in said
    assert "period_not_begun" in shell.qanat("settle", "--period", "2023-12", "--close", status=1)
    assert "closed at 2023-11" in shell.qanat(*closing, "--yes")
    assert "closed at 2023-11" in shell.qanat("settle", "--period", "2023-10", "--close"), "that one is over"


def test_somebody_at_a_terminal_is_asked_before_a_month_is_closed_that_is_not_over(shell: Shell, live: Live) -> None:
    for answer, is_closed in (("n", False), ("y", True)):
        with at_terminal(shell, "settle", "--period", "2023-11", "--close") as person:
            person.until("Close it now?")
            assert (person.type(f"{answer}\n") == 0) is is_closed
        assert (live.get("/v1/settlements/2023-11").json()["closed_at"] is not None) is is_closed


def _give_traffic(live: Live) -> None:
    market = open_market(live)
    market.does("alice", "/supply-orders", {"octets": 1_000_000})
    trade = market.station.send("POST", "/v1/station/admissions", market.presentation()).json()["trade"]
    quota = market.asks(trade, 0, "first", used={}, wants=100_000)["quotas"][0]
    market.asks(trade, 1, "final", used={quota["quota"]: 70_000}, returns=[quota["quota"]])


def _with_files_up_to(shell: Shell, *, blocks: int, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return shell.run("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", sys.executable, "-m", "qanat", *words)


def _held(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir()}
