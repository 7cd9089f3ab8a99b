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

from tests.agents.base_station.conftest import FAR, SERVER, STATION, Scene
from tests.agents.processes import SOURCE, Agent
from tests.namespaces import Namespace
from tests.traffic import connected, receive

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
        found: dict[str, Any] = json.loads(
            qanat(self.scene.internet, *words, "--json", "--url", URL, "--token-file", str(self.folder / "admin.token"))
        )
        return found

    def start_station(self) -> None:
        self.station = Agent(
            self.scene.station, "qanat.console.station", "run", "--state", str(self.folder / "station")
        )
        self.station.wait_for("ready")

    def join(self, *, station: str = PORTAL, state: str = "alice", interface: str = "wlan0") -> Agent:
        words = ("--station", station, "--state", str(self.folder / state), "--interface", interface)
        return Agent(self.scene.alice, "qanat.console.terminal", "join", *words)

    def used(self) -> int:
        return int(self.operator("balance", "--subscriber", "bob")["used"])


def qanat(namespace: Namespace, *words: str) -> str:
    with namespace.inside():
        done = subprocess.run(
            [*QANAT, *words], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(SOURCE)}
        )
    assert done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
    return done.stdout


@contextmanager
def open_town(scene: Scene, tmp_path: Path) -> Iterator[Town]:
    with scene.internet.inside():
        server = subprocess.Popen(
            [*QANAT, "serve", "--data", str(tmp_path), "--http", f"{SERVER}:7443"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "QANAT_AGENTS_REPORT_INTERVAL_S": "1"},
        )
    assert server.stdout is not None
    assert "ready" in server.stdout.readline()
    town = Town(scene, tmp_path, None)  # type: ignore[arg-type]  # it needs a code first
    try:
        for name in ("alice", "bob", "carol"):
            town.operator("subscriber", "create", name)
        town.operator("top-up", "--subscriber", "bob", "--octets", "500MB")
        town.operator("sim", "make", "--count", "1")
        code = town.operator("station", "code", "--subscriber", "carol")["code"]
        state = str(tmp_path / "station")
        words = ("--server", URL, "--code", code, "--access", "br0", "--uplink", "up0", "--state", state)
        qanat(scene.station, "station", "enrol", *words)
        town.start_station()
        code = town.operator("terminal", "code", "--subscriber", "alice")["code"]
        words = ("--server", URL, "--code", code, "--interface", "wlan0", "--state", str(tmp_path / "alice"))
        qanat(scene.alice, "terminal", "enrol", *words)
        yield town
        town.station.stop()
        assert town.operator("audit")["balanced"] is True
    finally:
        for process in filter(None, (server, town.station and town.station.process)):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def download(scene: Scene, octets: int) -> None:
    with connected(scene.alice, scene.internet, FAR) as (near, end):
        for _ in range(octets // 100_000):
            end.sendall(bytes(100_000))
            receive(near, 100_000)
