"""Three hosts for measuring a base station's gate: a phone, the base station, the internet; and flows between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from qanat.lab.namespaces import Host, run

PHONE: Final = "10.50.0.2"
STATION: Final = "10.50.0.1"
INTERNET: Final = "10.60.0.2"
_PORT: Final = 7001

_LISTEN: Final = """
import socket, sys, threading
def serve(end):
    try:
        push = end.recv(1) == b"d"
        rate = int.from_bytes(end.recv(8))
        if rate:
            import time
            while push:
                end.sendall(bytes(65536))
                time.sleep(65536 / rate)
        while push: end.sendall(bytes(65536))
        while end.recv(65536): pass
    except OSError: pass
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    end, _ = listener.accept()
    threading.Thread(target=serve, args=(end,), daemon=True).start()
"""
_CONNECT: Final = """
import socket, sys, threading
host, port, up, down, rate = sys.argv[1], *map(int, sys.argv[2:])
def run(push):
    with socket.create_connection((host, port)) as end:
        end.sendall((b"u" if push else b"d") + rate.to_bytes(8))
        try:
            while push: end.sendall(bytes(65536))
            while end.recv(65536): pass
        except OSError: pass
threads = [threading.Thread(target=run, args=(n < up,)) for n in range(up + down)]
for each in threads: each.start()
"""


class GateLab:
    """Stands while it is used as a context."""

    def __init__(self) -> None:
        self.phone, self.station, self.internet = (
            Host(f"qbench-{os.getpid()}-{name}") for name in ("phone", "station", "internet")
        )

    def __enter__(self) -> GateLab:
        for host in (self.phone, self.station, self.internet):
            host.add()
        _wire(self.phone, self.station, "wlan0", net=50)
        _wire(self.internet, self.station, "up0", net=60)
        self.phone.ip(f"route add default via {STATION}")
        self.internet.ip("route add 10.0.0.0/8 via 10.60.0.1")
        self.station.ip(f"route add default via {INTERNET}")
        self.station.set("ipv4/ip_forward", 1)
        return self

    def __exit__(self, *_: object) -> None:
        for host in (self.phone, self.station, self.internet):
            host.remove()

    @property
    def phone_link_address(self) -> bytes:
        found = json.loads(run(["ip", "-n", self.phone.name, "-j", "link", "show", "wlan0"]))
        return bytes.fromhex(found[0]["address"].replace(":", ""))

    @contextmanager
    def flows(self, *, up: int, down: int, octets_per_s: int = 0) -> Iterator[None]:
        """Keep TCP flows going, seen from the phone; ``octets_per_s`` slows each download to less than that."""
        far = subprocess.Popen(
            self.internet.command(sys.executable, "-c", _LISTEN, INTERNET, str(_PORT)), stdout=subprocess.PIPE
        )
        assert far.stdout is not None
        far.stdout.readline()
        numbers = map(str, (_PORT, up, down, octets_per_s))
        near = subprocess.Popen(self.phone.command(sys.executable, "-c", _CONNECT, INTERNET, *numbers))
        try:
            yield
        finally:
            for process in (near, far):
                process.kill()
                process.wait()


def _wire(outer: Host, station: Host, name: str, *, net: int) -> None:
    run(["ip", "link", "add", name, "netns", outer.name, "type", "veth", "peer", "name", name, "netns", station.name])
    outer.ip(f"address add 10.{net}.0.2/24 dev {name}", f"link set {name} gso_max_segs 1 up")
    station.ip(f"address add 10.{net}.0.1/24 dev {name}", f"link set {name} up")
