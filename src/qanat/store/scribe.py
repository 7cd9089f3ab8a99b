"""The scribe: has a process write to the SQLite file, so that a commit waits for the disk alone.

In a thread it would wait for Python's lock as well, four times a statement, while the event loop decides. The process is
started with the first job, again if it was lost, and ends when we do.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from qanat.errors import Fault, StoreFault
from qanat.store.port import Taken
from qanat.store.processes import environment, how_it_ended
from qanat.store.sqlite_writer import HEAD, Job, Outcome, framed

_AT_ONCE: Final = 1 << 16
_LEAVE_S: Final = 2.0
"""A process that has nothing left to do, and that somebody stopped, is not waited for longer."""
_outcomes: Final = msgspec.msgpack.Decoder(Outcome)


class Scribe:
    """Hands jobs over in order. One event loop."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._path = path
        self._command = (sys.executable, "-P", "-m", "qanat.store.sqlite_writer", str(path), str(busy_ms))
        self._line: _Line | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if it was started."""
        return self._line.pid if self._line is not None else None

    def write(self, job: Job) -> asyncio.Future[None]:
        """Begin with a job; it is done even if nobody waits for it any more.

        What is awaited raises Taken or StoreFault; after the latter the job may have been done, if the process was lost.
        """
        if self._line is None or self._line.lost:
            try:
                self._line = _Line(self._command, self._path)
            except StoreFault as fault:
                return _failed(fault)
        return self._line.send(job)

    async def stop(self) -> None:
        """Return when every job handed over is done and the file is closed."""
        if self._line is not None:
            line, self._line = self._line, None
            await line.end()


class _Line:
    """A process that writes, and the socket to it."""

    def __init__(self, command: tuple[str, ...], path: Path) -> None:
        """Raises StoreFault if the system gives us no process or no socket."""
        self.lost = False
        self._path = path
        self._loop = asyncio.get_running_loop()
        try:
            self._process, self._socket = _started(command)
        except OSError as error:
            cure = "Look at the server's limits of processes, open files and memory; the next write tries again."
            raise StoreFault(f"no process could be started to write to {path}: {error}. {cure}") from error
        self._loop.add_reader(self._socket, self._receive)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._unsent = bytearray()
        self._is_full = False
        """We are told when the socket takes more."""
        self._received = bytearray()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, job: Job) -> asyncio.Future[None]:
        self._unsent += framed(job)
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(done)
        self._flush()
        return done

    async def end(self) -> None:
        if self._waiting:
            await asyncio.wait(self._waiting)
        if not self.lost:
            self._hang_up()
        try:
            await asyncio.to_thread(self._process.wait, _LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _flush(self) -> None:
        """Send what the socket takes now, and the rest when it takes more."""
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:  # it is gone, as whoever reads is told too
            self._unsent.clear()
        if bool(self._unsent) is not self._is_full:
            self._is_full = not self._is_full
            if self._is_full:
                self._loop.add_writer(self._socket, self._flush)
            else:
                self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            octets = self._socket.recv(_AT_ONCE)
        except OSError:
            octets = b""
        if not octets:
            self._lose()
            return
        self._received += octets
        while len(self._received) >= HEAD:
            end = HEAD + int.from_bytes(self._received[:HEAD], "big")
            if len(self._received) < end:
                return
            outcome = _outcomes.decode(self._received[HEAD:end])
            del self._received[:end]
            _tell(self._waiting.popleft(), outcome)

    def _lose(self) -> None:
        """Nobody knows what it did last: whoever waits looks at the file before going on."""
        self.lost = True
        self._hang_up()
        how = how_it_ended(self._process.wait())
        fault = StoreFault(f"the process that writes to {self._path} {how}. The next write starts its successor.")
        while self._waiting:
            _tell_fault(self._waiting.popleft(), fault)

    def _hang_up(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()


def _started(command: tuple[str, ...]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process and return it with our end of the socket that is its standard input. Raises OSError."""
    with ExitStack() as undo:
        ours, theirs = socket.socketpair()
        undo.enter_context(ours)
        with theirs:
            # In a session of its own: who presses Ctrl-C means the server.
            process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,
            )
        ours.setblocking(False)
        undo.pop_all()
    return process, ours


def _tell(done: asyncio.Future[None], outcome: Outcome) -> None:
    if outcome.fault:
        _tell_fault(done, Taken(outcome.fault) if outcome.taken else StoreFault(outcome.fault))
    elif not done.done():
        done.set_result(None)


def _failed(fault: Fault) -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_exception(fault)
    return done


def _tell_fault(done: asyncio.Future[None], fault: Fault) -> None:
    if not done.done():
        done.set_exception(fault)
