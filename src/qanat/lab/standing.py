"""The lab left standing, for trying things by hand: a keeper holds it until it is told to take it down.

``python -m qanat.lab.standing FOLDER`` is the keeper. As root the hosts are seen by everybody (``ip netns``); an
ordinary user's live in the keeper's own user namespace, where ``command`` leads.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from qanat.errors import Fault
from qanat.lab import internet, private
from qanat.lab.exchange_scenario import ExchangeScenario
from qanat.lab.exchange_stage import BASE_STATION, GUEST, PHONE, PORTAL_URL, ExchangeStage
from qanat.lab.namespaces import LabFault
from qanat.lab.private import Place
from qanat.lab.programs import PYTHON
from qanat.lab.relay import bound_outside
from qanat.lab.scenario import CELL
from qanat.lab.screen import Screen
from qanat.lab.stage import Stage
from qanat.lab.topology import Lab
from qanat.lab.waiting import until
from qanat.system import fresh_code

DEVICES: Final = (BASE_STATION, GUEST, PHONE)
SUBSCRIBER: Final = "alice"
STAFF: Final = "norbert"
_CLAIM: Final = Path("/run/qanat-lab.lock")
"""Beside the hosts' names, and as private as they are."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the keeper says about the lab it keeps."""

    keeper: int
    place: Place
    server: str
    token_file: str
    console: str
    """The same server for a browser outside the lab."""
    sign_ins: dict[str, str]
    """Names with which to sign in there, and their passwords."""
    internet: str
    files: dict[str, int]
    base_station: str
    """Where it talks to those on its access side."""
    states: dict[str, str]
    """The state folders of the devices that are enrolled, by their hosts."""

    @property
    def is_kept(self) -> bool:
        try:
            return b"qanat.lab.standing" in Path(f"/proc/{self.keeper}/cmdline").read_bytes()
        except OSError:
            return False

    def command(self, host: str, *words: str) -> list[str]:
        """Return the command line that runs these words in a host of the lab, from outside."""
        inside = Lab()[host].command(*words)
        if self.place is Place.ROOT:
            return inside
        return [
            *private.WITH_PATH,
            *("nsenter", "--target", str(self.keeper), "--user", "--preserve-credentials", "--mount", "--net"),
            # Entering a mount namespace leads to its root folder.
            *("env", f"--chdir={Path.cwd()}"),
            *inside,
        ]


