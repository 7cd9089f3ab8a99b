"""What chapter B adds to the stage: a base station, those who come to it, and everything that they can be asked.

People open orders at the server; devices come to the base station's access side: the guest's terminal with its agent, the
laptop with nothing but a browser. What is counted is read from whoever counted it: the base station's and the terminal's
logs say what their kernels counted, the server says what it booked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from qanat.agents.base_station.ruleset import LABEL, table_for
from qanat.agents.kernel.link import UpDown
from qanat.lab.exchange_report import TradeCounts
from qanat.lab.namespaces import CommandFailed, LabFault
from qanat.lab.programs import QANAT, Program
from qanat.lab.stage import Json, Stage
from qanat.lab.topology import ACCESS, PORTAL
from qanat.lab.traffic import Download
from qanat.lab.waiting import until
from qanat.units import Octets

GUEST, LAPTOP, PHONE, BASE_STATION = "guest", "laptop", "phone", "base-station"
PORTAL_URL: Final = f"http://{PORTAL}:8910"


class ExchangeStage:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ended: dict[str, UpDown] = {}
        self._joined: dict[str, Program] = {}

    # Acting

    def enrol_terminal(self, host: str, *words: str) -> Json:
        return self._stage.device(host, "terminal", "enrol", *words, state=self._state(host))

    def enrol_base_station(self, *words: str) -> Json:
        return self._stage.device(BASE_STATION, "station", "enrol", *words, state=self._state(BASE_STATION))

    def start_base_station(self) -> Program:
        words = ("station", "run", "--state", str(self._state(BASE_STATION)), "--json")
        program = self._stage.start(BASE_STATION, BASE_STATION, *QANAT, *words)
        program.wait_for('"ready"')
        return program

    def join(self, *words: str) -> str:
        """Let the guest's terminal present itself; return the trade that began. Raises LabFault."""
        command = ("terminal", "join", *words, "--state", str(self._state(GUEST)), "--json")
        terminal = self._stage.start(GUEST, GUEST, *QANAT, *command)
        terminal.wait_for('"online"')
        trade = str(terminal.events("online")[-1]["trade"])
        self._joined[trade] = terminal
        return trade

    def refused_join(self, *words: str) -> str:
        """Let the guest's terminal present itself in vain; return what it is told. Raises LabFault when it is let in."""
        try:
            self._stage.device(GUEST, "terminal", "join", *words, state=self._state(GUEST))
        except CommandFailed as refused:
            reason, _, told = refused.said.removeprefix("refused: ").partition("\n")
            return f"{reason} {told.partition(chr(10))[0]}"
        raise LabFault("a terminal that was to be refused was let in")

    def bound(self, trade: str) -> Octets:
        """What the guest was told that the trade may come to."""
        return Octets(self._joined[trade].events("online")[-1]["octets"])

    def download(self, host: str, file: str) -> Download:
        return self._stage.download(file, host=host)

    # What a browser does

    def browse(self, path: str = "/") -> str:
        """Open a page of the internet on the laptop and return where that leads: its own address, or the base station's."""
        shown = self._curl("--location", "--write-out", "%{url_effective}", f"http://{self._stage.web}{path}")
        return shown.strip()

    def fill_in(self, *, passcode: str, supplier: str = "") -> Json:
        """Send the form on the base station's page; return how things stand for the laptop then."""
        fields = [f"passcode={passcode}", f"supplier={supplier}"]
        self._curl(*(word for field in fields for word in ("--data-urlencode", field)), f"{PORTAL_URL}/join")
        return self.here(LAPTOP)

    def press_leave(self) -> None:
        self._curl("--data", "", f"{PORTAL_URL}/leave")

    def here(self, host: str) -> Json:
        """What the base station says to a device about itself, the device's session, and why there is none."""
        asked = self._stage.type_in(host, "curl", "--silent", "--show-error", f"{PORTAL_URL}/v1/here")
        found: Json = msgspec.json.decode(asked)
        return found

    # Counting

    def passed(self) -> Octets:
        """What the base station's kernel has let pass for those who are online now."""
        return Octets(sum(octets for name, octets in self._gate().items() if LABEL.fullmatch(name)))

    def refused_on_the_way_down(self) -> Octets:
        return self._gate()["refused_dn"]

    def trade(self, trade: str) -> Json:
        listed = self._stage.ask("/v1/trades")["trades"]
        found: Json = next(one for one in listed if one["trade"] == trade)
        return found

    def reserved(self, subscriber: str) -> int:
        reserved: int = self._stage.ask(f"/v1/subscribers/{subscriber}/balance")["reserved"]
        return reserved

    def ended(self, trade: str) -> Json:
        """Wait until base station and server have ended a trade, and return it as the server has it."""
        until(lambda: self._last_count(trade), f"the base station has counted {trade} to its end")

        def is_over() -> Json | None:
            found = self.trade(trade)
            return found if found["state"] == "ended" else None

        return until(is_over, f"the server has ended {trade}")

    def counts(self, who: str, trade: str) -> TradeCounts:
        """What all meters said about a trade that is over."""
        booked = self.ended(trade)
        by_base_station = self._last_count(trade)
        assert by_base_station is not None, "it has ended"
        terminal = self._joined.get(trade)
        return TradeCounts(
            who=who,
            base_station=by_base_station,
            terminal=None if terminal is None else _terminal_count(terminal),
            agreed=None if terminal is None else _agreed(terminal),
            ledger=Octets(booked["octets"]),
            excess=Octets(booked["excess"]),
        )

    # Where things are

    def _gate(self) -> dict[str, Octets]:
        return self._stage.counters(BASE_STATION, table_for(ACCESS))

    def _last_count(self, trade: str) -> UpDown | None:
        for event in self._stage.programs[BASE_STATION].events("trade ended"):
            self._ended[event["trade"]] = UpDown(Octets(event["up"]), Octets(event["down"]))
        return self._ended.get(trade)

    def _state(self, host: str) -> Path:
        return self._stage.folder / host

    def _curl(self, *words: str) -> str:
        return self._stage.type_in(LAPTOP, "curl", "--silent", "--show-error", "--output", "/dev/null", *words)


def _terminal_count(terminal: Program) -> UpDown:
    offline = until(lambda: terminal.events("offline"), "the terminal has counted to the end")[-1]
    return UpDown(Octets(offline["up"]), Octets(offline["down"]))


def _agreed(terminal: Program) -> bool:
    compared: list[dict[str, Any]] = until(
        lambda: terminal.events("counts compared"), "the server has held the counts against each other"
    )
    if compared[-1]["agrees"] == "not yet":
        raise LabFault("the server has not held the terminal's count against the base station's")
    return bool(compared[-1]["agrees"] == "yes")
