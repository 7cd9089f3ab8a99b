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
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "contrib/systemd").glob("*.service"))
BARE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))


IN_A_COPY = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/above" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/above,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
cp "$2" "$1/root/qanat.deb"
exec chroot "$1/root" /bin/sh -ec "$3"
"""
"""Runs a command in a copy of this system, which is gone afterwards: folder, package, command."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([sys.executable, ROOT / "contrib/pack/deb.py", folder], check=True, capture_output=True)
    (package,) = folder.glob("qanat_*.deb")
    return package


@pytest.fixture(scope="module")
def installed(package: Path) -> Path:
    subprocess.run(["dpkg-deb", "--extract", package, package.parent / "root"], check=True)
    return package.parent / "root"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a system of its own")
def test_dpkg_installs_it_upgrades_it_and_leaves_nothing_of_it_behind(package: Path, tmp_path: Path) -> None:
    settings = "/etc/qanat/qanat.toml"
    commands = f"""
        dpkg -i /qanat.deb
        echo "see: $(stat -c '%a %U:%G' {settings})"
        echo "see: $(su -s /bin/sh qanat -c 'qanat check-config {settings}')"
        chmod 644 {settings}
        dpkg -i /qanat.deb
        echo "see: $(stat -c '%a %U:%G' {settings})"
        dpkg -P qanat
        echo "see: $(ls -d /etc/qanat /usr/lib/qanat /usr/bin/qanat 2>/dev/null || true)"
    """
    unshare: list[str | Path] = ["unshare", "--mount", "/bin/sh", "-c", IN_A_COPY, "sh", tmp_path, package, commands]
    done = subprocess.run(unshare, capture_output=True, text=True, check=False)
    seen = [line for line in done.stdout.splitlines() if line.startswith("see: ")]
    assert seen == ["see: 640 root:qanat", f"see: {settings}: good", "see: 644 root:qanat", "see: "], done.stderr


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
    assert server.wait(PATIENCE_S) == 0


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
            ["systemd-analyze", *question, here], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert unit.name not in done.stderr, done.stderr


NETWORK = "After=network-pre.target\nBefore=network.target\nWants=network.target"
WAITS_FOR_IT = "After=network.target\nBefore=sysinit.target"
"""As cloud-init does: all that has the default dependencies begins after it."""


@pytest.mark.parametrize("agent", ["terminal", "station"])
@pytest.mark.parametrize(
    ("order", "can_be"),
    [("", True), ("After=stand-in-network.service\nBefore=qanat-{agent}-gate.service", False)],
    ids=["the gate is before the network", "nothing is between"],
)
def test_an_agents_gate_stands_before_the_network_also_where_the_rest_of_the_boot_waits_for_that(
    tmp_path: Path, agent: str, order: str, can_be: bool
) -> None:
    """Systemd is asked whether it could start all of it, with one more that may be where nobody can be."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    for each in UNITS:
        (tmp_path / each.name).write_text(each.read_text().replace("/usr/bin/qanat", sys.executable))
    names = [f"stand-in-{name}.service" for name in ("network", "cloud", "probe")]
    for name, its in zip(names, (NETWORK, WAITS_FOR_IT, order.format(agent=agent)), strict=True):
        unit = f"[Unit]\nDefaultDependencies=no\n{its}\n[Service]\nExecStart={sys.executable}\n"
        (tmp_path / name).write_text(unit)
    (tmp_path / "sysinit.target").write_text(f"[Unit]\nWants={' '.join(names)}\nAfter={' '.join(names[:2])}\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / f"qanat-{agent}.service"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ("ordering cycle" not in done.stderr) is can_be, done.stderr
