"""The map of the lab, in a place of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lab.place import any_place, run_inside

from qanat.lab import private
from qanat.lab.topology import INTERNET, SERVER, WIRES, Lab, Wire
from qanat.lab.waiting import PATIENCE_S

pytestmark = pytest.mark.namespaces


def test_both_ways_lead_to_the_server_and_nothing_but_our_traffic_is_on_the_wires() -> None:
    done = run_inside(any_place(), "tests.lab.test_topology")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "first": "cell0",
        "after leaving": "wifi0",
        "over wifi0": "10.2.0.1",
        "after coming back": "cell0",
        "packets": [0] * 2 * len(WIRES),
        "left behind": "",
        "packets of who lost the route": [0, 1],
        "a sender outlasts the lab's patience": True,
    }


def look() -> dict[str, object]:
    """Lay a lab, look at the terminal's ways and at what the wires have carried when nobody sent anything."""
    assert private.is_inside()
    lab = Lab("test")
    lab.lay()
    ways: dict[str, object] = {"first": way(lab, INTERNET)["dev"]}
    lab.cut("cell0")
    lab.mend("cell0")
    lab.leave("cell0")
    ways["after leaving"] = way(lab, INTERNET)["dev"]
    ways["over wifi0"] = way(lab, SERVER, "oif", "wifi0")["prefsrc"]
    lab.come_back("cell0")
    ways["after coming back"] = way(lab, INTERNET)["dev"]
    ways["packets"] = [count for wire in WIRES for count in packets(lab, wire)]
    lab.leave("cell0")
    tell_the_server(lab, "cell0")
    ways["packets of who lost the route"] = packets(lab, WIRES[0])
    ways["a sender outlasts the lab's patience"] = tries_for_s(lab) > PATIENCE_S
    lab.clear()
    ways["left behind"] = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return ways


def packets(lab: Lab, wire: Wire) -> list[int]:
    """What the outer end has received and sent."""
    (found,) = shown(lab, wire.outer, "-s", "link", "show", wire.outer_interface)
    return [found["stats64"][direction]["packets"] for direction in ("rx", "tx")]


def tell_the_server(lab: Lab, interface: str) -> None:
    """Send a datagram from the terminal, bound to an interface, and wait until the server has it."""
    with lab["server"].inside():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with lab["terminal"].inside():
        terminal = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, terminal:
        server.bind((SERVER, 0))
        server.settimeout(PATIENCE_S)
        terminal.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        terminal.sendto(b"usage", server.getsockname())
        assert server.recv(16) == b"usage"


def way(lab: Lab, host: str, *more: str) -> dict[str, Any]:
    return shown(lab, "terminal", "route", "get", host, *more)[0]


def tries_for_s(lab: Lab) -> int:
    """How long a sender in there repeats what is not acknowledged, at least (ip-sysctl, tcp_retries2)."""
    with lab["internet"].inside():
        retries, longest_ms = (_setting(name) for name in ("tcp_retries2", "tcp_rto_max_ms"))
    return (retries or 0) * (longest_ms or 120_000) // 1000


def _setting(name: str) -> int | None:
    path = Path("/proc/sys/net/ipv4", name)
    return int(path.read_text()) if path.exists() else None


def shown(lab: Lab, host: str, *words: str) -> list[dict[str, Any]]:
    command = lab[host].command("ip", "-j", *words)
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


if __name__ == "__main__":
    json.dump(look(), sys.stdout)
