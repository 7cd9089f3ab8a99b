"""Network namespaces without names: they live as long as the object that made them, so nothing is ever left behind.

A thread that is ``inside`` a namespace makes its sockets and starts its processes there. Needs root, or a user
namespace (``unshare --user --map-root-user --net``).
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = "/proc/thread-self/ns/net"


class Namespace:
    """One network namespace with loopback up."""

    def __init__(self) -> None:
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", _CLONE_NEWNET)
            self._handle = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _call("setns", home, _CLONE_NEWNET)
            os.close(home)
        self.run("ip", "link", "set", "lo", "up")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, and what it starts, live in the namespace for a while."""
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        _call("setns", self._handle, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", home, _CLONE_NEWNET)
            os.close(home)

    @property
    def path(self) -> str:
        """Where another process of this machine finds it (``nsenter --net=…``), while this one lives."""
        return f"/proc/{os.getpid()}/fd/{self._handle}"

    def run(self, *command: str) -> str:
        """Run a command inside and return what it printed; a failure shows what it complained about."""
        with self.inside():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def set(self, key: str, value: object) -> None:
        """Write a setting below /proc/sys/net, which shows the namespace of whoever opens it."""
        with self.inside():
            Path("/proc/sys/net", key).write_text(str(value))

    def close(self) -> None:
        os.close(self._handle)


def can_make_namespaces() -> bool:
    try:
        Namespace().close()
    except (OSError, AssertionError):
        return False
    return True


def join(left: Namespace, left_name: str, right: Namespace, right_name: str, *, net: int) -> None:
    """Lay a veth pair: left is 10.net.0.1 and fd00:net::1, right is 2. They know each other's link addresses for good,
    so no ARP passes, which interface counters would see and netfilter would not.
    """
    left.run("ip", "link", "add", left_name, "type", "veth", "peer", "name", right_name, "netns", right.path)
    ends = ((left, left_name, 1), (right, right_name, 2))
    for namespace, name, host in ends:
        namespace.run("ip", "address", "add", f"10.{net}.0.{host}/24", "dev", name)
        namespace.run("ip", "address", "add", f"fd00:{net}::{host}/64", "dev", name, "nodad")
        namespace.run("ip", "link", "set", name, "up")
    for (namespace, name, _), (other, other_name, host) in zip(ends, reversed(ends), strict=True):
        hardware = json.loads(other.run("ip", "-j", "link", "show", other_name))[0]["address"]
        for address in (f"10.{net}.0.{host}", f"fd00:{net}::{host}"):
            namespace.run("ip", "neigh", "replace", address, "lladdr", hardware, "dev", name, "nud", "permanent")


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
