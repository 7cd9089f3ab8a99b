"""The running agent: carries out what the holder decides, on the real gate, journal, network and clock.

One event loop; the gate's and the link's events, the timer and the answers all end in ``_do``. Messages travel in a
thread, so a slow channel never delays the metering.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from qanat.agents.actions import Action, Commit, Note, Raise, Send, Shut, Wake
from qanat.agents.aside import aside
from qanat.agents.background import begin
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.durable import JournalFault
from qanat.agents.holder import Holder
from qanat.agents.journal import Journal
from qanat.agents.link import LinkWatch
from qanat.agents.log import Log
from qanat.agents.release import stays_shut
from qanat.agents.reporter import NoAnswer, Rejected, Reporter
from qanat.agents.signalling import Endpoint
from qanat.agents.terminal.gate import Gate, GateEvent
from qanat.agents.terminal.in_advance import InAdvance
from qanat.agents.terminal.meter import Meter
from qanat.agents.terminal.state_file import StateFile
from qanat.errors import Fault
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageConfirmation, UsageReport

STOP_WITHIN_S: Final = 10.0
"""How long a stop waits for the server; after that the journal keeps what is left for the next start."""
JOURNAL_AGAIN_S: Final = 2
INTERROGATIONS: Final = "/v1/agent/interrogations"
USAGE: Final = "/v1/agent/usage"


class Agent:
    """Runs until it is told to stop. Raises a Fault that names its cure when it cannot go on."""

    def __init__(
        self,
        *,
        journal: Journal,
        meter: Meter,
        in_advance: InAdvance,
        watch: LinkWatch,
        reporter: Reporter,
        clock: CorrectedClock,
        log: Log,
        state_file: StateFile,
        report_interval_s: int | None,
        resolve: Callable[[], list[Endpoint]],
    ) -> None:
        self._resolve = resolve
        self._signalling: list[Endpoint] = []
        self._journal = journal
        self._meter = meter
        self._in_advance = in_advance
        self._watch = watch
        self._reporter = reporter
        self._clock = clock
        self._log = log
        self._state_file = state_file
        self._report_interval_s = report_interval_s
        self._holder = Holder(journal.load(), report_interval_s=report_interval_s)
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._heard: Gate | InAdvance | None = None
        self._gate_fd: int | None = None
        self._other_name = ""
        self._is_stopping = False
        self._is_paused = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_reader(self._watch.fileno(), self._guarded, self._link_changed)
        try:
            self._guarded(self._start)
            await self._finished
        finally:
            self._take_down(loop)

    def _take_down(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._watch.fileno())
        if self._timer is not None:
            self._timer.cancel()
        is_shut = self._meter.gate.stays_shut if self._meter.gate else self._in_advance.stands
        self._listen_to(None)
        for task in self._sending:
            task.cancel()
        with suppress(Fault):  # a gate that cannot be shut is standing at its last ceiling
            self._meter.shut()
        self._state_file.write(self._holder, self._meter, self._reporter.last_channel)
        self._log(
            "terminal agent stopped",
            unreported=self._holder.book.unreported,
            gate=stays_shut(self._watch.interface, device="terminal") if is_shut else "",
        )
        self._meter.close()

    # Events

    def _start(self) -> None:
        link = self._follow()
        self._log(
            "terminal agent started",
            link="up" if link else "away",
            gate=(self._meter.gate or self._in_advance).describe(),
            unreported=self._holder.book.unreported,
        )
        self._do(self._holder.start(self._clock.now(), self._meter.reading(), link=link))

    def _follow(self) -> bool:
        """Look at the interface and have its gate, in use or not: what it has counted is charged; return whether it is."""
        link = self._watch.look()
        if link is not None:
            self._meter.follow(link)
        self._listen_to(self._meter.gate or self._in_advance)
        return link is not None and self._watch.is_used(link)

    def _listen_to(self, gate: Gate | InAdvance | None) -> None:
        if gate is self._heard:
            return
        loop = asyncio.get_running_loop()
        if self._gate_fd is not None:
            loop.remove_reader(self._gate_fd)
        if gate is self._in_advance:
            self._in_advance.stand()
        else:
            self._in_advance.close()
        self._heard, self._gate_fd = gate, None if gate is None else gate.fileno()
        if self._gate_fd is not None:
            loop.add_reader(self._gate_fd, self._guarded, self._gate_spoke)

    def _link_changed(self) -> None:
        self._watch.take()
        is_present = self._follow()
        self._tick()  # a quota that is asked for now is counted from here: the interface may have been away until now
        self._say_other_name()
        if self._watch.has_new_way():
            self._do(self._holder.way_opened(self._clock.now()))
        self._do(self._holder.link(self._clock.now(), present=is_present))

    def _say_other_name(self) -> None:
        before, self._other_name = self._other_name, self._watch.other_name
        if self._other_name not in ("", before):
            cure = f"rename it back to go on: `ip link set {self._other_name} name {self._watch.interface}`"
            self._log("interface renamed", now=self._other_name, sentence=cure)

    def _gate_spoke(self) -> None:
        """Every change of any ruleset is heard here, our own too: look further only when it concerns the gate."""
        gate = self._meter.gate
        if gate is None:
            if self._in_advance.take():
                self._log("gate laid again", sentence="Another program deleted it while the interface was away.")
            return
        events = self._meter.take_events()
        if events or self._meter.gate is not gate:
            self._look(events)

    def _tick(self) -> None:
        self._look(self._meter.take_events())

    def _look(self, events: list[GateEvent]) -> None:
        depleted = GateEvent.SHUT in events
        self._do(self._holder.tick(self._clock.now(), self._meter.reading(), depleted=depleted))

    def _stop(self) -> None:
        if self._is_stopping:
            self._finish()
            return
        self._is_stopping = True
        self._log("stopping", within_s=int(STOP_WITHIN_S))
        asyncio.get_running_loop().call_later(STOP_WITHIN_S, self._finish)
        self._guarded(self._stop_holder)

    def _stop_holder(self) -> None:
        self._tick()  # a session without a quota ends without a look at its gate
        self._do(self._holder.stop(self._clock.now()))

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    def _guarded(self, event: Callable[[], None]) -> None:
        """Run an event; a journal that cannot be written is tried again, any other fault ends the agent."""
        if self._is_paused and event != self._start_again:
            self._watch.take()
            return
        try:
            event()
        except JournalFault as fault:
            self._pause(fault)
        except Exception as fault:
            if not self._finished.done():
                self._finished.set_exception(fault)

    # Carrying out

    def _do(self, actions: Iterable[Action]) -> None:
        queue = deque(actions)
        while queue:
            match queue.popleft():
                case Commit(changes):
                    self._journal.commit(changes)
                case Raise(ceiling, _):
                    self._meter.raise_to(ceiling)
                case Shut():
                    queue.extend(self._holder.fenced(self._clock.now(), self._meter.shut()))
                case Send(message):
                    self._send(message)
                case Wake(at):
                    self._wake_after((at - self._clock.now()) / 1000)
                case Note(event, facts):
                    self._log(event, **facts)
        self._listen_to(self._meter.gate or self._in_advance)
        self._state_file.write_now_and_then(self._holder, self._meter, self._reporter.last_channel)
        if self._is_stopping and self._holder.is_done:
            self._finish()

    def _wake_after(self, span_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, span_s), self._guarded, self._tick)

    def _pause(self, fault: JournalFault) -> None:
        """The gate keeps its last limit. What was not written did not happen: begin again from the journal."""
        self._is_paused = True
        self._log("journal cannot be written", sentence=str(fault), again_in_s=JOURNAL_AGAIN_S)
        self._listen_to(None)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(JOURNAL_AGAIN_S, self._guarded, self._start_again)

    def _start_again(self) -> None:
        self._is_paused = False
        self._holder = Holder(self._journal.load(), report_interval_s=self._report_interval_s)
        link = self._follow()
        self._do(self._holder.start(self._clock.now(), self._meter.reading(), link=link))
        if self._is_stopping:
            self._stop_holder()

    # Sending

    def _send(self, message: Interrogation | UsageReport) -> None:
        begin(self._deliver(message), among=self._sending, ends=self._finished)

    async def _deliver(self, message: Interrogation | UsageReport) -> None:
        self._guarded(partial(self._allow, await aside(self._resolve)))
        try:
            answer = await aside(partial(self._post, message))
        except NoAnswer as fault:
            self._log("no channel works", sentence=str(fault))
            self._guarded(partial(self._missed, message, fault.retry_after_s))
        except Rejected as fault:
            self._guarded(partial(self._rejected, message, fault))
        else:
            self._guarded(partial(self._arrived, message, answer))

    def _allow(self, servers: list[Endpoint]) -> None:
        """The server's name may lead elsewhere by now: the gate must let the message through before it is sent."""
        if servers and servers != self._signalling:
            self._meter.allow_signalling(servers)
            self._signalling = servers

    def _post(self, message: Interrogation | UsageReport) -> InterrogationAnswer | UsageConfirmation:
        if isinstance(message, Interrogation):
            return self._reporter.interrogate(INTERROGATIONS, message)
        return self._reporter.report(USAGE, message)

    def _missed(self, message: Interrogation | UsageReport, retry_after_s: int) -> None:
        self._do(self._holder.unreachable(self._clock.now(), message, retry_after_s=retry_after_s))

    def _rejected(self, message: Interrogation | UsageReport, fault: Rejected) -> None:
        self._do(self._holder.rejected(self._clock.now(), message, fault.problem))

    def _arrived(self, message: Interrogation | UsageReport, answer: InterrogationAnswer | UsageConfirmation) -> None:
        report = message.report if isinstance(message, Interrogation) else message
        if report.rows:
            octets = sum({row.quota: row.up + row.down for row in report.rows}.values())
            self._log(
                "usage reported",
                rows=len(report.rows),
                octets=octets,
                acked=answer.acked,
                channel=self._reporter.last_channel,
            )
        self._state_file.reported(self._clock.now())
        if isinstance(answer, InterrogationAnswer):
            self._clock.learn(answer.server_time)
            self._do(self._holder.answered(self._clock.now(), answer))
        elif isinstance(message, UsageReport):
            self._do(self._holder.confirmed(self._clock.now(), message, answer))
