"""``qanat bench http``: signed usage reports over HTTP, against a server of its own.

Every connection is a terminal with a key, a cloud SIM, a session and a quota, and reports one journal row a request. With
``kill`` the server is killed in the middle; whoever kills it, it is started again and reports go on. At the end the octets
that were confirmed are held against the ledger, to the octet.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from qanat.bench.connection import Connection
from qanat.bench.database import Database
from qanat.bench.figures import Figures, figures
from qanat.bench.machine import cpu_s
from qanat.bench.server import OwnServer, said
from qanat.errors import Fault, Unreachable
from qanat.system import SystemClock
from qanat.units import Instant
from qanat.wire.agent import Enrolment, Interrogation, InterrogationAnswer, UsageConfirmation, UsageReport, UsageRow
from qanat.wire.signature import sign

_OCTETS: Final = 1_000
"""Each report says that so many more have passed."""
_QUOTA: Final = 10**12
_RESTART_WAIT_S: Final = 0.05


@dataclass(slots=True)
class _Terminal:
    key: Ed25519PrivateKey
    id: str
    subscriber: str
    connection: Connection
    quota: str = ""
    seq: int = 0
    confirmed: int = 0


@dataclass(slots=True)
class _Load:
    server: OwnServer
    until: float
    latencies: list[float] = field(default_factory=list)


def bench_http(
    data: Path,
    *,
    seconds: float,
    in_flight: int,
    kill: bool,
    database: Database | None = None,
    tell: Callable[[str], None],
) -> Figures:
    """Measure for some seconds with one connection for each request in flight. Raises Fault."""
    server = OwnServer(data, *(("--database", database.address) if database else ()))
    try:
        tell(f"server {server.pid} on http={server.addresses['http']}, data in {data}")
        with server.api() as api:
            terminals = _enrol(server, api, in_flight)
        measured = uvloop.run(_measure(server, terminals, seconds, kill=kill))
        tell(f"acknowledged {sum(terminal.confirmed for terminal in terminals):,} octets in {len(terminals)} terminals")
        return measured
    finally:
        server.start_again()
        server.stop()


async def _measure(server: OwnServer, terminals: list[_Terminal], seconds: float, *, kill: bool) -> Figures:
    await asyncio.gather(*(_open_session(terminal) for terminal in terminals))
    begun, cpu_before, own_before = time.perf_counter(), server.cpu_s(), cpu_s()
    load = _Load(server, begun + seconds)
    killer = asyncio.create_task(_kill_in_the_middle(load, seconds)) if kill else None
    await asyncio.gather(*(_report_on(load, terminal) for terminal in terminals))
    elapsed, cpu, own = time.perf_counter() - begun, server.cpu_s() - cpu_before, cpu_s() - own_before
    if killer is not None:
        await killer
    await asyncio.to_thread(server.start_again)
    conserved = await asyncio.to_thread(_conserved, server, terminals)
    rss = server.rss_mb()
    measured = figures(load.latencies, seconds=elapsed, server_cpu_s=cpu, server_rss_mb=rss, conserved=conserved)
    return replace(measured, client_cpu_us_per_request=round(own / max(measured.requests, 1) * 1e6, 1))


async def _report_on(load: _Load, terminal: _Terminal) -> None:
    while time.perf_counter() < load.until:
        terminal.seq += 1
        report = _report_of(terminal)
        begun = time.perf_counter()
        answer = await _insist(load, terminal, "/v1/agent/usage", report)
        load.latencies.append(time.perf_counter() - begun)
        confirmation = msgspec.json.decode(answer, type=UsageConfirmation)
        assert confirmation.acked == terminal.seq, f"{confirmation} does not confirm row {terminal.seq}"
        terminal.confirmed = terminal.seq * _OCTETS
    terminal.connection.close()


async def _insist(load: _Load, terminal: _Terminal, path: str, report: UsageReport) -> bytes:
    """Send until it is answered: a repeated row changes nothing."""
    while True:
        try:
            return await _post(terminal, path, report)
        except Unreachable:
            await asyncio.sleep(_RESTART_WAIT_S)
            await asyncio.to_thread(load.server.start_again)


async def _kill_in_the_middle(load: _Load, seconds: float) -> None:
    await asyncio.sleep(seconds / 2)
    load.server.kill()


async def _open_session(terminal: _Terminal) -> None:
    report = UsageReport(journal="bench", floor=0, rows=[])
    first = Interrogation(session=f"s-{terminal.id}", number=0, kind="first", report=report, wants=_QUOTA)
    answer = msgspec.json.decode(await _post(terminal, "/v1/agent/interrogations", first), type=InterrogationAnswer)
    terminal.quota = answer.quotas[0].quota


async def _post(terminal: _Terminal, path: str, message: msgspec.Struct) -> bytes:
    body = msgspec.json.encode(message)
    headers = _signed(terminal.key, terminal.id, path, body)
    status, answer = await terminal.connection.post(path, body, headers)
    if status == 503:
        raise Unreachable("the server is busy")
    if status >= 300:
        raise Fault(f"{path} answered {status}: {answer.decode(errors='replace')}")
    return answer


def _signed(key: Ed25519PrivateKey, key_id: str, path: str, body: bytes) -> dict[str, str]:
    now_s, nonce = int(time.time()), secrets.token_urlsafe(16)
    return sign(key, key_id=key_id, method="POST", path=path, body=body, created_s=now_s, nonce=nonce)


def _report_of(terminal: _Terminal) -> UsageReport:
    octets, now = terminal.seq * _OCTETS, SystemClock().now()
    row = UsageRow(seq=terminal.seq, quota=terminal.quota, epoch=1, up=0, down=octets, reserved=_QUOTA, at=Instant(now))
    return UsageReport(journal="bench", floor=terminal.seq - 1, rows=[row])


def _enrol(server: OwnServer, api: httpx2.Client, terminals: int) -> list[_Terminal]:
    said(api.post("/v1/sims", json={"count": terminals}))
    run = time.time_ns() // 1_000_000  # data may be kept from an earlier run
    return [_enrol_one(server, api, f"bench-{run}-{place}") for place in range(terminals)]


def _enrol_one(server: OwnServer, api: httpx2.Client, subscriber: str) -> _Terminal:
    said(api.post("/v1/subscribers", json={"name": subscriber}))
    said(api.post(f"/v1/subscribers/{subscriber}/top-ups", json={"octets": 10 * _QUOTA}))
    code = said(api.post(f"/v1/subscribers/{subscriber}/codes", json={}))["code"]
    key = Ed25519PrivateKey.generate()
    public = b64encode(key.public_key().public_bytes_raw()).decode()
    asked = Enrolment(code=code, public_key=public, hardware="bench", serial=subscriber, version="0")
    body = msgspec.json.encode(asked)
    answer: Any = said(api.post("/v1/terminals", content=body, headers=_signed(key, public, "/v1/terminals", body)))
    return _Terminal(key, answer["terminal"], subscriber, Connection(server.addresses["http"]))


def _conserved(server: OwnServer, terminals: list[_Terminal]) -> bool:
    with server.api() as api:
        verdict = said(api.get("/v1/audit"))
        used = [said(api.get(f"/v1/subscribers/{terminal.subscriber}/balance"))["used"] for terminal in terminals]
    return bool(verdict["balanced"]) and used == [terminal.confirmed for terminal in terminals]
