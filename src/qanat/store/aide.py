"""An aide: a process that does one thing after another for the event loop, at the other end of a socket.

A thread would wait for Python's lock several times a statement while the event loop decides, and the loop for the thread.
The process is started with the first message, again if it was lost, and ends when we do.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, Generic, TypeVar

from qanat.errors import Fault, StoreFault
from qanat.store.frames import HEAD, framed
from qanat.store.processes import environment, how_it_ended

_AT_ONCE: Final = 1 << 16
_LEAVE_S: Final = 2.0
"""A process that has nothing left to do, and that somebody stopped, is not waited for longer."""

A = TypeVar("A")


class Aide(Generic[A]):
    """Hands messages over in order. One event loop."""

    def __init__(self, program: str, *arguments: str, does: str, understand: Callable[[bytes], A]) -> None:
        """``program`` is the module to run; ``does`` says what for, in faults; ``understand`` reads an answer, or raises
        the Fault that it tells."""
        self._command = (sys.executable, "-P", "-m", program, *arguments)
        self._does = does
        self._understand = understand
        self._line: _Line[A] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, if it was started."""
        return self._line.pid if self._line is not None else None

    def ask(self, message: Any) -> asyncio.Future[A]:
        """Send a message; what it asks for is done even if nobody waits for it any more.

        What is awaited raises what the answer tells; or StoreFault if the process was lost, and then it may have been done.
        """
        if self._line is None or self._line.lost:
            try:
                self._line = _Line(self._command, self._does, self._understand)
            except StoreFault as fault:
                return _failed(fault)
        return self._line.send(message)

    async def stop(self) -> None:
        """Return when everything asked for is done and the process has ended."""
        if self._line is not None:
            line, self._line = self._line, None
            await line.end()


class _Line(Generic[A]):
    """The process, and the socket to it."""

    def __init__(self, command: tuple[str, ...], does: str, understand: Callable[[bytes], A]) -> None:
        """Raises StoreFault if the system gives us no process or no socket."""
        self.lost = False
        self._does = does
        self._understand = understand
        self._loop = asyncio.get_running_loop()
        try:
            self._process, self._socket = _started(command)
        except OSError as error:
            cure = "Look at the server's limits of processes, open files and memory; the next try starts it again."
            raise StoreFault(f"no process could be started that {does}: {error}. {cure}") from error
        self._loop.add_reader(self._socket, self._receive)
        self._waiting: deque[asyncio.Future[A]] = deque()
        self._unsent = bytearray()
        self._is_full = False
        """We are told when the socket takes more."""
        self._received = bytearray()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Any) -> asyncio.Future[A]:
        self._unsent += framed(message)
        done: asyncio.Future[A] = self._loop.create_future()
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
            answer = bytes(self._received[HEAD:end])
            del self._received[:end]
            self._tell(self._waiting.popleft(), answer)

    def _tell(self, done: asyncio.Future[A], answer: bytes) -> None:
        try:
            understood = self._understand(answer)
        except Fault as fault:
            _tell_fault(done, fault)
        else:
            if not done.done():
                done.set_result(understood)

    def _lose(self) -> None:
        """Nobody knows what it did last."""
        self.lost = True
        self._hang_up()
        how = how_it_ended(self._process.wait())
        fault = StoreFault(f"the process that {self._does} {how}. The next try starts its successor.")
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


def _failed(fault: Fault) -> asyncio.Future[Any]:
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done.set_exception(fault)
    return done


def _tell_fault(done: asyncio.Future[Any], fault: Fault) -> None:
    if not done.done():
        done.set_exception(fault)
