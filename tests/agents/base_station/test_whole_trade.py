"""Whole trades with the real server: three meters, one ledger, and every party a process of its own."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.agents.base_station.scene import FAR
from tests.agents.base_station.town import PORTAL, URL, Town, download, qanat
from tests.agents.processes import Agent
from tests.namespaces import Namespace, join
from tests.patience import PATIENCE_S
from tests.traffic import flood, flows, until

pytestmark = pytest.mark.namespaces

SECOND = "http://10.51.0.1:8910"


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
    assert alice.process.wait(PATIENCE_S) == 1
    assert alice.process.stderr is not None
    said = alice.process.stderr.read().decode()
    assert "no_supply" in said
    assert "refused: " in said
    assert any("一" <= letter <= "鿿" for letter in said)
    assert town.operator("refusals")["refusals"][0]["reason"] == "no_supply"


def test_a_supplier_who_stops_is_obeyed_in_mid_download_and_the_remainder_goes_home(town: Town) -> None:
    """By the recall, or by what the base station's next question is told if that comes first."""
    order = town.operator("supply", "offer", "--subscriber", "bob", "--octets", "400MB")["order"]
    alice = town.join()
    online = alice.wait_for("online")
    assert {online[role][0] for role in ("demander", "supplier")} == {"S"}
    assert (online["terminal"][0], online["base_station"][0]) == ("T", "B")
    with flows(town.scene.alice, town.scene.internet, FAR, down=1):
        town.station.wait_for("quota used up")
        town.operator("supply", "stop", order, "--subscriber", "bob")
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
    assert agent.process.wait(PATIENCE_S) == 1
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
