"""The benchmark as a person runs it who kills its server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.console.running import Shell, serving
from tests.patience import PATIENCE_S
from tests.traffic import until


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_a_server_killed_by_hand_is_started_again_and_has_every_acknowledged_octet(shell: Shell) -> None:
    command = [sys.executable, "-m", "qanat.console.main", "bench", "http", "--seconds", "3", "--in-flight", "4"]
    bench = subprocess.Popen(
        [*command, "--data", "kept", "--json"],
        cwd=shell.directory,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert bench.stderr
    begun = re.match(r"server (\d+) on http=([^ ,]+)", bench.stderr.readline())
    assert begun
    until_it_reports(f"http://{begun[2]}/metrics")
    os.kill(int(begun[1]), signal.SIGKILL)
    out, err = bench.communicate(timeout=PATIENCE_S)
    figures, told = json.loads(out), re.search(r"acknowledged ([\d,]+) octets", err)
    assert (bench.returncode, figures["conserved"]) == (0, True), err
    assert figures["server_cpu_us_per_request"] > 0
    assert told
    with serving(shell, "--data", "kept"):
        shell.environment["QANAT_TOKEN"] = (shell.directory / "kept" / "admin.token").read_text()
        assert json.loads(shell.qanat("audit", "--json"))["balanced"] is True
        sessions = json.loads(shell.qanat("sessions", "--json"))["sessions"]
        assert sum(one["used"] for one in sessions) == int(told[1].replace(",", "")) > 0


def test_reports_are_measured_on_a_postgresql_of_its_own_with_every_octet_in_its_ledger(shell: Shell) -> None:
    said = shell.qanat("bench", "http", "--seconds", "1", "--in-flight", "4", "--postgres")
    assert "octets conserved: yes" in said
    assert re.search(r"load client: \d+", said)


def until_it_reports(metrics: str) -> None:
    """Wait until the server has taken a report: every enrolment is over then."""
    taken = 'qanat_http_requests_total{route="/v1/agent/usage",status="200"}'
    until(lambda: taken in httpx2.get(metrics, trust_env=False, timeout=PATIENCE_S).text)
