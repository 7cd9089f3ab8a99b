"""Ten thousand gateways that are connected and say nothing, against the real command with the limits it finds everywhere."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.console.running import Shell, serving
from tests.patience import PATIENCE_S
from tests.server.gy.gateway import IMSI, Gateway
from tests.server.live import Live
from tests.small_files import files_allowed

from qanat.clock import ManualClock
from qanat.server.files import connections_within
from qanat.wire.diameter.courtesies import Identity, introduction
from qanat.wire.diameter.encode import encode

IDLE = 10_000
QUIET = Identity(origin_host="", origin_realm="idle.test", addresses=(b"\x00\x01\x7f\x00\x00\x01",), origin_state_id=1)


def resident_kb(process: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1])


def connected(address: tuple[str, int], stack: ExitStack) -> list[socket.socket]:
    """Connect and introduce as many gateways as wanted, a hundred at a time."""
    everybody: list[socket.socket] = []
    for first in range(0, IDLE, 100):
        some = [stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S)) for _ in range(100)]
        for place, one in enumerate(some, first):
            one.sendall(encode(introduction(replace(QUIET, origin_host=f"gw{place}.idle.test"), (1, 1))))
        assert all(one.recv(4096)[4] == 0 for one in some), "welcome is said without the E bit"
        everybody += some
    return everybody


def test_ten_thousand_idle_connections_cost_8_kb_each_and_others_are_served(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.environment["QANAT_LOG_LEVEL"] = "warning"
    with files_allowed(1024), serving(shell, "--data", "data", "--gy", "127.0.0.1:0") as server, ExitStack() as stack:
        shell.environment["QANAT_TOKEN"] = (tmp_path / "data/admin.token").read_text().strip()
        for host in ("*.idle.test", "*.open5gs.test"):
            shell.qanat("peer", "accept", host)
        shell.qanat("subscriber", "create", "alice", "--imsi", IMSI)
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1GB")
        gy = server.ready_line.partition("gy=")[2]
        live = Live(url=server.url, token="", clock=ManualClock(), gy=gy)
        with Gateway(live) as smf:
            smf.introduce()
            assert smf.ask("I").result_code == 2001
            before = resident_kb(server.process.pid)
            stack.enter_context(files_allowed(IDLE + 1024))
            host, _, port = gy.rpartition(":")
            connected((host, int(port)), stack)
            assert smf.ask("U", used=(1, 2)).result_code == 2001
            assert (resident_kb(server.process.pid) - before) / IDLE < 8
            assert shell.qanat("audit").startswith("Balanced")
        live.http.close()
        assert server.stop()[0] == 0


@pytest.mark.parametrize(("allowed", "taken"), [(1024, 768), (20_000, 16_384), (100, 1)])
def test_gateways_leave_files_for_the_database_and_for_people(allowed: int, taken: int) -> None:
    with files_allowed(allowed):
        assert connections_within(16_384) == taken
