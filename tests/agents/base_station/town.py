"""A town: the real server, a base station, a supplier with octets and a demander with a terminal; each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from tests.agents.base_station.scene import FAR, SERVER, STATION, Scene
from tests.agents.processes import SOURCE, Agent
from tests.namespaces import Namespace
from tests.patience import PATIENCE_S
from tests.traffic import connected, receive

from qanat.console.main import main

URL = f"http://{SERVER}:7443"
PORTAL = f"http://{STATION}:8910"
QANAT = (sys.executable, "-m", "qanat.console.main")


@dataclass
class Town:
    """The server and the base station run; alice has a terminal and bob has octets."""

    scene: Scene
    folder: Path
    station: Agent

    def operator(self, *words: str) -> dict[str, Any]:
        """Say something at the server and read the answer."""
        return operator(self.scene, self.folder, *words)

    def start_station(self) -> None:
        self.station = started_station(self.scene, self.folder)

    def join(self, *, station: str = PORTAL, state: str = "alice", interface: str = "wlan0") -> Agent:
        words = ("--station", station, "--state", str(self.folder / state), "--interface", interface)
        return Agent(self.scene.alice, "qanat.console.terminal", "join", *words)

    def used(self) -> int:
        return int(self.operator("balance", "--subscriber", "bob")["used"])


def operator(scene: Scene, folder: Path, *words: str) -> dict[str, Any]:
    token = str(folder / "admin.token")
    found: dict[str, Any] = json.loads(qanat(scene.internet, *words, "--json", "--url", URL, "--token-file", token))
    return found


def started_station(scene: Scene, folder: Path) -> Agent:
    station = Agent(scene.station, "qanat.console.station", "run", "--state", str(folder / "station"))
    station.wait_for("ready")
    return station


def qanat(namespace: Namespace, *words: str) -> str:
    """Type a command; here, not in a process of its own, which would only take longer."""
    with namespace.inside():
        done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, f"{words}: {done.output}"
    return done.stdout


def found_town(scene: Scene, folder: Path) -> None:
    """Have everybody sign up and enrol; what they keep is in ``folder`` then."""
    with serving(scene, folder):
        for name in ("alice", "bob", "carol"):
            operator(scene, folder, "subscriber", "create", name)
        operator(scene, folder, "top-up", "--subscriber", "bob", "--octets", "500MB")
        operator(scene, folder, "sim", "make", "--count", "1")
        code = operator(scene, folder, "station", "code", "--subscriber", "carol")["code"]
        state = str(folder / "station")
        between = ("--access", "br0", "--uplink", "up0")
        qanat(scene.station, "station", "enrol", "--server", URL, "--code", code, *between, "--state", state)
        code = operator(scene, folder, "terminal", "code", "--subscriber", "alice")["code"]
        words = ("--server", URL, "--code", code, "--interface", "wlan0", "--state", str(folder / "alice"))
        qanat(scene.alice, "terminal", "enrol", *words)


@contextmanager
def open_town(scene: Scene, folder: Path) -> Iterator[Town]:
    """Start server and base station of a town that was founded; at the end its books add up."""
    with serving(scene, folder):
        town = Town(scene, folder, started_station(scene, folder))
        try:
            yield town
            town.station.stop()
            assert town.operator("audit")["balanced"] is True
        finally:
            _end(town.station.process)


@contextmanager
def serving(scene: Scene, folder: Path) -> Iterator[None]:
    with scene.internet.inside():
        server = subprocess.Popen(
            [*QANAT, "serve", "--data", str(folder), "--http", f"{SERVER}:7443"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "QANAT_AGENTS_REPORT_INTERVAL_S": "1"},
        )
    try:
        assert server.stdout is not None
        assert "ready" in server.stdout.readline()
        yield
    finally:
        _end(server)


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def download(scene: Scene, octets: int) -> None:
    with connected(scene.alice, scene.internet, FAR) as (near, end):
        for _ in range(octets // 100_000):
            end.sendall(bytes(100_000))
            receive(near, 100_000)
