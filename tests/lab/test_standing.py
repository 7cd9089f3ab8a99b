"""The lab left standing: it comes up, can be used, and goes without a trace."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from tests.lab.place import any_place, environment, processes_that_know, run_inside
from tests.patience import PATIENCE_S

from qanat.console.lab import lab as command
from qanat.lab import private, standing
from qanat.lab.private import Place
from qanat.lab.standing import Standing
from qanat.lab.waiting import until


@pytest.fixture
def user_namespace(monkeypatch: pytest.MonkeyPatch) -> Place:
    """An ordinary user's place: even for root, so that the machine's own names are left alone."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    if private.complaint(Place.USER):
        pytest.skip("needs user namespaces (`sysctl user.max_user_namespaces`)")
    return Place.USER


def fetched(stands: Standing, file: str) -> bytes:
    """Download a file on the terminal, with a program of its own."""
    script = f"import urllib.request, sys; sys.stdout.buffer.write(urllib.request.urlopen('{stands.internet}/{file}').read())"
    return subprocess.run(stands.command("terminal", "python3", "-c", script), capture_output=True, check=True).stdout


def served_by(stands: Standing) -> dict[str, str]:
    """Ask the base station on the laptop who it is."""
    asked = stands.command("laptop", "curl", "--silent", f"{stands.base_station}/v1/here")
    here = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    return {key: here[key] for key in ("place", "operator")}


def signed_in(stands: Standing) -> list[str]:
    """Sign in at the console from outside the lab, with each of its sign-ins; return their roles."""
    with httpx2.Client(base_url=stands.console, trust_env=False, timeout=PATIENCE_S) as http:
        assert "Qanat" in http.get("/sign-in", headers={"accept": "text/html"}).text
        answers = [
            http.post("/v1/sign-in", json={"name": name, "password": password}).json()
            for name, password in stands.sign_ins.items()
        ]
    return [str(answer["role"]) for answer in answers]


@pytest.mark.namespaces
def test_the_lab_comes_up_serves_and_goes_without_a_trace_twice_in_a_row(user_namespace: Place, tmp_path: Path) -> None:
    for _ in range(2):
        stands = standing.up(tmp_path, user_namespace)
        assert standing.find(tmp_path) == stands
        digest = hashlib.sha256((tmp_path / "files" / "photo.jpg").read_bytes()).digest()
        assert hashlib.sha256(fetched(stands, "photo.jpg")).digest() == digest
        assert sorted(signed_in(stands)) == ["operator", "subscriber"]
        assert served_by(stands) == {"place": "Market square", "operator": "north"}
        visitor = subprocess.Popen(stands.command("terminal", "sleep", "600"))
        until(lambda: processes_that_know("sleep 600"), "the visitor is in", within_s=PATIENCE_S)
        assert standing.down(tmp_path)
        assert visitor.wait() != 0
        assert standing.find(tmp_path) is None
        assert processes_that_know(str(tmp_path)) == []


@pytest.mark.namespaces
def test_a_killed_keeper_takes_its_lab_and_its_programs_along(user_namespace: Place, tmp_path: Path) -> None:
    stands = standing.up(tmp_path, user_namespace)
    os.kill(stands.keeper, signal.SIGKILL)
    assert until(lambda: not processes_that_know(str(tmp_path)), "its programs are gone", within_s=PATIENCE_S)
    assert standing.find(tmp_path) is None


@pytest.mark.namespaces
def test_a_lab_that_stands_is_neither_laid_over_nor_swept_away_from_another_folder(tmp_path: Path) -> None:
    done = run_inside(any_place(), "tests.lab.keeping", str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = "another lab stands on this machine, or is being laid: take it down where that was (`qanat lab down`)"
    assert json.loads(done.stdout) == {
        "up": f"the lab did not come up: {told}",
        "down": told,
        "stands": True,
        "swept": True,
        "left": False,
    }


@pytest.mark.namespaces
def test_whoever_interrupts_a_lab_that_comes_up_is_left_with_none(user_namespace: Place, tmp_path: Path) -> None:
    words = "import pathlib, qanat.lab.standing as standing"
    script = f"{words}; standing.up(pathlib.Path({str(tmp_path)!r}), standing.Place.USER)"
    begun = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    until((tmp_path / "internet.log").exists, "the lab is coming up", within_s=PATIENCE_S)
    begun.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in begun.communicate()[1]
    assert processes_that_know(str(tmp_path)) == []
    assert not (tmp_path / "files").exists()


def test_without_a_lab_status_says_how_to_lay_one_and_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = CliRunner().invoke(command, ["status"])
    assert (result.exit_code, "qanat lab up" in result.output) == (1, True)
    assert CliRunner().invoke(command, ["status", "--json"]).output == '{"stands":false}\n'
