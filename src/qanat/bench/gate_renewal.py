"""From a grant that runs dry to the next one in place: the whole way through agent, journal, server, ledger and back.

A real server on the base station's loopback, durable; a real agent; one download at a steady rate through small grants.
The kernel's own events are the stopwatch: DEPLETED of one rung, and the birth of the rung after the next.
"""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import msgspec

from qanat.agents.base_station.enrol import enrol
from qanat.agents.base_station.ruleset import table_for
from qanat.agents.kernel import netlink, nft
from qanat.agents.kernel.nft import depleted_in
from qanat.bench.gate_lab import STATION, GateLab
from qanat.system import SystemClock

_GRANT: Final = 2_000_000
_RATE: Final = 40_000_000
_SECONDS: Final = 20.0
_NEW_OBJECT: Final = 0x0A12
_RUNG: Final = re.compile(r"rung_s\d+_(\d+)_\d+")
_PORT: Final = 7443


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    renewals: int
    p50_ms: float
    p99_ms: float


def bench_replacement(lab: GateLab) -> Replacement:
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder, _server(lab, Path(folder)) as api:
        passcode = _agreed(api)
        with _agent(lab, Path(folder), _code(api)):
            with lab.station.inside():
                events = netlink.Events(netlink.NETFILTER, [nft.EVENT_GROUP])
            _join(lab, passcode)
            with lab.flows(up=0, down=1, octets_per_s=_RATE):
                spans = sorted(_spans(events))
            events.close()
    return Replacement(
        renewals=len(spans),
        p50_ms=round(spans[len(spans) // 2] * 1000, 3),
        p99_ms=round(spans[len(spans) * 99 // 100] * 1000, 3),
    )


def _spans(events: netlink.Events) -> list[float]:
    """Return how long it took from each depletion to the rung that follows the waiting one."""
    table, dry, spans = table_for("wlan0"), dict[int, float](), []
    deadline = time.monotonic() + _SECONDS
    while (left := deadline - time.monotonic()) > 0:
        select.select([events], [], [], left)
        now = time.perf_counter()
        for message in events.take():
            name = depleted_in(message, table)
            if name is not None:
                dry[_number(name)] = now
            elif message.kind == _NEW_OBJECT:
                begun = dry.pop(_number(netlink.text_of(netlink.attributes(message.payload[4:])[2])) - 2, None)
                if begun is not None:
                    spans.append(now - begun)
    assert spans, "the download never met the end of a grant"
    return spans


def _number(name: str) -> int:
    match = _RUNG.fullmatch(name)
    return int(match[1]) if match else -1


@contextmanager
def _server(lab: GateLab, folder: Path) -> Iterator[httpx2.Client]:
    words = ("-m", "qanat.console.main", "serve", "--data", str(folder), "--http", f"127.0.0.1:{_PORT}")
    sizes = {"QANAT_QUOTAS_OCTETS": str(_GRANT), "QANAT_QUOTAS_OCTETS_MAX": str(_GRANT)}
    process = subprocess.Popen(
        lab.station.command(sys.executable, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **sizes},
        text=True,
    )
    assert process.stdout is not None
    assert "ready" in process.stdout.readline(), "the server did not start"
    token = (folder / "admin.token").read_text().strip()
    try:
        with (
            lab.station.inside(),
            httpx2.Client(
                base_url=f"http://127.0.0.1:{_PORT}",
                headers={"authorization": f"Bearer {token}"},
                trust_env=False,
                timeout=20,
            ) as api,
        ):
            _ask(api, "subscribers", name="carol")  # connects while this thread is in there; the connection stays
            yield api
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _agreed(api: httpx2.Client) -> str:
    """Have a supplier and a demander; return the passcode."""
    for name in ("alice", "bob"):
        _ask(api, "subscribers", name=name)
    _ask(api, "subscribers/bob/top-ups", octets=10_000_000_000)
    _ask(api, "subscribers/bob/supply-orders", octets=10_000_000_000)
    return str(_ask(api, "subscribers/alice/demand-orders", octets=10_000_000_000)["passcode"])


def _code(api: httpx2.Client) -> str:
    return str(_ask(api, "subscribers/carol/base-station-codes")["code"])


def _ask(api: httpx2.Client, path: str, **body: object) -> dict[str, Any]:
    answer = api.post(f"/v1/{path}", json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@contextmanager
def _agent(lab: GateLab, folder: Path, code: str) -> Iterator[None]:
    state, url = folder / "station", f"http://127.0.0.1:{_PORT}"
    with lab.station.inside():
        enrol(state, server=url, code=code, access="wlan0", uplink="up0", place="", serial=None, clock=SystemClock())
    words = ("-m", "qanat.console.station", "run", "--state", str(state))
    log = (folder / "log").open("w+")
    process = subprocess.Popen(lab.station.command(sys.executable, *words), stderr=log)
    try:
        while "ready" not in (folder / "log").read_text():
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        log.close()


def _join(lab: GateLab, passcode: str) -> None:
    with lab.phone.inside():
        connection = http.client.HTTPConnection(STATION, 8910, timeout=20)
        connection.connect()
    connection.request("POST", "/join", urlencode({"passcode": passcode}))
    answer = connection.getresponse()
    assert answer.status == 303, answer.read().decode()
