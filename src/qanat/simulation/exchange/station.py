"""A simulated base station: the real guests, sessions and ladders, on a simulated gate, disk and road.

Hosts its guests as ``agents/base_station/run`` does. The agent may die before or behind any write to disk or kernel; both
go on without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from random import Random
from typing import Final

from qanat.agents.base_station import said
from qanat.agents.base_station.guests import Guests
from qanat.agents.base_station.ruleset import key_of
from qanat.agents.base_station.session import Session
from qanat.agents.durable import JournalFault
from qanat.agents.kernel.neighbour import Address, LinkAddress
from qanat.agents.kernel.netlink import KernelFault, Message
from qanat.agents.kernel.nft import TableGone
from qanat.simulation.agenda import Agenda
from qanat.simulation.exchange.gate import Gate
from qanat.simulation.exchange.market import Answer
from qanat.simulation.exchange.road import Kind, Road
from qanat.simulation.exchange.slots import MemorySlots
from qanat.simulation.exchange.truth import ExchangeTruth
from qanat.simulation.tally import Tally
from qanat.units import MINUTE, Instant, Millis
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport
from qanat.wire.base_station import Admission, Admitted, Recalls

FENCE_MS: Final = 15
AGAIN_MS: Final = 2_000
RECALLS_EVERY_MS: Final = 1_000
IDLE_END: Final = Millis(30 * MINUTE)
EVENTS_KEPT: Final = 2000
CURED: Final = (JournalFault, TableGone, KernelFault)


class Killed(BaseException):
    """kill -9, at this very moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    agenda: Agenda
    random: Random
    road: Road
    truth: ExchangeTruth
    tally: Tally


class KilledGate(Gate):
    """A gate whose agent may die before or behind a commit."""

    guarded: Callable[[Callable[[], None]], None]

    def commit(self, messages: object) -> None:
        assert isinstance(messages, list), "what a ladder builds"
        batch: list[Message] = messages
        self.guarded(lambda: Gate.commit(self, batch))


