"""Whole trades with the real server: three meters, one ledger, and every party a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.agents.base_station.conftest import FAR, SERVER, STATION, Scene
from tests.agents.processes import SOURCE, Agent
from tests.namespaces import Namespace, join
from tests.traffic import connected, flood, flows, receive, until

pytestmark = pytest.mark.namespaces

URL = f"http://{SERVER}:7443"
PORTAL = f"http://{STATION}:8910"
SECOND = "http://10.51.0.1:8910"
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


@pytest.fixture
def town(scene: Scene, tmp_path: Path) -> Iterator[Town]:
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
        town.station = Agent(scene.station, "qanat.console.station", "run", "--state", state)
        town.station.wait_for("ready")
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


def test_three_meters_and_the_ledger_agree_on_a_trade(town: Town) -> None:
    town.operator("supply", "offer", "--subscriber", "bob", "--octets", "100MB")
    alice = town.join()
    alice.wait_for("online")
    download(town.scene, 30_000_000)
    alice.process.send_signal(signal.SIGTERM)
    own = alice.wait_for("offline")
    assert alice.wait_for("counts compared")["agrees"] == "yes"
    ended = town.station.wait_for("trade ended")
    assert town.used() == ended["up"] + ended["down"] >= 30_000_000
    assert abs(own["up"] + own["down"] - town.used()) <= 65_536


def test_a_terminal_that_is_refused_says_why_in_both_languages(town: Town) -> None:
    alice = town.join()
    assert alice.process.wait(20) == 1
    assert alice.process.stderr is not None
    said = alice.process.stderr.read().decode()
    assert "no_supply" in said
    assert "refused: " in said
    assert any("一" <= letter <= "鿿" for letter in said)
    assert town.operator("refusals")["refusals"][0]["reason"] == "no_supply"


def test_a_supplier_who_stops_is_obeyed_in_mid_download_and_the_remainder_goes_home(town: Town) -> None:
    order = town.operator("supply", "offer", "--subscriber", "bob", "--octets", "400MB")["order"]
    alice = town.join()
    alice.wait_for("online")
    with flows(town.scene.alice, town.scene.internet, FAR, down=1):
        town.station.wait_for("quota used up")
        town.operator("supply", "stop", order, "--subscriber", "bob")
        town.station.wait_for("recalled")
        ended = town.station.wait_for("trade ended")
    assert alice.wait_for("refused")["reason"] == "order_stopped"
    assert alice.wait_for("counts compared")["agrees"] == "yes"
    balance = town.operator("balance", "--subscriber", "bob")
    assert (balance["used"], balance["reserved"]) == (ended["up"] + ended["down"], 0)


def test_an_upload_that_is_cut_by_a_recall_is_no_dispute(town: Town) -> None:
    """The terminal goes on sending until it hears of it; what met the shut gate it counts, and nobody is charged."""
    order = town.operator("supply", "offer", "--subscriber", "bob", "--octets", "400MB")["order"]
    alice = town.join()
    alice.wait_for("online")
    with flood(town.scene.alice, town.scene.internet, FAR):
        town.station.wait_for("quota used up")
        town.operator("supply", "stop", order, "--subscriber", "bob")
        ended = town.station.wait_for("trade ended")
        own = alice.wait_for("offline")
    assert own["up"] > ended["up"] + 65_536, "the case is there"
    assert alice.wait_for("counts compared")["agrees"] == "yes"
    assert town.operator("disputes", "--subscriber", "alice")["disputes"] == []


@contextmanager
def second_base_station(town: Town) -> Iterator[Agent]:
    """Carol's other gateway: alice's ``wlan1`` is on its access side, and it has an uplink of its own."""
    station, scene = Namespace(), town.scene
    join(station, "ap0", scene.alice, "wlan1", net=51)
    join(station, "up0", scene.internet, "far1", net=61)
    scene.internet.run("ip", "route", "add", "10.51.0.0/24", "via", "10.61.0.1")
    station.run("ip", "route", "add", "default", "via", "10.61.0.2")
    station.set("ipv4/ip_forward", 1)
    code = town.operator("station", "code", "--subscriber", "carol")["code"]
    state = str(town.folder / "second")
    words = ("--server", URL, "--code", code, "--access", "ap0", "--uplink", "up0", "--state", state)
    qanat(station, "station", "enrol", *words)
    agent = Agent(station, "qanat.console.station", "run", "--state", state)
    agent.wait_for("ready")
    yield agent
    agent.stop()
    station.close()


def test_two_base_stations_that_claim_one_terminal_at_once_get_one_trade_between_them(town: Town) -> None:
    """Two real gateways, and the terminal's key in two places; whoever comes second is refused until it has left."""
    town.operator("supply", "offer", "--subscriber", "bob", "--octets", "100MB")
    shutil.copytree(town.folder / "alice", town.folder / "twin")
    with second_base_station(town) as second:
        claims = {
            "first": town.join(),
            "second": town.join(station=SECOND, state="twin", interface="wlan1"),
        }
        until(lambda: any(each.process.poll() is not None for each in claims.values()))
        (loser,) = [name for name, each in claims.items() if each.process.poll() is not None]
        winner = claims.pop("second" if loser == "first" else "first")
        winner.wait_for("online")
        assert refusal_of(claims[loser]) in ("terminal_elsewhere", "replayed")
        running = town.operator("trades", "--subscriber", "bob")["given"]
        assert [trade["state"] for trade in running] == ["open"]
        state, station, interface = ("alice", PORTAL, "wlan0") if loser == "first" else ("twin", SECOND, "wlan1")
        assert refusal_of(town.join(station=station, state=state, interface=interface)) == "terminal_elsewhere"
        winner.process.send_signal(signal.SIGTERM)
        winner.wait_for("offline")
        (town.station if loser == "second" else second).wait_for("trade ended")
        again = town.join(station=station, state=state, interface=interface)
        again.wait_for("online")
        again.process.send_signal(signal.SIGTERM)
        again.wait_for("counts compared")


def refusal_of(agent: Agent) -> str:
    """Return why a terminal was refused that ended by it."""
    assert agent.process.wait(20) == 1
    assert agent.process.stderr is not None
    return agent.process.stderr.read().decode().splitlines()[-1]


def test_an_order_is_never_exceeded_by_an_octet(town: Town) -> None:
    town.operator("supply", "offer", "--subscriber", "bob", "--octets", "35MB")
    alice = town.join()
    alice.wait_for("online")
    with flows(town.scene.alice, town.scene.internet, FAR, up=1, down=1):
        town.station.wait_for("trade ended")
    assert alice.wait_for("counts compared")["agrees"] == "yes"
    assert 35_000_000 - 1500 < town.used() <= 35_000_000
