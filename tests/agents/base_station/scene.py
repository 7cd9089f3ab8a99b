"""A base station between its access side, a bridge with two terminals on it, and the internet; and its agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from tests.agents.processes import Agent
from tests.namespaces import Namespace, join

from qanat.agents.base_station.gateway import Gateway
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.ruleset import key_of

ALICE, ALICE6 = "10.50.0.2", "fd00:50::2"
MALLORY, MALLORY6 = "10.50.0.3", "fd00:50::3"
STATION, STATION6 = "10.50.0.1", "fd00:50::1"
FAR, FAR6 = "10.60.0.2", "fd00:60::2"
SERVER = "10.9.0.1"


@dataclass(frozen=True)
class Scene:
    """``br0`` is the access side, ``up0`` the uplink. The Qanat server is at 10.9.0.1, beyond the uplink."""

    station: Namespace
    alice: Namespace
    mallory: Namespace
    internet: Namespace
    link_addresses: dict[str, bytes] = field(default_factory=dict)

    @contextmanager
    def gateway(self) -> Iterator[Gateway]:
        with self.station.inside():
            gateway = Gateway(access="br0", uplink="up0", portal_port=8910, signalling=[(ip_address(SERVER), 7443)])
        try:
            yield gateway
        finally:
            gateway.close()

    def lay_bridge(self) -> None:
        self.station.run("ip", "link", "add", "br0", "type", "bridge")
        for port in ("alice", "mallory"):
            self.station.run("ip", "link", "set", port, "master", "br0")
        for address in (f"{STATION}/24", f"{STATION6}/64"):
            self.station.run("ip", "address", "add", address, "dev", "br0", *(("nodad",) if ":" in address else ()))
        self.station.run("ip", "link", "set", "br0", "up")

    def plug_in_uplink(self) -> None:
        join(self.station, "up0", self.internet, "far0", net=60)
        # A real wire carries no super-packets; veth would hand them over whole.
        self.internet.run("ip", "link", "set", "far0", "gso_max_segs", "1")
        self.internet.run("ip", "route", "add", "10.50.0.0/24", "via", "10.60.0.1")
        self.internet.run("ip", "-6", "route", "add", "fd00:50::/64", "via", "fd00:60::1")
        self.station.run("ip", "route", "add", "default", "via", FAR)

    def close(self) -> None:
        for each in (self.station, self.alice, self.mallory, self.internet):
            each.close()

    def admit(self, gateway: Gateway, label: str, *addresses: str, link_address: bytes | None = None) -> Metered:
        keys = [key_of(ip_address(each)) for each in addresses or (ALICE, ALICE6)]
        return Metered.open(gateway, label, keys=keys, link_address=link_address or self.link_addresses["alice"])


@contextmanager
def running(scene: Scene, state: Path, *more: str) -> Iterator[Agent]:
    agent = Agent(scene.station, "qanat.console.station", "run", "--state", str(state), *more)
    try:
        agent.wait_for("ready")
        yield agent
    finally:
        if agent.process.poll() is None:
            agent.kill()


def build_scene() -> Scene:
    station, alice, mallory, internet = (Namespace() for _ in range(4))
    scene = Scene(station, alice, mallory, internet)
    for name, terminal, host in (("alice", alice, 2), ("mallory", mallory, 3)):
        _plug_in(scene, name, terminal, host)
    scene.lay_bridge()
    internet.run("ip", "address", "add", f"{SERVER}/32", "dev", "lo")
    scene.plug_in_uplink()
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        station.set(key, 1)
    return scene


def _plug_in(scene: Scene, name: str, terminal: Namespace, host: int) -> None:
    scene.station.run("ip", "link", "add", name, "type", "veth", "peer", "name", "wlan0", "netns", terminal.path)
    scene.station.run("ip", "link", "set", name, "up")
    terminal.run("ip", "link", "set", "wlan0", "gso_max_segs", "1")
    terminal.run("ip", "address", "add", f"10.50.0.{host}/24", "dev", "wlan0")
    terminal.run("ip", "address", "add", f"fd00:50::{host}/64", "dev", "wlan0", "nodad")
    terminal.run("ip", "link", "set", "wlan0", "up")
    terminal.run("ip", "route", "add", "default", "via", STATION)
    terminal.run("ip", "-6", "route", "add", "default", "via", STATION6)
    found = json.loads(terminal.run("ip", "-j", "link", "show", "wlan0"))[0]["address"]
    scene.link_addresses[name] = bytes.fromhex(found.replace(":", ""))
