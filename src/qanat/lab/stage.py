"""The stage of the show: the laid lab with its programs, and everything that can be asked and counted on it.

Whoever acts here does what a person does: types ``qanat`` commands, runs the agent, downloads. Whoever counts here asks the
kernel, the gate, the terminal's journal and the server, each by itself.
"""

from __future__ import annotations

import http.client
import shutil
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec

from qanat.agents import journal
from qanat.agents.holding import Snapshot
from qanat.agents.kernel.link import Links, UpDown
from qanat.agents.kernel.nft import Nft, Table
from qanat.agents.terminal.assemble import journal_path
from qanat.agents.terminal.gate import Reading
from qanat.agents.terminal.gate_table import table_for
from qanat.lab import internet
from qanat.lab.namespaces import Host, LabFault, run
from qanat.lab.programs import PYTHON, QANAT, Program
from qanat.lab.topology import INTERNET, SERVER, Lab
from qanat.lab.traffic import Download, upload
from qanat.lab.waiting import PATIENCE_S, until
from qanat.server.first_start import ADMINISTRATOR, SIGN_IN_FILE
from qanat.units import Octets

Json = dict[str, Any]
SUBSCRIBER: Final = "wanda"
INTERVAL_S: Final = 1
_SERVER_SETTINGS: Final = (
    "QANAT_LOG_FORMAT=json",
    # A show of a minute wants to see quotas come and go: one for each second of traffic, a report every second.
    "QANAT_QUOTAS_INTERVAL_S=1",
    f"QANAT_AGENTS_REPORT_INTERVAL_S={INTERVAL_S}",
)


