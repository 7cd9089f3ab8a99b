"""``qanat bench terminal``: what the agent costs a small device while traffic flows.

Method: a real server and a real agent in a lab of network namespaces. The agent reports every 10 s; one TCP download is
paced by the kernel to 100 Mbit/s on its way through the gate. After the first quotas have been granted, the agent's
processor time (user and system, all threads) is taken over the whole span, and its resident memory at the end and at its
highest. At the end the octets in the gate's counters are held against the server's books.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import msgspec

from qanat.agents.terminal.gate_table import table_for
from qanat.errors import Fault
from qanat.lab import private
from qanat.lab.namespaces import Host, LabFault, run
from qanat.lab.programs import QANAT, Program
from qanat.lab.topology import INTERNET, SERVER, Lab
from qanat.lab.waiting import until

RATE_MBIT_S: Final = 100
INTERVAL_S: Final = 10
_INTERFACE: Final = "cell0"
_MAX_PACING_RATE: Final = 47
_PIECE: Final = 65_536
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class TerminalFigures(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float
    mbit_per_s: float
    report_interval_s: int
    rss_mb: float
    rss_highest_mb: float
    """Since its start, so what starting up needs is in it."""
    cpu_percent: float
    """Of one core."""
    conserved: bool
    """Octets that passed the gate are the octets in the books."""


@dataclass(frozen=True, slots=True)
class _World:
    lab: Lab
    folder: Path

    def start(self, host: str, name: str, *words: str) -> Program:
        return Program(name, self.lab[host].command(*QANAT, *words), log=self.folder / f"{name}.log")

    def ask(self, *words: str) -> dict[str, Any]:
        """Type a command beside the server. Raises CommandFailed."""
        known = ["env", f"QANAT_URL=http://{SERVER}:8080", *QANAT]
        token = ["--token-file", str(self.folder / "data/admin.token"), "--json"]
        said: dict[str, Any] = msgspec.json.decode(run(self.lab["server"].command(*known, *words, *token)))
        return said

    def passed(self) -> int:
        """What the gate's counters say."""
        table = table_for(_INTERFACE).name
        listed = run(self.lab["terminal"].command("nft", "-j", "list", "counters", "table", "inet", table))
        objects = msgspec.json.decode(listed)["nftables"]
        counters = [each["counter"] for each in objects if "counter" in each]
        return sum(counter["bytes"] for counter in counters if counter["name"].startswith("passed_"))


def bench_terminal(*, seconds: float) -> TerminalFigures:
    """Measure in namespaces of its own, as root or as an ordinary user. Raises Fault."""
    place = private.find_place()
    if place is private.Place.NOWHERE:
        raise Fault(
            f"the agent is measured in network namespaces, and none can be made here ({private.why_nowhere()}): run as root"
        )
    return msgspec.json.decode(
        run(private.command_inside(place, "qanat.bench.terminal", [str(seconds)])), type=TerminalFigures
    )


def _inside(seconds: float) -> TerminalFigures:
    lab = Lab("bench")
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        lab.lay()
        try:
            return _with_programs(_World(lab, Path(folder)), seconds)
        finally:
            lab.clear()


def _with_programs(world: _World, seconds: float) -> TerminalFigures:
    server = world.start("server", "server", "serve", "--data", str(world.folder / "data"), "--http", f"{SERVER}:8080")
    try:
        server.wait_for("ready http=")
        _enrol(world)
        state = ("--state", str(world.folder / "terminal"), "--json")
        agent = world.start("terminal", "agent", "terminal", "run", *state, "--report-interval", str(INTERVAL_S))
        try:
            agent.wait_for("quota granted")
            return _measured(world, agent, seconds)
        finally:
            agent.stop()
    finally:
        server.stop()


def _enrol(world: _World) -> None:
    world.ask("sim", "make", "--count", "1")
    world.ask("plan", "create", "month", "--octets", "1TB", "--valid-days", "30", "--price", "0")
    world.ask("subscriber", "create", "alice")
    world.ask("buy", "--subscriber", "alice", "--plan", "month")
    code = world.ask("terminal", "code", "--subscriber", "alice")["code"]
    known = ("--server", f"http://{SERVER}:8080", "--interface", _INTERFACE, "--state", str(world.folder / "terminal"))
    run(world.lab["terminal"].command(*QANAT, "terminal", "enrol", "--code", code, *known))


def _measured(world: _World, agent: Program, seconds: float) -> TerminalFigures:
    with _download(world.lab["internet"], world.lab["terminal"]) as received:
        until(lambda: received() > 25_000_000, "the download is on its way", within_s=30)
        octets, cpu_s = received(), _cpu_s(agent.pid)
        Event().wait(seconds)
        octets, cpu_s = received() - octets, _cpu_s(agent.pid) - cpu_s
        resident, highest = _memory_mb(agent.pid)
    agent.stop()
    books = world.ask("balance", "--subscriber", "alice")
    return TerminalFigures(
        seconds=seconds,
        mbit_per_s=round(octets * 8 / seconds / 1e6, 1),
        report_interval_s=INTERVAL_S,
        rss_mb=resident,
        rss_highest_mb=highest,
        cpu_percent=round(cpu_s / seconds * 100, 2),
        conserved=books["used"] == world.passed() and books["reserved"] == 0,
    )


@contextmanager
def _download(source: Host, sink: Host) -> Iterator[Any]:
    """Keep a paced download going; gives a function that tells how many octets have come."""
    with source.inside():
        listener = socket.create_server((INTERNET, 0))
    with sink.inside():
        near = socket.create_connection(listener.getsockname()[:2], timeout=30)
    far, _ = listener.accept()
    listener.close()
    far.setsockopt(socket.SOL_SOCKET, _MAX_PACING_RATE, RATE_MBIT_S * 1_000_000 // 8)
    came = [0]
    threads = [Thread(target=_send, args=(far,)), Thread(target=_receive, args=(near, came))]
    for thread in threads:
        thread.start()
    try:
        yield lambda: came[0]
    finally:
        for end in (far, near):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        near.close()
        far.close()


def _send(far: socket.socket) -> None:
    piece = bytes(_PIECE)
    with suppress(OSError):
        while True:
            far.sendall(piece)


def _receive(near: socket.socket, came: list[int]) -> None:
    with suppress(OSError):
        while piece := near.recv(_PIECE):
            came[0] += len(piece)


def _cpu_s(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def _memory_mb(pid: int) -> tuple[float, float]:
    """Return what is resident now and at the highest."""
    shown = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, highest = (int(shown[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return round(now, 1), round(highest, 1)


def main() -> None:
    if not private.is_inside():
        raise SystemExit("this is the inner half of `qanat bench terminal`")
    try:
        figures = _inside(float(sys.argv[1]))
    except LabFault as fault:
        raise SystemExit(str(fault)) from fault
    sys.stdout.write(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
