"""A server of the benchmark's own: a real ``qanat serve`` in a process of its own, that can be killed and started again."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any, Final

import httpx2

from qanat.errors import Fault

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ADDRESS: Final = re.compile(r"(\w+)=(\S+)")


class OwnServer:
    """Durable, on loopback, on ports of its own. ``addresses`` has one for each front, as the ``ready`` line names them."""

    def __init__(self, data: Path, *flags: str, listening: tuple[str, ...] = ("http",)) -> None:
        self.data = data
        self.addresses: dict[str, str] = {}
        self._flags = flags
        self._ports = dict.fromkeys(listening, "127.0.0.1:0")
        self._reaped_s_before = _reaped_s()
        self._starting = Lock()
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def token(self) -> str:
        return (self.data / "admin.token").read_text(encoding="ascii").strip()

    def api(self) -> httpx2.Client:
        """Return a client with the administrator's token."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx2.Client(base_url=f"http://{self.addresses['http']}", headers=headers, timeout=120, trust_env=False)

    def kill(self) -> int:
        """End it as a power cut would, with all its workers. Returns which process it was."""
        process = self._process
        for pid in self._pids():
            os.kill(pid, signal.SIGKILL)
        process.wait()
        return process.pid

    def kill_a_worker(self) -> int:
        """End one of its workers, which it starts again by itself. Returns which."""
        worker = self._pids()[-1]
        os.kill(worker, signal.SIGKILL)
        return worker

    def start_again(self) -> None:
        """Start on the same data and the same ports, if it is not running. Any number of threads may ask."""
        with self._starting:
            if self._process.poll() is not None:
                self._process = self._start()

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self._process.terminate()
        return self._process.wait(timeout=60)

    def cpu_s(self) -> float:
        """Return the processor time it took so far, over all its lives, user and system."""
        lives = self._process.poll() is None
        return _reaped_s() - self._reaped_s_before + (self._own_cpu_s() if lives else 0.0)

    def _own_cpu_s(self) -> float:
        """Of its processes, and of workers that it has buried."""
        return sum(sum(map(int, _after_name(pid)[11:15])) for pid in self._pids()) / _TICKS

    def rss_mb(self) -> int:
        """Return what its processes hold; pages that they share count in each."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._pids())
        return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000

    def _pids(self) -> list[int]:
        """The process and its workers."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, workers)]

    def _start(self) -> subprocess.Popen[str]:
        listeners = [word for name, address in self._ports.items() for word in (f"--{name}", address)]
        command = [
            sys.executable,
            "-m",
            "qanat.console.main",
            "serve",
            "--data",
            str(self.data),
            *listeners,
            *self._flags,
        ]
        log = (self.data / "server.log").open("a")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready.startswith("ready "):
            process.wait()
            raise Fault(f"the server did not start: {_last_line(self.data / 'server.log')}")
        self.addresses = dict(_ADDRESS.findall(ready))
        self._ports.update(self.addresses)
        return process


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip() or "it said nothing").splitlines()[-1].removeprefix("Error: ")


def _reaped_s() -> float:
    """Return the processor time of all children that have ended, whoever killed them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _after_name(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def said(answer: httpx2.Response) -> Any:
    """Return the JSON of a good answer. Raises Fault with what a bad one says."""
    if answer.is_error:
        raise Fault(f"{answer.request.url} answered {answer.status_code}: {answer.text}")
    return answer.json()