def folder_of_user() -> Path:
    """Return where the lab's files are kept (XDG Base Directory)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "qanat/lab"


def find(folder: Path) -> Standing | None:
    """Return the lab that stands, None when none does."""
    try:
        standing = msgspec.json.decode(_note(folder).read_bytes(), type=Standing)
    except (OSError, msgspec.DecodeError):
        return None
    return standing if standing.is_kept else None


def up(folder: Path, place: Place) -> Standing:
    """Lay the lab and leave it standing, however slow the machine: the keeper has a deadline for each of its steps.

    Raises LabFault when it gave one up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "keeper.log"
    with log.open("wb") as out, bound_outside() as listening:
        module, arguments = "qanat.lab.standing", [str(folder), place.name, str(listening.fileno())]
        inside = place is not Place.ROOT
        keeper = subprocess.Popen(
            private.command_inside(place, module, arguments) if inside else [*PYTHON, module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )

    def stands() -> Standing | None:
        if keeper.poll() is not None:
            raise LabFault(f"the lab did not come up: {log.read_text(errors='replace').strip()}")
        return find(folder)

    try:
        return until(stands, "the lab stands", within_s=inf)
    except BaseException:  # whoever was interrupted is left with nothing half up
        keeper.terminate()
        keeper.wait()
        raise


def down(folder: Path) -> bool:
    """Take the lab down and return whether one stood; also what a keeper that was killed left behind."""
    standing = find(folder)
    if standing is None:
        _note(folder).unlink(missing_ok=True)
        return _sweep()
    os.kill(standing.keeper, signal.SIGTERM)
    until(lambda: not standing.is_kept, "the keeper ends")
    return True


def keep(folder: Path, place: Place, listening: socket.socket) -> None:
    """Lay the lab, furnish it, start its programs, and wait for the end. ``listening`` is where the console is shown."""
    signal.signal(signal.SIGTERM, _leave)
    with claimed(), Stage(Lab(), folder, interface=CELL) as stage:
        _furnish(stage)
        _show_console(stage, listening)
        standing = Standing(
            keeper=os.getpid(),
            place=place,
            server=stage.server_url,
            token_file=str(stage.data / "admin.token"),
            console=f"http://127.0.0.1:{listening.getsockname()[1]}",
            sign_ins=_sign_ins(stage),
            internet=f"http://{stage.web}",
            files=dict(internet.FILES),
            base_station=PORTAL_URL,
            states={host: str(folder / host) for host in DEVICES},
        )
        _note(folder).write_bytes(msgspec.json.encode(standing))
        try:
            while True:
                signal.pause()
        finally:
            _note(folder).unlink()


def _furnish(stage: Stage) -> None:
    """Start the server and a base station, with the people of chapter B; those of an earlier time are kept."""
    half_done = stage.folder / "furnishing"
    if half_done.exists():
        for name in ("data", *DEVICES):
            shutil.rmtree(stage.folder / name, ignore_errors=True)
    stage.start_server()
    exchange = ExchangeStage(stage)
    if not half_done.exists() and (stage.folder / BASE_STATION).exists():
        exchange.start_base_station()
        return
    half_done.touch()
    stage.qanat("sim", "make", "--count", "10")
    scenario = ExchangeScenario(stage, Screen(Console(file=io.StringIO())))
    scenario.gather()
    scenario.open_base_station()
    half_done.unlink()


def _show_console(stage: Stage, listening: socket.socket) -> None:
    server = stage.server_url.removeprefix("http://")
    words = (*PYTHON, "qanat.lab.relay", str(listening.fileno()), server)
    stage.start("relay", "server", *words, pass_fds=[listening.fileno()]).wait_for("relaying")


def _sign_ins(stage: Stage) -> dict[str, str]:
    """Let a subscriber and somebody of an operator sign in; those of an earlier time are kept."""
    kept = stage.data / "sign-ins.json"
    if not kept.exists():
        made = {name: fresh_code() for name in (SUBSCRIBER, STAFF)}
        stage.do(f"/v1/subscribers/{SUBSCRIBER}/password", password=made[SUBSCRIBER])
        stage.do("/v1/operators/north/staff", name=STAFF, password=made[STAFF])
        kept.touch(mode=0o600)
        kept.write_bytes(msgspec.json.encode(made))
    return msgspec.json.decode(kept.read_bytes(), type=dict[str, str])


def _sweep() -> bool:
    """Remove hosts that nobody keeps. Raises LabFault if somebody does."""
    lab = Lab()
    if not any(host.exists for host in lab.hosts.values()):
        return False
    with claimed():
        lab.clear()
    return True


@contextmanager
def claimed() -> Iterator[None]:
    """Have the hosts' names to ourselves; the kernel gives them back when this process ends. Raises LabFault."""
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(_CLAIM.open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabFault(
                "another lab stands on this machine, or is being laid: take it down where that was (`qanat lab down`)"
            ) from error
        yield


def _leave(_number: int, _frame: object) -> None:
    """Let everything that stands be taken down on the way out."""
    raise SystemExit(0)


def _note(folder: Path) -> Path:
    return folder / "lab.json"


if __name__ == "__main__":
    private.is_inside()
    try:
        keep(Path(sys.argv[1]), Place[sys.argv[2]], socket.socket(fileno=int(sys.argv[3])))
    except (Fault, OSError) as fault:
        sys.exit(str(fault))
