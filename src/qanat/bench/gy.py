"""``qanat bench gy``: gateways' sessions over Diameter, against a server of its own; this process is the load.

With ``kill`` the server is killed in the middle and started again; requests that were not answered are sent again with the
T flag. The database may be struck as well (``bench/database.py``); then the server goes on. At the end the octets
acknowledged are held against the ledger, to the octet, and no reservation may be left.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from qanat.bench.database import Database, GivenDatabase
from qanat.bench.figures import Figures, figures, with_put_off
from qanat.bench.gateways import REALM, ClosedLoop, Load, OpenLoop, Slot, drive, imsi_of
from qanat.bench.machine import cpu_s
from qanat.bench.server import OwnServer, said
from qanat.charging.credit_control import interrogate
from qanat.charging.interrogation import Ask, Interrogation
from qanat.charging.quota import Policy
from qanat.charging.session import Event
from qanat.errors import Fault
from qanat.ids import SessionId
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.names import subscriber_owner
from qanat.registry.operators import HOME, create_operator, find_operator
from qanat.registry.peers import accept_peer
from qanat.registry.subscribers import create_subscriber
from qanat.registry.wallets import top_up
from qanat.store.store import Store, open_store
from qanat.system import SystemClock
from qanat.units import Octets

_BUCKET: Final = Octets(2**52)
_AT_ONCE: Final = 512
_BATCHES: Final = re.compile(rb"(?m)^qanat_store_batches_total\S* (\S+)")


async def bench_gy(
    data: Path,
    *,
    seconds: float,
    connections: int,
    in_flight: int,
    subscribers: int,
    open_sessions: int = 0,
    hot: bool = False,
    rate: float | None = None,
    kill: bool = False,
    kill_worker: bool = False,
    workers: int = 1,
    database: Database | None = None,
    tell: Callable[[str], None],
) -> Figures:
    """Measure for some seconds. ``hot``: one account for everybody; ``rate``: open loop. Raises Fault.

    ``open_sessions`` of as many other subscribers stay open in the store meanwhile.
    """
    database = database or GivenDatabase(f"sqlite:///{data}/qanat.db")
    await _prepare(database.address, 1 if hot else subscribers, open_sessions)
    flags = ("--database", database.address, "--workers", str(workers))
    server = OwnServer(data, *flags, listening=("http", "gy"))  # in no thread: an interrupt would leave it behind
    try:
        tell(f"server {server.pid} on gy={server.addresses['gy']}, data in {data}")
        slots = _slots(connections * in_flight, 1 if hot else subscribers)
        load = Load(run=time.time_ns() // 1_000_000_000 % 10**10, seconds=seconds, slots=slots)
        pace = OpenLoop(load, rate) if rate else ClosedLoop(load)
        mishap = asyncio.create_task(
            _after(
                max(seconds - database.away_s, 0) / 2,
                _mishap(server, database, tell, kill=kill, kill_worker=kill_worker),
            )
        )
        batches = await asyncio.to_thread(_batches, server)
        begun, cpu_before, own_before = time.perf_counter(), server.cpu_s(), cpu_s()
        database_before = database.cpu_s()
        await drive(load, pace, connections=connections, address=partial(_address, server))
        elapsed, cpu, own = time.perf_counter() - begun, server.cpu_s() - cpu_before, cpu_s() - own_before
        await mishap
        database_cpu = database.cpu_s() - database_before
        measured = figures(
            load.latencies,
            seconds=elapsed,
            server_cpu_s=cpu,
            server_rss_mb=server.rss_mb(),
            conserved=await asyncio.to_thread(_conserved, server, load, tell),
        )
        commits = await asyncio.to_thread(_batches, server) - batches
        is_killed = kill or kill_worker
        if load.refused or load.repeated or is_killed:
            tell(f"{load.refused} answers were refusals, {load.repeated} requests were repeated")
        return replace(
            with_put_off(measured, load.put_off),
            commits_per_s=None if is_killed else round(commits / elapsed),  # who was killed counts anew
            client_cpu_us_per_request=round(own / max(len(load.latencies), 1) * 1e6, 1),
            database_cpu_us_per_request=round(database_cpu / max(len(load.latencies), 1) * 1e6, 1) or None,
        )
    finally:
        await asyncio.to_thread(server.start_again)
        await asyncio.to_thread(server.stop)


def _slots(count: int, subscribers: int) -> list[Slot]:
    """Give every slot subscribers of its own as far as there are enough."""
    share = max(subscribers // count, 1)
    return [
        Slot(index, range(index * share % subscribers, index * share % subscribers + share)) for index in range(count)
    ]


async def _prepare(database: str, subscribers: int, open_sessions: int) -> None:
    """Write the subscribers, with more than they will use, before the server starts."""
    store = await open_store(database, SystemClock())
    await store.decide(_begin)
    await _for_each(store, _subscribe, range(subscribers))
    await _for_each(store, _occupy, range(subscribers, subscribers + open_sessions))
    await store.close()


async def _for_each(store: Store, decision: Callable[..., None], places: range) -> None:
    for first in range(places.start, places.stop, _AT_ONCE):
        some = range(first, min(first + _AT_ONCE, places.stop))
        await asyncio.gather(*(store.decide(partial(decision, place=place)) for place in some))


def _begin(work: Work) -> None:
    if find_operator(work, HOME) is None:
        create_operator(work, name=HOME)
    accept_peer(work, origin_host=f"*.{REALM}", profile="open5gs")


def _subscribe(work: Work, place: int) -> None:
    made = create_subscriber(work, name=f"bench-{place}", operator=HOME, imsi=imsi_of(place))
    if isinstance(made, Refused):
        raise Fault(f"{made.sentence} The benchmark needs an empty database")
    top_up(work, made, octets=_BUCKET, valid_days=30, bucket="bench")


def _occupy(work: Work, place: int) -> None:
    """A subscriber whose session is open, and stays so."""
    _subscribe(work, place)
    asked = Interrogation(
        session=SessionId(f"idle;{place}"),
        owner=subscriber_owner(f"bench-{place}"),
        event=Event.FIRST,
        number=0,
        digest=0,
        front="gy",
        holder=f"idle.{REALM}",
        asks=(Ask(rating_group=1),),
    )
    interrogate(work, Policy(), asked)


async def _address(server: OwnServer) -> str:
    await asyncio.to_thread(server.start_again)
    return server.addresses["gy"]


def _mishap(
    server: OwnServer, database: Database, tell: Callable[[str], None], *, kill: bool, kill_worker: bool
) -> Callable[[], None]:
    if kill_worker:
        return lambda: tell(f"worker {server.kill_a_worker()} killed")
    if kill:
        return lambda: tell(f"server {server.kill()} killed")
    return partial(database.strike, tell)


async def _after(seconds: float, mishap: Callable[[], None]) -> None:
    await asyncio.sleep(seconds)
    await asyncio.to_thread(mishap)


def _batches(server: OwnServer) -> int:
    """Return how many durable commits the server made, one fsync each."""
    with server.api() as api:
        return sum(int(float(found)) for found in _BATCHES.findall(api.get("/metrics").content))


def _conserved(server: OwnServer, load: Load, tell: Callable[[str], None]) -> bool:
    """Hold every octet acknowledged against the ledger; nothing may be left reserved."""
    served = sorted({place for slot in load.slots for place in slot.subscribers})
    with server.api() as api:
        verdict = said(api.get("/v1/audit"))
        balances = [said(api.get(f"/v1/subscribers/bench-{place}/balance")) for place in served]
    posted, reserved = sum(one["used"] for one in balances), sum(one["reserved"] for one in balances)
    if not verdict["balanced"]:
        tell(f"the audit found: {verdict}")
    tell(f"acknowledged {load.acknowledged:,} octets, posted {posted:,}, still reserved {reserved:,}")
    return bool(verdict["balanced"]) and posted == load.acknowledged and not reserved
