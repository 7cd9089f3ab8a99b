"""``qanat bench gate``: what a base station's gate lets pass to the octet, how fast it renews, and what a crowd costs.

Everything runs in network namespaces on the real kernel. The polling gate beside it reads a counter every second and
closes when the grant is used up, as captive portals do; it is there to be compared with.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from qanat.agents.base_station.gateway import Gateway
from qanat.agents.base_station.identity import Identity, store
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.ruleset import key_of
from qanat.agents.base_station.slots import Slots, Visit
from qanat.agents.device_key import key_of as device_key
from qanat.agents.holding import Epoch, Held, Session
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.bench.gate_lab import PHONE, GateLab
from qanat.bench.gate_renewal import Replacement, bench_replacement
from qanat.units import Instant, Octets
from qanat.wire.base_station import Admitted

_POLLED_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 30.0
_MANY: Final = 10_000
_READS: Final = 5
_RATE_OVER_S: Final = 3.0
_HELD: Final = Octets(10_000_000)
_FAR_FUTURE: Final = Instant(4_000_000_000_000)


class Conservation(msgspec.Struct, frozen=True, kw_only=True):
    grants: int
    granted: int
    mbit_per_s: int
    before_rebuild: int
    """Passed − granted when the last grant ran dry: never positive."""
    after_rebuild: int
    commit_p50_ms: float
    """Of a renewal under this load: one transaction, and the look after it."""
    polled_granted: int
    polled_overshoot: int
    """Passed − granted of the gate that is polled every second."""


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    terminals: int
    commits: int
    p50_ms: float
    p99_ms: float


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    terminals: int
    read_all_ms: float
    kernel_octets_each: int
    agent_rss_mb: int
    agent_resumed_in_s: float
    mbit_per_s_with_one: int
    mbit_per_s_with_all: int


class GateFigures(msgspec.Struct, frozen=True, kw_only=True):
    conservation: Conservation
    renewal: Renewal
    replacement: Replacement
    crowd: Crowd


def bench_gate(*, grants: int, octets: int) -> GateFigures:
    with GateLab() as lab:
        conserved = _conservation(lab, grants=grants, octets=Octets(octets))
        renewed = _renewal(lab, terminals=1000)
        replaced = bench_replacement(lab)
        _open(lab).remove()
        return GateFigures(conservation=conserved, renewal=renewed, replacement=replaced, crowd=_crowd(lab))


# Octets


def _conservation(lab: GateLab, *, grants: int, octets: Octets) -> Conservation:
    gateway = _open(lab)
    phone = _admit(lab, gateway)
    commits: list[float] = []
    phone.raise_to(octets)
    with lab.flows(up=4, down=4):
        begun = time.monotonic()
        before = _use_up(gateway, phone, grants=grants, octets=octets, commits=commits)
        seconds = time.monotonic() - begun
        if phone.reopen():
            _use_up(gateway, phone, grants=0, octets=octets, commits=[])
        after = int(phone.reading().total - phone.ceiling)
        polled = Octets(5 * octets)
        overshoot = _polled(phone, polled)
    gateway.remove()
    return Conservation(
        grants=grants,
        granted=grants * octets,
        mbit_per_s=round(grants * octets * 8 / seconds / 1e6),
        before_rebuild=before,
        after_rebuild=after,
        commit_p50_ms=round(median(commits) * 1000, 3),
        polled_granted=polled,
        polled_overshoot=overshoot,
    )


def _use_up(gateway: Gateway, phone: Metered, *, grants: int, octets: Octets, commits: list[float]) -> int:
    """Renew as the agent does until all is granted and dry; return passed − granted."""
    given = 1
    if grants:
        phone.raise_to(Octets(phone.ceiling + octets))
        given += 1
    for names in _dry(gateway):
        begun = time.perf_counter()
        if given < grants:
            phone.raise_to(Octets(phone.ceiling + octets))
            given += 1
        is_shut = phone.ran_dry(names)
        commits.append(time.perf_counter() - begun)
        if is_shut:
            wait_for_packets_in_flight()
            return int(phone.fenced().total - phone.ceiling)
    raise AssertionError("the events never end")


def _polled(phone: Metered, granted: Octets) -> int:
    base = phone.reading().total
    phone.raise_to(Octets(base + (1 << 50)))
    while phone.reading().total - base < granted:
        time.sleep(_POLLED_EVERY_S)
    phone.shut()
    wait_for_packets_in_flight()
    return int(phone.fenced().total - base - granted)


# Renewal


def _renewal(lab: GateLab, *, terminals: int) -> Renewal:
    """Rotate every terminal once through netlink: the waiting rung up, a new one behind it."""
    gateway = _open(lab)
    commits = []
    for metered in [_admit(lab, gateway, number) for number in range(1, terminals + 1)]:
        for ceiling in (10_000, 20_000, 30_000):
            metered.raise_to(Octets(ceiling))
        begun = time.perf_counter()
        metered.ran_dry([f"rung_{metered.label}_1_10000"])
        commits.append(time.perf_counter() - begun)
    gateway.remove()
    ordered = sorted(commits)
    return Renewal(
        terminals=terminals,
        commits=len(ordered),
        p50_ms=round(median(ordered) * 1000, 3),
        p99_ms=round(ordered[len(ordered) * 99 // 100] * 1000, 3),
    )


# A crowd


def _crowd(lab: GateLab) -> Crowd:
    gateway = _open(lab)
    phone = _admit(lab, gateway)
    phone.raise_to(Octets(1 << 50))
    with_one = _rate(lab, phone)
    quarter = _MANY // 4
    _admit_many(lab, gateway, range(2, quarter + 1))
    before = _kernel_octets()  # the first ones also pay for tables that all of them share
    _admit_many(lab, gateway, range(quarter + 1, _MANY + 1))
    each = (_kernel_octets() - before) // (_MANY - quarter)
    with_all = _rate(lab, phone)
    read_all_s = min(_time_to_read(gateway) for _ in range(_READS))
    resumed_in_s, rss_mb = _agent(lab, gateway)
    gateway.remove()
    return Crowd(
        terminals=_MANY,
        read_all_ms=round(read_all_s * 1000, 1),
        kernel_octets_each=each,
        agent_rss_mb=rss_mb,
        agent_resumed_in_s=round(resumed_in_s, 1),
        mbit_per_s_with_one=with_one,
        mbit_per_s_with_all=with_all,
    )


def _admit_many(lab: GateLab, gateway: Gateway, numbers: range) -> None:
    for number in numbers:
        metered = _admit(lab, gateway, number)
        metered.raise_to(_HELD)
        metered.raise_to(Octets(2 * _HELD))


def _time_to_read(gateway: Gateway) -> float:
    begun = time.perf_counter()
    assert len(gateway.readings()) == _MANY, "every terminal has its counters"
    return time.perf_counter() - begun


def _rate(lab: GateLab, phone: Metered) -> int:
    with lab.flows(up=4, down=4):
        time.sleep(_RATE_OVER_S / 3)
        base, begun = phone.reading().total, time.monotonic()
        time.sleep(_RATE_OVER_S)
        return round((phone.reading().total - base) * 8 / (time.monotonic() - begun) / 1e6)


def _agent(lab: GateLab, gateway: Gateway) -> tuple[float, int]:
    """Let a real agent take the crowd up, as after a crash; return the seconds it took and its resident memory."""
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        state = Path(folder)
        _write_state(state, gateway)
        begun = time.monotonic()
        words = ("-m", "qanat.console.station", "run", "--state", str(state))
        agent = subprocess.Popen(
            lab.station.command(sys.executable, *words), stderr=subprocess.PIPE, env=os.environ, text=True
        )
        assert agent.stderr is not None
        while "ready" not in agent.stderr.readline():
            pass
        seconds = time.monotonic() - begun
        status = Path(f"/proc/{agent.pid}/status").read_text().splitlines()
        agent.send_signal(signal.SIGKILL)
        agent.communicate()
        return seconds, next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1000


def _write_state(state: Path, gateway: Gateway) -> None:
    device_key(state)
    here = {"server": "http://127.0.0.1:1", "access": gateway.sides.access.name, "uplink": gateway.sides.uplink.name}
    store(state, Identity(base_station="bst-1", identity="B", subscriber="c", operator="o", place="", **here))
    slots = Slots(state / "slots.db")
    slots.load()
    for number in range(1, _MANY + 1):
        slot, trade = slots.take(), f"trd-{number}"
        slot.visit = Visit(
            admitted=_admitted(trade),
            link_address="02:00:00:00:00:01",
            addresses=[str(_address(number))],
            merging=[],
            since=Instant(0),
        )
        slot.snapshot.session, slot.snapshot.sessions = Session(name=trade, next_number=2), 1
        slot.snapshot.epoch = Epoch(number=1, source=f"{gateway.meter}/{trade}", up=Octets(0), down=Octets(0))
        for quota in (f"{trade}.1", f"{trade}.2"):
            slot.snapshot.quotas[quota] = Held(
                quota=quota,
                octets=_HELD,
                valid_until=_FAR_FUTURE,
                threshold=Octets(0),
                final=False,
                epoch=1,
                reserved=_HELD,
            )
        slots.put(slot)
    slots.close()


def _admitted(trade: str) -> Admitted:
    return Admitted(
        trade=trade,
        demander="alice",
        terminal="trm-1",
        supplier="bob",
        supplier_terminal="",
        identities={"supplier": "B", "demander": "A"},
        order="ord-1",
        price_per_gb=0,
        currency="",
        octets=2 * _HELD,
        report_interval_s=60,
        server_time=Instant(0),
    )


# Shared


def _open(lab: GateLab) -> Gateway:
    with lab.station.inside():
        return Gateway(access="wlan0", uplink="up0", portal_port=8910)


def _admit(lab: GateLab, gateway: Gateway, number: int = 1) -> Metered:
    """Admit the phone as number 1, and others that only stand in the maps."""
    key = key_of(_address(number))
    link_address = lab.phone_link_address if number == 1 else bytes((2, 0, 0, 0, 0, 1))
    return Metered.open(gateway, f"s{number}", keys=[key], link_address=link_address)


def _address(number: int) -> IPv4Address:
    return IPv4Address(PHONE) if number == 1 else IPv4Address(int(IPv4Address("10.128.0.0")) + number)


def _dry(gateway: Gateway) -> Iterator[list[str]]:
    while True:
        ready, _, _ = select.select([gateway], [], [], _PATIENCE_S)
        assert ready, f"nothing ran dry within {_PATIENCE_S} s"
        heard = gateway.take_dry()
        assert heard is not None, "one terminal's events are never too many"
        yield heard.get("s1", [])


def _kernel_octets() -> int:
    """Return what the kernel holds for itself: slab, per-processor and vmalloc memory."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(fields[name].split()[0]) * 1024 for name in ("Slab", "Percpu", "VmallocUsed"))
