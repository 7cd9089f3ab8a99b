"""Watching live sessions in a terminal: `qanat sessions --watch`, `qanat top`, and lines for programs."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.console.running import Serving, Shell, serving
from tests.console.terminal import at_terminal
from tests.patience import PATIENCE_S
from tests.server.live import live_server
from tests.server.online import enrolled, go_online

from qanat.console.watch import line, sparkline

_LEAVE_SCREEN = "\x1b[?1049l"
_SHOW_CURSOR = "\x1b[?25h"


@pytest.mark.parametrize("columns", [30, 80, 160])
def test_top_fills_the_screen_whatever_its_width_and_leaves_it_as_it_was(
    shell: Shell, server: Serving, columns: int
) -> None:
    with at_terminal(shell, "top", columns=columns) as terminal:
        terminal.until("0 live")
        terminal.until("subscriber")
        assert terminal.interrupt() == 0
        assert terminal.seen.rstrip().endswith((_LEAVE_SCREEN, _SHOW_CURSOR))
        assert "Traceback" not in terminal.seen
        assert "Aborted" not in terminal.seen


def test_watching_goes_on_when_the_server_comes_back(shell: Shell) -> None:
    with serving(shell) as server:
        with at_terminal(shell, "sessions", "--watch") as terminal:
            terminal.until("0 live")
            server.stop()
            terminal.until("The server is away")
            shell.environment.pop("QANAT_URL")
            with serving(shell, "--http", server.url.removeprefix("http://")):
                terminal.seen = ""
                terminal.until("0 live")
                assert terminal.interrupt() == 0
        assert "Traceback" not in terminal.seen


def test_a_stop_does_not_wait_for_those_who_watch(shell: Shell, server: Serving) -> None:
    with at_terminal(shell, "top") as terminal:
        terminal.until("0 live")
        status, _, _ = server.stop()
        assert status == 0
        terminal.interrupt()


def test_programs_get_one_object_a_line_and_may_stop_reading(shell: Shell, server: Serving) -> None:
    watching = shell.begin("sessions", "--watch", "--json")
    assert watching.stdout
    for _ in range(2):
        event = json.loads(watching.stdout.readline())
        assert (event["live"], event["sessions"]) == (0, [])
    watching.stdout.close()
    assert watching.stderr
    assert watching.stderr.read() == ""
    assert watching.wait(PATIENCE_S) == 0


def test_no_more_sessions_are_watched_than_were_asked_for(shell: Shell, tmp_path: Path) -> None:
    with live_server(tmp_path) as live:
        for seed, name in ((1, "alice"), (2, "bob")):
            go_online(enrolled(live, name, seed=seed), f"s{seed}")
        shell.environment |= {"QANAT_URL": live.url, "QANAT_TOKEN": live.token}
        assert "leave --subscriber, --mine and --after out" in shell.qanat(
            "sessions", "--watch", "--after", "x", status=2
        )
        with at_terminal(shell, "sessions", "--watch", "--limit", "1") as terminal:
            terminal.until("1 slower ones")
            assert terminal.interrupt() == 0
        watching = shell.begin("sessions", "--watch", "--limit", "1", "--json")
        assert watching.stdout
        event = json.loads(watching.stdout.readline())
        assert (event["live"], len(event["sessions"])) == (2, 1)
        watching.stdout.close()
        assert watching.wait(PATIENCE_S) == 0


def test_an_interrupt_while_writing_lines_is_no_failure(shell: Shell, server: Serving) -> None:
    watching = shell.begin("sessions", "--watch")
    assert watching.stdout
    assert "0 live, 0 B/s, 0 B reserved" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=PATIENCE_S)
    assert (watching.returncode, said) == (0, "")


def test_without_a_terminal_top_says_what_to_do_instead(shell: Shell, server: Serving) -> None:
    assert "qanat sessions --watch --json" in shell.qanat("top", status=2)


def test_without_a_server_watching_fails_with_the_cure(shell: Shell) -> None:
    shell.environment["QANAT_URL"] = "http://127.0.0.1:1"
    assert "No server answers" in shell.qanat("sessions", "--watch", status=1)


def test_what_staff_looks_up_is_there_in_the_terminal(shell: Shell, server: Serving) -> None:
    shell.qanat("subscriber", "create", "alice", "--imsi", "001010000000007")
    assert "alice" in shell.qanat("search", "00101")
    assert "Nothing begins with bob." in shell.qanat("search", "bob")
    assert shell.qanat("reservations") == "Nothing is reserved.\n"
    assert "Nothing was refused." in shell.qanat("refusals", "--by-reason")


def test_more_live_sessions_than_are_looked_at_are_said_to_be_more() -> None:
    beat = {"at": "2026-11-23T04:27:47Z", "live": 10_000, "octets_per_s": 0, "reserved": 0, "complete": False}
    assert line(beat) == "2026-11-23 04:27:47 10000+ live, 0 B/s, 0 B reserved"


def test_a_sparkline_shows_the_last_values_beside_the_largest() -> None:
    assert sparkline([0, 1, 2, 4], 3) == "▂▄█"
    assert sparkline([0, 0], 5) == "▁▁"
    assert sparkline([5], 0) == ""
    assert sparkline([], 9) == ""
