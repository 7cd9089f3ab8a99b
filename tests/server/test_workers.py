"""Several server processes on the same ports: real processes on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from tests.console.running import Serving, Shell, serving
from tests.patience import PATIENCE_S
from tests.server.gy.gateway import Gateway, accepted, funded
from tests.server.live import Device, Live, interrogation

import qanat
from qanat.bench.database import GivenDatabase
from qanat.bench.gy import bench_gy
from qanat.bench.postgres import OwnPostgres
from qanat.server.sharing import Shared
from qanat.system import SystemClock
from qanat.wire.diameter.messages import ReAuthRequest

MANY = 12
"""So many connections of their own do not all reach the same worker but once in 2,000 times; each test can bear that."""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("workers"))


@pytest.fixture(scope="module")
def database(postgres: OwnPostgres) -> str:
    return postgres.create("workers")


@pytest.fixture(scope="module")
def server(shell: Shell, database: str) -> Iterator[Serving]:
    with serving(shell, "--database", database, "--workers", "2", "--gy", "127.0.0.1:0") as started:
        shell.environment["QANAT_TOKEN"] = token(shell)
        yield started
        assert started.stop()[0] == 0


@pytest.fixture
def live(server: Serving, shell: Shell) -> Iterator[Live]:
    """Every request on a connection of its own, so that it may reach any worker."""
    clock = SystemClock()
    gy = server.ready_line.partition("gy=")[2]
    everywhere = Live(url=server.url, token=token(shell), clock=clock, gy=gy)  # type: ignore[arg-type]
    everywhere.http = httpx2.Client(
        base_url=server.url, trust_env=False, timeout=PATIENCE_S, headers={"connection": "close"}
    )
    yield everywhere
    everywhere.http.close()


def token(shell: Shell) -> str:
    return (shell.directory / "data" / "admin.token").read_text().strip()


def workers(server: Serving) -> list[int]:
    """The processes that serve; their parent does not."""
    pid = server.process.pid
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def series(live: Live, name: str) -> dict[str, float]:
    """A figure by worker, summed over its other labels."""
    found: dict[str, float] = {}
    for worker, value in re.findall(rf'(?m)^{name}{{worker="(\d+)".*}} (\S+)$', live.get("/metrics").text):
        found[worker] = found.get(worker, 0) + float(value)
    return found


def test_both_workers_serve_and_their_figures_are_told_together(live: Live) -> None:
    for _ in range(MANY):
        assert live.get("/livez").status_code == 200
    answered = series(live, "qanat_http_requests_total")
    assert answered.keys() == {"0", "1"}
    assert all(answered.values())


def test_what_one_worker_acknowledged_every_other_knows(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "early"})
    for n in range(1, MANY):
        live.done("/v1/subscribers/early/top-ups", {"octets": 10})
        assert live.get("/v1/subscribers/early/balance").json()["available"] == 10 * n
    alice = live.sign_in("signs")
    assert live.get("/v1/whoami", token=alice).status_code == 200
    live.done("/v1/sign-out", token=alice)
    assert {live.get("/v1/whoami", token=alice).status_code for _ in range(MANY)} == {401}


def test_a_key_takes_effect_once_at_whichever_worker(live: Live) -> None:
    live.done("/v1/subscribers", {"name": "once"})

    def top_up(_: int) -> str:
        return live.post("/v1/subscribers/once/top-ups", {"octets": 1000}, key="k-1").text

    with ThreadPoolExecutor(MANY) as pool:
        assert len(set(pool.map(top_up, range(MANY)))) == 1
    assert live.get("/v1/subscribers/once/balance").json()["available"] == 1000


def enrolled(live: Live, name: str, seed: int) -> Device:
    live.done("/v1/subscribers", {"name": name})
    live.done(f"/v1/subscribers/{name}/top-ups", {"octets": 10**6})
    live.done("/v1/sims", {"count": 1})
    device = Device(live, seed=seed)
    answer = device.enrol(live.done(f"/v1/subscribers/{name}/codes")["code"], serial=f"imei-{seed}")
    assert answer.status_code == 201, answer.text
    return device


def test_a_replayed_request_is_refused_by_every_worker_also_by_one_started_since(live: Live, server: Serving) -> None:
    device = enrolled(live, "replayed", seed=41)
    path, body = "/v1/agent/interrogations", json.dumps(interrogation("s", 0, "first")).encode()
    headers = device.signed("POST", path, body)
    assert live.http.post(path, content=body, headers=headers).status_code == 200
    again = [live.http.post(path, content=body, headers=headers) for _ in range(MANY)]
    assert {answer.json()["reason"] for answer in again} == {"replayed"}
    kill(server, workers(server)[0])
    again = [live.http.post(path, content=body, headers=headers) for _ in range(MANY)]
    assert {answer.json()["reason"] for answer in again} == {"replayed"}


def test_tries_are_counted_together(live: Live) -> None:
    wrong = {"name": "nobody", "password": "a guess, not more"}
    answers = [live.post("/v1/sign-in", wrong, token="").json()["reason"] for _ in range(MANY)]
    assert answers == ["wrong_sign_in"] * 5 + ["too_many_tries"] * (MANY - 5)


def test_a_top_up_at_any_worker_is_told_to_the_gateway(live: Live) -> None:
    accepted(live)
    funded(live, name="gateway", octets=10**9, imsi="001019999999991", msisdn="37069999991")
    with Gateway(live) as gateway:
        gateway.introduce()
        assert gateway.ask("I", imsi="001019999999991").result_code == 2001
        for _ in range(MANY):
            live.done("/v1/subscribers/gateway/top-ups", {"octets": 10**6})
            assert isinstance(gateway.receive(), ReAuthRequest)


def test_a_peer_accepted_at_one_worker_is_known_to_all_and_shown_with_its_connections(live: Live) -> None:
    hosts = [f"smf{n}.accepted.test" for n in range(MANY)]
    with Gateway(live, "stranger.accepted.test") as stranger:
        assert stranger.introduce().result_code == 3010
    assert any(peer["origin_host"] == "stranger.accepted.test" for peer in live.get("/v1/peers").json()["peers"])
    accepted(live, "*.accepted.test")
    gateways = [Gateway(live, host) for host in hosts]
    assert {gateway.introduce().result_code for gateway in gateways} == {2001}
    shown = {peer["origin_host"]: peer for peer in live.get("/v1/peers").json()["peers"]}
    assert [shown[host]["connections"] for host in hosts] == [1] * MANY
    live.done("/v1/peers/*.accepted.test/removal")
    for gateway in gateways:
        with pytest.raises(ConnectionError):
            gateway.receive()


def kill(server: Serving, worker: int) -> float:
    """Kill a worker; return after how many seconds another serves in its place."""
    others = set(workers(server)) - {worker}
    begun = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    while worker in workers(server) or len(workers(server)) <= len(others):
        assert time.monotonic() < begun + 10
    return time.monotonic() - begun


def test_a_worker_that_is_killed_is_started_again_within_a_second_and_nobody_is_turned_away(
    live: Live, server: Serving
) -> None:
    live.done("/v1/subscribers", {"name": "killed"})
    for n, worker in enumerate(workers(server)):
        live.done("/v1/subscribers/killed/top-ups", {"octets": 10})
        assert kill(server, worker) < 1
        answers = [live.get("/v1/subscribers/killed/balance") for _ in range(MANY)]
        assert {answer.json()["available"] for answer in answers} == {10 * (n + 1)}
    assert live.get("/v1/audit").json()["balanced"] is True


# Servers of their own


def test_sigterm_finishes_what_is_under_way_at_every_worker_and_frees_the_port(shell: Shell, database: str) -> None:
    with serving(shell, "--data", "stopped", "--database", database, "--workers", "3") as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        key = (shell.directory / "stopped" / "admin.token").read_text().strip()
        body = b'{"name": "under-way-%d"}'
        peers = [socket.create_connection((host, int(port)), timeout=PATIENCE_S) for _ in range(MANY)]
        for n, peer in enumerate(peers):
            said = body % n
            head = f"POST /v1/subscribers HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(said)}\r\n"
            peer.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + said[:5])
        while sum(map(float, re.findall(r"requests_in_flight{.*} (\S+)", metrics(server)))) < MANY:
            pass
        server.process.send_signal(signal.SIGTERM)
        for n, peer in enumerate(peers):
            peer.sendall((body % n)[5:])
        assert {peer.recv(4096)[:12] for peer in peers} == {b"HTTP/1.1 201"}
        assert server.process.wait(PATIENCE_S) == 0
        with socket.create_server((host, int(port))):
            pass


@pytest.mark.parametrize("whole_octets", [0, 4096], ids=["all of it", "behind its first page"])
def test_what_the_workers_shared_is_forgotten_where_a_power_cut_damaged_it(
    shell: Shell, database: str, whole_octets: int
) -> None:
    """It is written without waiting for the disk. Every sign-in and signed request failed until somebody deleted it."""
    data = shell.directory / f"damaged-{whole_octets}"
    data.mkdir()
    with closing(Shared(data / "workers.db")) as shared:
        for number in range(1000):
            shared.run("INSERT INTO nonce VALUES (1, 'trm-1', ?)", str(number))
    content = (data / "workers.db").read_bytes()
    (data / "workers.db").write_bytes(content[:whole_octets] + b"\x5a" * (len(content) - whole_octets))
    with serving(shell, "--data", data.name, "--database", database, "--workers", "2") as server:
        wrong = {"name": "nobody else", "password": "a guess, not more"}
        answer = httpx2.post(server.url + "/v1/sign-in", json=wrong, trust_env=False)
        assert answer.json()["reason"] == "wrong_sign_in"
        assert "was damaged" in server.stop()[2]


def metrics(server: Serving) -> str:
    return httpx2.get(server.url + "/metrics", trust_env=False).text


def test_workers_whose_parent_was_killed_stop_and_free_the_port(shell: Shell, database: str) -> None:
    with serving(shell, "--data", "orphans", "--database", database, "--workers", "2") as server:
        left = workers(server)
        server.stop(signal.SIGKILL)
        until = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in left):
            assert time.monotonic() < until


def test_servers_that_start_at_once_on_an_empty_database_make_one_administrator(
    shell: Shell, postgres: OwnPostgres
) -> None:
    database = postgres.create("beginning")
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda data: Serving(shell, "--data", data, "--database", database), ("one", "two")))
    tokens = [(shell.directory / data / "admin.token").read_text().strip() for data in ("one", "two")]
    for server in both:
        for one in tokens:
            answer = httpx2.get(server.url + "/v1/whoami", headers={"authorization": f"Bearer {one}"}, trust_env=False)
            assert answer.json()["name"] == "admin"
    said = "".join(server.stop()[2] for server in both)
    assert said.count("First start: the password of administrator") == 1


def test_a_worker_killed_under_load_loses_and_doubles_nothing(
    postgres: OwnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(qanat.__file__).parents[1]))
    said: list[str] = []
    measured = asyncio.run(
        bench_gy(
            tmp_path,
            seconds=2,
            connections=4,
            in_flight=2,
            subscribers=8,
            workers=2,
            kill_worker=True,
            database=GivenDatabase(postgres.create("killed")),
            tell=said.append,
        )
    )
    assert measured.conserved, said
    assert measured.requests > 20


@pytest.mark.parametrize("kind", ["a SQLite file", "memory"])
def test_more_workers_than_writers_are_refused_with_the_cure(shell: Shell, kind: str) -> None:
    flags = ["--database", "memory:"] if kind == "memory" else []
    said = shell.qanat("serve", "--workers", "2", *flags, status=2)
    assert f"2 workers can't share {kind}" in said
    assert "qanat database copy" in said


def test_workers_that_can_not_start_say_why_and_leave_nobody_behind(shell: Shell, database: str) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    assert "127.0.0.1:1" in shell.qanat(
        "serve", "--workers", "2", "--http", "127.0.0.1:0", "--database", away, status=1
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = shell.qanat("serve", "--workers", "2", "--http", address, "--database", database, status=1)
    assert address in said
    assert "--http" in said


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_server_stops_and_says_why_when_one_of_a_later_version_takes_the_database_over(
    shell: Shell, postgres: OwnPostgres, count: str
) -> None:
    database = postgres.create(f"taken-over-by-{count}")
    with serving(shell, "--data", f"old{count}", "--database", database, "--workers", count) as server:
        postgres.ask("UPDATE alembic_version SET version_num = '9999'", f"taken-over-by-{count}")
        _, said = server.process.communicate(timeout=PATIENCE_S)
    assert server.process.returncode == 1
    assert "is of a later version of Qanat (its schema is 9999" in said
    assert "Traceback" not in said
    again = shell.qanat("serve", "--data", "old", "--database", database, "--http", "127.0.0.1:0", status=1)
    assert "update this one" in again
