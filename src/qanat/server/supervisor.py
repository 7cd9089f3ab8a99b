"""Several server processes on the same ports: started, watched, started again, stopped with nothing lost.

The parent binds one socket for each worker and address (SO_REUSEPORT: the kernel deals connections out) and forks; it
serves nothing itself. It keeps the sockets, so that connections to a worker that died wait in its queue for the next one.
The first worker brings the database up before the others start. If the parent dies, the workers see its pipe close and
stop as if they had been asked to.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from qanat.errors import Fault, Outdated
from qanat.server.listening import address_of, bind
from qanat.server.place import Place
from qanat.server.settings import Settings
from qanat.server.siblings import HOUSE, house_socket

_log: Final = structlog.get_logger("supervisor")
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_PATIENCE_S: Final = 0.1
"""A worker that dies before it is ready is started again after this, twice it, four times it …"""
_PATIENCE_MOST_S: Final = 10.0
_OUTDATED: Final = 3
"""The exit status of a worker that need not be started again."""

Doors = dict[str, socket.socket]
Serve = Callable[[Place, int, Callable[[], None]], None]
"""Serves at a place until asked to stop, or until the descriptor says that the parent is gone; tells when it is ready."""


@dataclass(slots=True)
class _Worker:
    number: int
    doors: Doors
    pid: int = 0
    ready: bool = False
    deaths: int = 0
    """In a row, before it was ready."""
    start_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    settings: Settings
    serve: Serve
    announce: Callable[[str], None]
    _workers: list[_Worker] = field(default_factory=list)
    _wakeup: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _life: tuple[int, int] = field(default_factory=os.pipe)
    _house: dict[int, str] = field(default_factory=dict)
    _stopping: bool = False
    _outdated: bool = False

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT and return the exit status. Raises CannotListen, BadInput."""
        addresses = self._open_doors()
        self._listen_to_signals()
        try:
            if self._start_all():
                self.announce(" ".join(["ready", *(f"{name}={address}" for name, address in addresses.items())]))
                _log.info("ready", workers=len(self._workers), addresses=addresses)
                while not self._stopping:
                    self._start_again()
                    self._hear_of(within_s=self._wait_s())
                return self._stop()
            self._stop()
            return 1
        finally:
            for path in self._house.values():
                Path(path).unlink(missing_ok=True)

    # -- starting

    def _open_doors(self) -> dict[str, str]:
        """Bind every address once for each worker; return where each front listens."""
        wanted = {"--http": self.settings.http.listen}
        gy = self.settings.gy
        wanted |= {"--gy": gy.listen} if gy.listen else {}
        wanted |= {"--gy-tls" if gy.listen else "--gy": gy.tls_listen} if gy.tls_listen else {}
        every = {flag: list(_beside(listen, flag, self.settings.workers)) for flag, listen in wanted.items()}
        folder = os.open(self.settings.data, os.O_RDONLY)  # a path through it is short enough for a socket
        for number in range(self.settings.workers):
            Path(self.settings.data, f"worker-{number}.sock").unlink(missing_ok=True)
            self._house[number] = f"/proc/self/fd/{folder}/worker-{number}.sock"
            doors = {flag: sockets[number] for flag, sockets in every.items()}
            self._workers.append(_Worker(number, doors | {HOUSE: house_socket(self._house[number])}))
        names = {"--http": "http", "--gy": "gy"}
        return {names[flag]: address_of(sockets[0]) for flag, sockets in every.items() if flag in names}

    def _start_all(self) -> bool:
        """Start the first worker, then the others; False if one did not come up or we were asked to stop meanwhile."""
        for group in (self._workers[:1], self._workers[1:]):
            for worker in group:
                self._start(worker)
            while not all(worker.ready for worker in group):
                self._hear_of(within_s=None)
                if self._stopping or not all(worker.pid for worker in group):
                    return False
        return True

    def _start(self, worker: _Worker) -> None:
        told, tells = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        worker.pid = os.fork()
        if worker.pid == 0:
            os._exit(self._be(worker, tells))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(tells)
        worker.ready = False
        self._selector.register(told, selectors.EVENT_READ, worker)

    def _be(self, worker: _Worker, tells: int) -> int:
        """Be a worker, in a process of its own. Returns its exit status."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(self._life[1])
        for other in self._workers:
            if other is not worker:
                for door in other.doors.values():
                    door.close()
        structlog.contextvars.bind_contextvars(worker=worker.number)
        place = Place(worker=worker.number, workers=len(self._workers), doors=worker.doors, house=self._house)
        try:
            self.serve(place, self._life[0], lambda: _say(tells))
        except Fault as fault:
            print(f"Error: {fault}", file=sys.stderr, flush=True)
            return _OUTDATED if isinstance(fault, Outdated) else 1
        except Exception as error:
            _log.error("mistake of ours", exc_info=error)
            return 2
        return 0

    # -- watching

    def _listen_to_signals(self) -> None:
        hears, says = self._wakeup
        hears.setblocking(False)
        says.setblocking(False)
        signal.set_wakeup_fd(says.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        self._selector.register(hears, selectors.EVENT_READ, None)

    def _hear_of(self, *, within_s: float | None) -> None:
        """Wait for something to happen, for so long at most, and deal with it."""
        for key, _ in self._selector.select(within_s):
            if key.data is None:
                self._hear()
            else:
                self._told(key.data, key.fd)

    def _start_again(self) -> None:
        """Start workers that died, when their time has come."""
        for worker in self._workers:
            if not worker.pid and worker.start_at <= time.monotonic():
                self._start(worker)

    def _wait_s(self) -> float | None:
        waits = [worker.start_at - time.monotonic() for worker in self._workers if not worker.pid]
        return max(min(waits), 0.0) if waits else None

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            heard = self._wakeup[0].recv(4096)
            self._stopping = self._stopping or signal.SIGTERM in heard or signal.SIGINT in heard
        self._bury()

    def _told(self, worker: _Worker, told: int) -> None:
        """A worker is ready; or its pipe closed without a word, and its death will be heard of."""
        if os.read(told, 1):
            worker.ready, worker.deaths = True, 0
        self._selector.unregister(told)
        os.close(told)

    def _bury(self) -> None:
        for worker in self._workers:
            died, status = os.waitpid(worker.pid, os.WNOHANG) if worker.pid else (0, 0)
            if died:
                pid, worker.pid = worker.pid, 0
                self._outdated = self._outdated or os.waitstatus_to_exitcode(status) == _OUTDATED
                self._stopping = self._stopping or self._outdated
                if self._stopping:
                    continue
                worker.deaths = 0 if worker.ready else worker.deaths + 1
                patience_s = min(_PATIENCE_S * 2**worker.deaths, _PATIENCE_MOST_S) if worker.deaths else 0.0
                worker.start_at = time.monotonic() + patience_s
                _log.error("worker died", worker=worker.number, pid=pid, started_again_in_s=patience_s)

    # -- stopping

    def _stop(self) -> int:
        """Let every worker finish what is under way; return 0 if all did."""
        _log.info("stopping")
        self._stopping = True
        for worker in self._workers:
            for door in worker.doors.values():
                door.close()
        failed = self._outdated
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)
        for worker in self._workers:
            if worker.pid:
                failed = os.waitpid(worker.pid, 0)[1] != 0 or failed
        _log.info("stopped")
        return int(failed)


def _beside(listen: str, flag: str, count: int) -> Iterator[socket.socket]:
    """Bind an address so many times, after making sure that nobody else has it."""
    with bind(listen, flag) as probe:
        address = address_of(probe)
    for _ in range(count):
        yield bind(address, flag, beside=True)


def _say(tells: int) -> None:
    os.write(tells, b"r")
    os.close(tells)
