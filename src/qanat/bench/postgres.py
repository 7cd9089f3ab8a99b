"""A PostgreSQL of one's own: Debian's programs on a directory of their own, durable, reached through a socket in it.

For benchmarks and tests. It can be killed as a power cut would and started again, and have a standby that can be promoted.
PostgreSQL refuses to run as root, so root runs it as the user ``postgres``.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from qanat.errors import Fault

_USER: Final = "qanat"
_START_S: Final = 20
_RETRY_S: Final = 0.05


class OwnPostgres:
    """A running PostgreSQL. ``close`` stops it and removes what it kept."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.folder = _folder()
        self._settings = dict(settings or {})
        _run("initdb", "-D", self._data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N", cwd=self.folder)
        self.start()

    @property
    def host(self) -> str:
        """Where its socket is, as ``host=`` in an address."""
        return str(self.folder)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{_USER}@/{database}?host={self.host}"

    def create(self, database: str, *, template: str = "template0") -> str:
        """Make a database, empty or like another, and return its address."""
        _run("createdb", "-h", self.host, "-U", _USER, "-T", template, database, cwd=self.folder)
        return self.url(database)

    def ask(self, sql: str, database: str = "postgres") -> str:
        """Return what ``psql`` prints, unaligned."""
        return _run("psql", "-X", "-At", "-h", self.host, "-U", _USER, "-c", sql, database, cwd=self.folder)

    def start(self) -> None:
        """Start it and wait until it answers; after a kill, as soon as the last of its processes is gone."""
        until = time.monotonic() + _START_S
        self._process = self._started()
        while not self._answers():
            if time.monotonic() > until:
                raise Fault(f"PostgreSQL did not start; its log is {self.folder / 'log'}")
            time.sleep(_RETRY_S)
            if not self.runs():
                self._process = self._started()

    def kill(self) -> None:
        """End it as a power cut would: what was under way is not answered."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # it starts nobody now, nor lets a number of its own become another's
        children = [os.pidfd_open(pid) for pid in _children(self.pid)]
        for child in children:
            signal.pidfd_send_signal(child, signal.SIGKILL)
        self._end(signal.SIGKILL)
        for child in children:
            select.select([child], [], [])
            os.close(child)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def standby(self) -> OwnPostgres:
        """Make a standby that follows this one by streaming, and start it. It is called ``standby`` in settings."""
        other = OwnPostgres.__new__(OwnPostgres)
        other.folder = _folder()
        other._settings = dict(self._settings)
        primary = f"host={self.host} user={_USER} application_name=standby"
        _run("pg_basebackup", "-D", other._data, "-R", "-c", "fast", "-d", primary, cwd=other.folder)
        # The primary's own waiting for a standby came along with its settings file.
        other._settings["synchronous_standby_names"] = ""
        other.start()
        return other

    def promote(self) -> None:
        """Make this standby the primary."""
        _run("pg_ctl", "-D", self._data, "promote", "-w", cwd=self.folder)

    def close(self) -> None:
        """Stop it, if it runs, and have its folder removed: tens of thousands of files are not waited for."""
        self._end(signal.SIGQUIT)
        subprocess.Popen(["rm", "-rf", str(self.folder)], start_new_session=True)

    def runs(self) -> bool:
        return self._process.poll() is None

    def cpu_s(self) -> float:
        """Return the processor time of all its processes so far, those that ended included."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_children(self.pid)))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _started(self) -> subprocess.Popen[bytes]:
        settings = {"listen_addresses": "", "unix_socket_directories": self.host, **self._settings}
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(_program("postgres")), "-D", self._data, *flags]
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **_as_user()
            )

    def _answers(self) -> bool:
        try:
            self.ask("SELECT 1")
        except Fault:
            return False
        return True

    def _end(self, number: int) -> None:
        self._process.send_signal(number)
        self._process.wait()

    def __enter__(self) -> OwnPostgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _folder() -> Path:
    """Make a folder that PostgreSQL's user owns; the socket's path in it must be short (107 octets)."""
    folder = Path(tempfile.mkdtemp(prefix="qanat-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, user="postgres", group="postgres")
    return folder


def _run(program: str, *arguments: str, cwd: Path) -> str:
    """Run one of PostgreSQL's programs and return its output. Raises Fault with what it said."""
    command = [str(_program(program)), *arguments]
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        check=False,
        **_as_user(),
    )
    output = done.stdout.decode(errors="replace").strip()
    if done.returncode:
        raise Fault(f"{program} failed: {output}")
    return output


def _as_user() -> dict[str, Any]:
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _program(name: str) -> Path:
    """Find a program of the newest PostgreSQL. Raises Fault."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1]
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise Fault(f"PostgreSQL's {name} is not on this machine: apt-get install postgresql-15")
    return Path(elsewhere)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cpu_s(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")
