"""A real server on a loopback port, in a thread of its own, on a store in memory and a clock that the test moves."""

from __future__ import annotations

import asyncio
import itertools
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.patience import PATIENCE_S

from qanat.clock import ManualClock
from qanat.server.first_start import prepare
from qanat.server.gy.listen import GyListener
from qanat.server.http.listen import HttpListener
from qanat.server.http.services import make_services
from qanat.server.settings import Settings
from qanat.store.store import open_store
from qanat.wire.signature import sign

_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Live:
    """How a test speaks to the server. Without ``token`` it speaks as the administrator."""

    def __init__(self, *, url: str, token: str, clock: ManualClock, gy: str = "") -> None:
        self.url = url
        self.gy = gy
        """Where Diameter is listened for."""
        self.clock = clock
        self.token = token
        self.http = httpx2.Client(base_url=url, trust_env=False, verify=False, timeout=PATIENCE_S)

    def get(self, path: str, *, token: str | None = None, params: dict[str, str] | None = None) -> httpx2.Response:
        return self.http.get(path, headers=self._as(token), params=params)

    def post(
        self, path: str, body: Any = None, *, token: str | None = None, key: str = "", content: bytes | None = None
    ) -> httpx2.Response:
        headers = self._as(token) | ({"idempotency-key": key} if key else {})
        payload = content if content is not None else msgspec.json.encode(body if body is not None else {})
        return self.http.post(path, content=payload, headers={**headers, "content-type": "application/json"})

    def done(self, path: str, body: Any = None, *, token: str | None = None) -> dict[str, Any]:
        answer = self.post(path, body, token=token)
        assert answer.status_code == 201, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def sign_in(self, name: str) -> str:
        """Sign a new subscriber up and in; return its token."""
        self.done("/v1/sign-up", {"name": name, "password": "correct horse"}, token="")
        given: str = self.done("/v1/sign-in", {"name": name, "password": "correct horse"}, token="")["token"]
        return given

    def _as(self, token: str | None) -> dict[str, str]:
        shown = self.token if token is None else token
        return {"authorization": f"Bearer {shown}"} if shown else {}


class Device:
    """A terminal as the server sees it: a key, and requests signed with it."""

    def __init__(self, live: Live, *, seed: int = 1) -> None:
        self.live = live
        self.key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32))
        self.public_key = b64encode(self.key.public_key().public_bytes_raw()).decode()
        self.id = ""
        self._nonces = (f"nonce-{seed:08}-{number:08}" for number in itertools.count())

    def enrol(self, code: str, *, serial: str = "imei-1") -> httpx2.Response:
        body = {"code": code, "public_key": self.public_key, "hardware": "lab", "serial": serial, "version": "1"}
        answer = self.send("POST", "/v1/terminals", body, key_id=self.public_key)
        if answer.status_code == 201:
            self.id = answer.json()["terminal"]
        return answer

    def send(
        self, method: str, path: str, body: Any = None, *, key_id: str = "", content: bytes | None = None
    ) -> httpx2.Response:
        payload = content if content is not None else b"" if body is None else msgspec.json.encode(body)
        headers = self.signed(method, path, payload, key_id=key_id)
        return self.live.http.request(method, path, content=payload, headers=headers)

    def signed(self, method: str, path: str, body: bytes, *, key_id: str = "", skew_s: int = 0) -> dict[str, str]:
        return sign(
            self.key,
            key_id=key_id or self.id,
            method=method,
            path=path,
            body=body,
            created_s=self.live.clock.now() // 1000 + skew_s,
            nonce=next(self._nonces),
        )


def interrogation(session: str, number: int, kind: str, **more: Any) -> dict[str, Any]:
    report = {"journal": "j1", "floor": 0, "rows": []}
    return {"session": session, "number": number, "kind": kind, "report": report, **more}


@contextmanager
def live_server(data: Path, settings: Settings | None = None) -> Iterator[Live]:
    clock = ManualClock()
    ready: Future[tuple[str, str]] = Future()
    stop: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stopping = asyncio.Event()
        stop.set_result((asyncio.get_running_loop(), stopping))
        chosen = settings or settings_for(data)
        store = await open_store(chosen.store.database or "memory:", clock)
        services = make_services(store=store, clock=clock, settings=chosen, hasher=_QUICK)
        await prepare(store, services.passwords, data)
        listener = HttpListener(services)
        gateways = GyListener(store, clock, services.settings, services.peers, services.notices)
        gy = await gateways.start() if chosen.gy.listen or chosen.gy.tls_listen else ""
        if gy:
            services.metrics.watch_gateways(gateways.front)
        ready.set_result((await listener.start(), gy))
        await stopping.wait()
        if gy:
            await gateways.stop()
        await listener.stop()
        verdict = await store.audit()
        assert verdict.problems == []
        await store.close()

    failure: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failure.append(error)
            if not ready.done():
                ready.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    http, gy = ready.result(20)
    live = Live(url=f"http://{http}", token=(data / "admin.token").read_text().strip(), clock=clock, gy=gy)
    try:
        yield live
    finally:
        live.http.close()
        loop, stopping = stop.result()
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        assert not failure, failure


def settings_for(data: Path, **sections: dict[str, Any]) -> Settings:
    """Return settings that listen on free ports, with what the test wants otherwise."""
    listening = {"listen": "127.0.0.1:0"}
    given = {**sections, "http": listening | sections.get("http", {}), "gy": listening | sections.get("gy", {})}
    return msgspec.convert({"data": str(data), **given}, Settings)