class Stage:
    """A context manager: what it started is stopped at the end, whatever happens in between."""

    def __init__(self, lab: Lab | None, folder: Path, *, interface: str) -> None:
        self.lab: Final = lab
        self.folder: Final = folder
        self.interface: Final = interface
        self.data: Final = folder / "data"
        self.state: Final = folder / "terminal"
        self.programs: Final[dict[str, Program]] = {}
        """The last that was started under each name."""
        self.agent: Program | None = None
        self.server_url = self.web = ""
        self._password = ""
        self._token: Path | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Stage:
        try:
            self._lay()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _lay(self) -> None:
        if self.lab is not None:
            self._stack.callback(self.lab.clear)
            self.lab.lay()
        files = self.folder / "files"
        self._stack.callback(shutil.rmtree, files, ignore_errors=True)
        internet.make_files(files)
        self.web = self._listening("internet", *PYTHON, "qanat.lab.internet", str(files), self._at(INTERNET, 80))

    # Acting

    def start_server(self) -> None:
        serve = (*QANAT, "serve", "--data", str(self.data), "--http", self._at(SERVER, 8080))
        address = self._listening("server", "env", *_SERVER_SETTINGS, *serve)
        self.server_url = f"http://{address}"

    def qanat(self, *words: str) -> Json:
        """Type a ``qanat`` command beside the server and return its JSON. Raises CommandFailed."""
        known = ["env", f"QANAT_URL={self.server_url}"]
        token = ["--token-file", str(self._token or self.data / "admin.token")]
        return _json(run(self._in("server", *known, *QANAT, *words, *token, "--json")))

    def sign_up(self, password: str) -> None:
        """Make a subscriber, who types all commands in ``as_subscriber``."""
        self._password = password
        known = ["env", f"QANAT_URL={self.server_url}", *QANAT]
        run(self._in("server", *known, "sign-up", SUBSCRIBER, "--password", password))
        token = self.folder / f"{SUBSCRIBER}.token"
        run(self._in("server", *known, "sign-in", SUBSCRIBER, "--password", password, "--save", str(token)))

    def sign_ins(self) -> dict[str, tuple[str, str]]:
        """Return names and passwords with which an operator and a subscriber sign in, both just tried. Raises LabFault."""
        try:
            password = (self.data / SIGN_IN_FILE).read_text().strip()
        except OSError as error:
            raise LabFault(f"the administrator's password is not to be had: {error}") from error
        found = {"operator": (ADMINISTRATOR, password), "subscriber": (SUBSCRIBER, self._password)}
        for name, password in found.values():
            self.do("/v1/sign-in", name=name, password=password)
        return found

    def as_subscriber(self, *words: str) -> Json:
        self._token = self.folder / f"{SUBSCRIBER}.token"
        try:
            return self.qanat(*words)
        finally:
            self._token = None

    def terminal(self, *words: str, state: Path | None = None) -> Json:
        """Type a ``qanat terminal`` command on the terminal and return its JSON. Raises CommandFailed."""
        return self.device("terminal", "terminal", *words, state=state or self.state)

    def device(self, host: str, *words: str, state: Path) -> Json:
        """Type a ``qanat`` command on a device that keeps its state in a folder, and return its JSON."""
        return _json(self.type_in(host, *QANAT, *words, "--state", str(state), "--json"))

    def type_in(self, host: str, *words: str) -> str:
        """Type any command on a host and return what it prints. Raises CommandFailed."""
        return run(self._in(host, *words))

    def start(self, name: str, host: str, *words: str, pass_fds: Sequence[int] = ()) -> Program:
        """Start a program on a host; it ends with the stage at the latest."""
        program = Program(name, self._in(host, *words), log=self.folder / f"{name}.log", pass_fds=pass_fds)
        self._stack.callback(program.stop)
        self.programs[name] = program
        return program

    def start_agent(self) -> Program:
        command = (*QANAT, "terminal", "run", "--state", str(self.state), "--json")
        self.agent = self.start("agent", "terminal", *command)
        self.agent.wait_for("terminal agent started")
        return self.agent

    def download(self, file: str, *, host: str = "terminal") -> Download:
        return Download(self._host(host), self.web, file)

    def upload(self, file: str, size: int) -> Octets:
        return upload(self._host("terminal"), self.web, file, bytes(size))

    # Counting

    def kernel(self) -> UpDown:
        """What the interface has counted since it was made, less the frame headers (RTM_GETSTATS)."""
        with self._inside("terminal"):
            links = Links()
        try:
            return links.octets(links.find(self.interface))
        finally:
            links.close()

    def lost_packets(self) -> int:
        """What the interface dropped on the way out since it was made."""
        shown = run(self._in("terminal", "ip", "-s", "-j", "link", "show", self.interface))
        lost: int = msgspec.json.decode(shown)[0]["stats64"]["tx"]["dropped"]
        return lost

    def gate(self) -> Reading:
        """What the gate's own counters say, read from the kernel; where there is no gate, the interface's."""
        if self.lab is None:
            return Reading(passed=self.kernel())
        octets = self.counters("terminal", table_for(self.interface))
        return Reading(
            **{
                kind: UpDown(octets[f"{kind}_up"], octets[f"{kind}_down"])
                for kind in ("passed", "signalling", "upkeep", "refused")
            }
        )

    def counters(self, host: str, table: Table) -> dict[str, Octets]:
        """What the counters of an nftables table say, read from a host's kernel."""
        with self._inside(host):
            nft = Nft()
        try:
            return {name: counter.octets for name, counter in nft.counters(table).items()}
        finally:
            nft.close()

    def kernel_and_gate(self) -> tuple[UpDown, Reading]:
        """Both counts of the same moment: nothing passed while they were read."""

        def both() -> tuple[UpDown, Reading] | None:
            before, gate = self.kernel(), self.gate()
            return (before, gate) if self.kernel() == before else None

        return until(both, f"a quiet moment on {self.interface}")

    def journal(self) -> Snapshot:
        return journal.read_only(journal_path(self.state))

    def journaled(self) -> UpDown:
        """What the terminal's journal has counted since the gate's counters began."""
        epoch = self.journal().epoch
        assert epoch is not None, "an agent that ran has counted"
        return UpDown(epoch.up, epoch.down)

    def balance(self) -> Json:
        return self.ask(f"/v1/subscribers/{SUBSCRIBER}/balance")

    def ask(self, path: str) -> Json:
        """Ask the server's HTTP interface for something. Raises LabFault."""
        return self._converse("GET", path, b"")

    def do(self, path: str, **body: object) -> Json:
        """Have the server's HTTP interface do something that is not worth showing. Raises LabFault."""
        return self._converse("POST", path, msgspec.json.encode(body))

    def _converse(self, method: str, path: str, body: bytes) -> Json:
        name, port = _split(self.server_url.removeprefix("http://"))
        token = (self.data / "admin.token").read_text().strip()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        connection = http.client.HTTPConnection(name, port, timeout=PATIENCE_S)
        try:
            with self._inside("server"):
                connection.sock = socket.create_connection((name, port), timeout=PATIENCE_S)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            shown = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise LabFault(f"the server does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise LabFault(f"{path}: {answer.status} {shown.decode(errors='replace')}")
        return _json(shown.decode())

    def booked(self) -> Json:
        """Wait until the server has booked every octet that the gate let pass; return the balance then."""

        def all_booked() -> Json | None:
            balance = self.balance()
            return balance if balance["used"] == self.gate().passed.total else None

        return until(all_booked, "the server has booked every octet that passed")

    # Where things are

    def _listening(self, name: str, *command: str) -> str:
        """Start what is to listen on the host of its own name, and return where it does."""
        return self.start(name, name, *command).wait_for("ready http=").split("http=")[1].split()[0]

    def _host(self, name: str) -> Host | None:
        return None if self.lab is None else self.lab[name]

    def _inside(self, name: str) -> AbstractContextManager[None]:
        host = self._host(name)
        return nullcontext() if host is None else host.inside()

    def _in(self, name: str, *words: str) -> list[str]:
        host = self._host(name)
        return list(words) if host is None else host.command(*words)

    def _at(self, address: str, port: int) -> str:
        return "127.0.0.1:0" if self.lab is None else f"{address}:{port}"


def _json(text: str) -> Json:
    decoded: Json = msgspec.json.decode(text)
    return decoded


def _split(address: str) -> tuple[str, int]:
    name, _, port = address.rpartition(":")
    return name, int(port)
