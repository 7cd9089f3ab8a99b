"""The Debian package: built, unpacked into a directory, and run from there without our environment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "contrib/systemd").glob("*.service"))
BARE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([sys.executable, ROOT / "contrib/pack/deb.py", folder], check=True, capture_output=True)
    (package,) = folder.glob("qanat_*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, folder / "root"], check=True)
    return folder / "root"


def test_the_server_starts_from_the_package_alone(installed: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [
        BARE_PYTHON,
        "-I",
        installed / "usr/bin/qanat",
        "serve",
        "--config",
        installed / "etc/qanat/qanat.toml",
    ]
    server = subprocess.Popen(
        [*command, "--data", tmp_path / "data", "--http", "127.0.0.1:0", "--gy", "127.0.0.1:0"],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    ready = re.match(r"ready http=(\S+) gy=", server.stdout.readline())
    assert ready, server.communicate()
    assert httpx2.get(f"http://{ready[1]}/readyz", trust_env=False).text == "ready\n"
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0


def test_nothing_of_the_tests_or_tools_is_in_the_package(installed: Path) -> None:
    inside = {path.name for path in (installed / "usr/lib/qanat").iterdir()}
    assert {"qanat", "msgspec", "cryptography", "sqlalchemy"} <= inside
    assert not inside & {"pytest", "hypothesis", "mypy", "ruff", "pip", "setuptools", "playwright"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_that_there_is_and_has_little_left_to_it(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    started = re.search(r"(?m)^ExecStart=/usr/bin/qanat (.+)$", unit.read_text())
    assert started
    words = [word for word in started[1].split() if not word.startswith("/")]
    shown = subprocess.run(
        [sys.executable, "-m", "qanat.console.main", *[word for word in words if not word.startswith("-")], "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert all(word in shown for word in words if word.startswith("--"))
    for each in UNITS:  # they name each other
        (tmp_path / each.name).write_text(each.read_text().replace("/usr/bin/qanat", sys.executable))
    here = tmp_path / unit.name
    for question in (("verify", "--man=no"), ("security", "--offline=yes", "--threshold=25")):
        done = subprocess.run(
            ["systemd-analyze", *question, here], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert unit.name not in done.stderr, done.stderr