class Station:
    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.disk = MemorySlots(f"jnl-{name}", guarded=self._unless_killed)
        self.events: deque[tuple[Instant, str]] = deque(maxlen=EVENTS_KEPT)
        self.guests: Guests | None = None
        self.dies_after: int | None = None
        """So many more writes."""
        self.is_cut_off = False
        """No way to the server."""
        self._around = around
        self._life = self._boots = 0
        self._alarms: dict[str, int] = {}
        self._gate = self._new_gate()

    # The agent's life

    def start(self) -> None:
        if self.guests is None:
            self._life += 1
            self._guarded(self._resume)
            self._later(RECALLS_EVERY_MS, self._ask_for_recalls)

    def kill(self) -> None:
        if self.guests is not None:
            self._note("killed")
            self._around.tally.count("crashes")
            self._life += 1
            self.guests = None
            self.dies_after = None

    def flush(self) -> None:
        """The table is gone: the counts of all that runs here are lost with it."""
        self._around.tally.count("tables lost")
        for slot in self.disk.look():
            if slot.visit is not None:
                self._around.truth.cut(slot.visit.admitted.trade)
        self._note("table flushed")
        self._gate.flush()
        self._gate = self._new_gate()
        if self.guests is not None:
            self._pause()

    def cut_power(self) -> None:
        self.kill()
        self._around.tally.count("power cuts")
        self.flush()

    # What devices do here

    def admit(
        self, asked: Admission, address: str, link_address: LinkAddress, then: Callable[[Problem | None], None]
    ) -> None:
        """Ask the server and open the gate, as the portal does."""
        if self.guests is None:
            return
        life = self._life

        def answered(answer: Answer) -> None:
            guests = self._listening(life)
            if isinstance(answer, Problem):
                self._note(f"{address} refused: {answer.reason}")
                then(answer)
            elif guests is not None and isinstance(answer, Admitted):
                self._note(f"{address} admitted to {answer.trade}")
                self._guarded(lambda: self._admitted(guests, answer, address, link_address))
                then(None)

        self._around.road.ask(
            "admit", self.name, asked, is_open=self._channel(life), answered=answered, unreachable=_nothing
        )

    def leave(self, address: str) -> None:
        session = None if self.guests is None else self.guests.at(ip_address(address))
        if session is not None:
            self._guarded(partial(session.stop, said.LEFT))

    def pass_packets(self, address: str, link_address: LinkAddress, *, up: bool, packets: int, size: int) -> int:
        return self._gate.meet(key_of(ip_address(address)), link_address, up=up, packets=packets, size=size)

    # Hosting guests

    def now(self) -> Instant:
        return self._around.agenda.now

    def fence(self, then: Callable[[], None]) -> None:
        self._later(FENCE_MS, then)

    def wake(self, session: Session, at: Instant) -> None:
        label = session.slot.label
        alarm = self._alarms[label] = self._alarms.get(label, 0) + 1
        self._later(max(0, at - self.now()), lambda: session.tick() if self._alarms.get(label) == alarm else None)

    def left(self, session: Session) -> None:
        self._alarms[session.slot.label] = self._alarms.get(session.slot.label, 0) + 1

    def send(self, session: Session, message: Interrogation | UsageReport) -> None:
        life = self._life
        kind: Kind = "interrogate" if isinstance(message, Interrogation) else "report"
        self._note(f"{session.trade} {_name_of(message)}")

        def answered(answer: Answer) -> None:
            if isinstance(answer, InterrogationAnswer):
                self._around.truth.said(answer)
            if self._listens(session, life):
                self._guarded(lambda: _arrived(session, message, answer))

        def unreachable() -> None:
            if self._listens(session, life):
                self._guarded(lambda: session.unreachable(message, retry_after_s=0))

        self._around.road.ask(
            kind, self.name, message, is_open=self._channel(life), answered=answered, unreachable=unreachable
        )

    # Helpers

    def _resume(self) -> None:
        guests = Guests(self.disk, self, log=self._log, report_interval_s=None, idle_end=IDLE_END)
        self.guests = guests
        guests.resume(self._gate, self)

    def _admitted(self, guests: Guests, admitted: Admitted, address: str, link_address: LinkAddress) -> None:
        guests.admit(admitted, ip_address(address), link_address)

    def _ask_for_recalls(self) -> None:
        life = self._life

        def answered(answer: Answer) -> None:
            guests = self._listening(life)
            if guests is not None and isinstance(answer, Recalls):
                self._guarded(lambda: guests.recall(set(answer.trades)))

        if self.guests is not None and self.guests.sessions:
            self._around.road.ask(
                "recalls", self.name, None, is_open=self._channel(life), answered=answered, unreachable=_nothing
            )
        self._later(RECALLS_EVERY_MS, self._ask_for_recalls)

    def _channel(self, life: int) -> Callable[[], bool]:
        return lambda: life == self._life and not self.is_cut_off

    def _listening(self, life: int) -> Guests | None:
        return self.guests if life == self._life else None

    def _listens(self, session: Session, life: int) -> bool:
        guests = self._listening(life)
        return guests is not None and guests.sessions.get(session.slot.label) is session

    def _later(self, span_ms: int, act: Callable[[], None]) -> None:
        """Do it in a while, unless the process is another one then."""
        life = self._life
        self._around.agenda.after(span_ms, lambda: self._guarded(act) if life == self._life else None)

    def _guarded(self, event: Callable[[], None]) -> None:
        try:
            event()
        except Killed:
            self.kill()
            self._around.agenda.after(self._around.random.randrange(100, 60_000), self.start)
        except CURED as fault:
            self._note(f"beginning anew: {fault}")
            self._around.tally.count("beginnings anew")
            self._pause()

    def _pause(self) -> None:
        self._life += 1
        self.guests = None
        self._around.agenda.after(AGAIN_MS, self.start)

    def _unless_killed(self, write: Callable[[], None]) -> None:
        """Write; die before or behind it when that is due."""
        if self.dies_after is None:
            write()
            return
        self.dies_after -= 1
        if self.dies_after > 0:
            write()
            return
        self.dies_after = None
        if self._around.random.random() < 0.5:
            write()
        raise Killed

    def _new_gate(self) -> Gate:
        self._boots += 1
        gate = KilledGate(self._boots, passed=self._passed, went_dry=self._went_dry)
        gate.guarded = self._unless_killed
        return gate

    def _passed(self, counter: str, octets: int) -> None:
        """Whose octets these are, is on the disk: the journal was first."""
        self._around.truth.passes(self.disk.trade_in[int(counter[3:])], octets, up=counter[0] == "u")

    def _went_dry(self, names: dict[str, list[str]]) -> None:
        guests, life = self.guests, self._life
        if guests is not None:
            self._later(1, lambda: guests.ran_dry(names) if life == self._life else None)

    def addresses(self, link_address: LinkAddress) -> list[Address]:  # noqa: ARG002
        return []

    def pin(self, address: Address, link_address: LinkAddress) -> None:
        """Every device here has one address and keeps to it."""

    def unpin(self, address: Address, link_address: LinkAddress) -> None:
        """Nothing was pinned."""

    def _log(self, event: str, **facts: int | str) -> None:
        shown = {name: fact for name, fact in facts.items() if name not in ("sentence", "cure")}
        self._note(" ".join([event, *(f"{name}={fact}" for name, fact in shown.items())]))

    def _note(self, event: str) -> None:
        self.events.append((self.now(), f"{self.name} {event}"))


def _nothing() -> None:
    """Whoever asked in vain asks again by itself."""


def _arrived(session: Session, message: Interrogation | UsageReport, answer: Answer) -> None:
    if isinstance(answer, Problem):
        session.rejected(message, answer)
    elif isinstance(answer, InterrogationAnswer):
        session.answered(answer)
    elif isinstance(message, UsageReport) and isinstance(answer, UsageConfirmation):
        session.confirmed(message, answer)


def _name_of(message: Interrogation | UsageReport) -> str:
    report = message.report if isinstance(message, Interrogation) else message
    what = f"asks {message.kind} {message.number}" if isinstance(message, Interrogation) else "reports"
    return f"{what}: {[(row.seq, row.quota, row.up + row.down) for row in report.rows]}"
