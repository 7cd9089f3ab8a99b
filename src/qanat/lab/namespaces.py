"""Hosts of the lab: each is a network namespace with a name, and programs and sockets can be put into it.

Where the names come from is ``private``; which hosts there are and how they are wired is ``topology``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qanat.errors import Fault
from qanat.lab.waiting import PATIENCE_S, TooLate

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = "/proc/thread-self/ns/net"
_NAMES: Final = Path("/run/netns")


class LabFault(Fault):
    """The lab could not be laid or used; the message holds what the system said."""


class CommandFailed(LabFault):
    """A command ended with an error; ``said`` is what it complained about."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__(f"{' '.join(command)}: {said}")
        self.said = said


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace, named as ``ip netns`` names it."""

    name: str

    @property
    def exists(self) -> bool:
        return (_NAMES / self.name).exists()

    def add(self) -> None:
        run(["ip", "netns", "add", self.name])
        run(["ip", "-n", self.name, "link", "set", "lo", "up"])

    def remove(self) -> None:
        """Take the host away with its wires and whatever runs in it; nothing happens if it is not there."""
        if self.exists:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            run(["ip", "netns", "delete", self.name])

    def processes(self) -> list[int]:
        return [int(pid) for pid in run(["ip", "netns", "pids", self.name]).split()]

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs these words in here."""
        return ["ip", "netns", "exec", self.name, *words]

    def ip(self, *commands: str) -> None:
        """Carry out some ``ip`` commands in here; the first that fails ends it."""
        run(["ip", "-n", self.name, "-batch", "-"], text="\n".join(commands))

    def set(self, key: str, value: int, *, if_known: bool = False) -> None:
        """Write a setting below /proc/sys/net; the file shows the namespace of whoever opens it."""
        with self.inside():
            path = Path("/proc/sys/net", key)
            if path.exists() or not if_known:
                path.write_text(str(value))

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread make sockets in here for a while; they stay here afterwards."""
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(_NAMES / self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(there)
            os.close(home)


def run(command: Sequence[str], *, text: str = "", within_s: float = PATIENCE_S) -> str:
    """Run a command and return what it printed. Raises CommandFailed, LabFault, and TooLate, having killed it."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=within_s)
    except subprocess.TimeoutExpired as error:
        raise TooLate(" ".join(command), within_s) from error
    except FileNotFoundError as error:
        raise LabFault(f"{command[0]} is not installed: `apt install iproute2 nftables util-linux`") from error
    if done.returncode:
        raise CommandFailed(command, (done.stderr or done.stdout).strip())
    return done.stdout


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise LabFault(f"entering a network namespace: {os.strerror(ctypes.get_errno())}")
