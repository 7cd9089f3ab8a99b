"""A simulated device with a cloud SIM: the real holder, on a simulated kernel, disk and road.

Carries actions out as ``agents/terminal/run`` does. The agent may die between any two of them; kernel and disk live on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from qanat.agents.actions import Action, Commit, CurrentSession, Note, Raise, Send, Shut, Wake
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.durable import JournalFault
from qanat.agents.holder import Holder
from qanat.agents.holding import Epoch, Held, Totals
from qanat.simulation.disk import Disk
from qanat.simulation.kernel import Kernel
from qanat.simulation.letters import Letters
from qanat.simulation.surroundings import SkewedClock, Surroundings
from qanat.simulation.truth import Discrepancy
from qanat.units import Instant
from qanat.wire.agent import UsageRow

JOURNAL_AGAIN_MS: Final = 2_000
DOZE_MS: Final = (1_000, 60_000)
SLEEP_MS: Final = (1_000, 900_000)
"""A device on which nothing happens sleeps, deeply without a link, and its timers come late."""
EVENTS_KEPT: Final = 40
AMBUSH_WITHIN_MS: Final = 6_000
WAKES_AT_ONCE: Final = 20


class Device:
    def __init__(self, name: str, disk: Disk, around: Surroundings, *, skew_ms: int, has_gate: bool = True) -> None:
        self.name = name
        self.disk = disk
        self.kernel = Kernel(around.agenda.now, passed=lambda octets: around.truth.passed(name, octets))
        self.events: deque[tuple[Instant, str]] = deque(maxlen=EVENTS_KEPT)
        """The last things that happened here, for whoever looks for a bug."""
        self.link = False
        self.other_channel = True
        self.is_walled_off = False
        """The link is there, and no way leads from it to the server."""
        self.holds_still = False
        """In a drawer: nobody takes it online."""
        self.ambush: Callable[[], None] | None = None
        """Something that will go wrong in the middle of the next use."""
        self.holder: Holder | None = None
        self.dies_after: int | None = None
        """The agent is killed after so many more actions."""
        self._around = around
        self._clock = SkewedClock(around.clock, skew_ms)
        self._corrected = CorrectedClock(self._clock)
        self._demand = (0, 1500)
        self._life = 0
        """Counts processes: what was meant for an earlier one finds nobody."""
        self._alarm = 0
        self._woken_at, self._woken_now = Instant(0), 0
        self._is_paused = False
        self._passed_at_reading = self._passed_at_commit = 0
        self._has_gate = has_gate
        self._mark = 0

    # The agent's life

    def start_agent(self) -> None:
        if self.holder is None:
            self._corrected = CorrectedClock(self._clock)
            self.disk.open()
            self._begin()

    def kill_agent(self) -> None:
        """End it as kill -9 does: the gate stands, and the journal keeps what was committed."""
        if self.holder is not None:
            self._note("agent killed")
            self._around.tally.count("crashes")
            self._end_agent()
            self._start_in_a_while()

    def cut_power(self) -> None:
        """Totals and gate are gone; the disk keeps what was committed."""
        self._note("power cut")
        self._around.tally.count("power cuts")
        self._end_agent()
        self._cut(self.kernel.reboot)
        self._start_in_a_while()

    def make_interface_anew(self) -> None:
        self._note("interface made anew")
        self._around.tally.count("interfaces made anew")
        self._cut(self.kernel.make_interface_anew)
        self.look()

    def turn_counters_back(self) -> None:
        """The same source begins again. Only where something of it was recorded can anybody see it."""
        if self._mark and self.holder is not None:
            self._note("counters go backwards")
            self._around.tally.count("counters that went backwards")
            self._cut(self.kernel.reset_counters)
            self.look()

    def wipe_journal(self) -> None:
        self._note("journal wiped")
        self._around.tally.count("wiped journals")
        self._end_agent()
        self.kernel.flow(self._now)
        self._around.truth.wiped(self.name)
        self.disk.wipe()
        self._mark = 0
        self.kernel.stops = True
        self._start_in_a_while()

    def correct_clock(self, skew_ms: int) -> None:
        self._note(f"clock off by {skew_ms} ms")
        self._clock.skew_ms = skew_ms

    def _begin(self) -> None:
        snapshot = self.disk.load()
        self._note(f"agent started with journal {snapshot.journal}")
        self.kernel.flow(self._now)
        self._around.truth.keeps(self.name, snapshot.journal)
        self.holder = Holder(snapshot)
        self._do(self.holder.start(self._corrected.now(), self._reading(), link=self.link))

    def _start_in_a_while(self) -> None:
        """Mostly somebody looks after it at once, sometimes only after hours."""
        random = self._around.random
        self._around.agenda.after(
            random.choice((1, 1, 5, 60, 600, 7200)) * random.randrange(500, 1500), self.start_agent
        )

    def _end_agent(self) -> None:
        self.disk.crash()
        self.holder = None
        self.dies_after = None
        self._is_paused = False
        self._life += 1
        self._alarm += 1

    def _cut(self, take: Callable[[], None]) -> None:
        self.kernel.flow(self._now)
        self._around.truth.cut(self.name, self.kernel.at_stake)
        self._around.truth.unmetered(self.name, self._around.truth.passed_by(self.name) - self._passed_at_commit)
        take()
        self._mark = 0
        self.kernel.stops = True

    # Events

    def set_link(self, *, up: bool) -> None:
        is_new_way = up and not self.link
        self.link = up
        self._note(f"link {'up' if up else 'away'}")
        self._flow_as_wanted()
        if is_new_way:
            self._way_opened()
        if self.holder is not None and not self._is_paused:
            self._do(self.holder.link(self._corrected.now(), present=up))

    def open_other_channel(self) -> None:
        if not self.other_channel:
            self.other_channel = True
            self._way_opened()

    def want(self, *, octets_per_s: int, packet: int) -> None:
        """Somebody begins to use the link, or stops."""
        self._demand = (octets_per_s, packet)
        self._flow_as_wanted()
        self.look()
        if octets_per_s and self.ambush is not None:
            self._around.agenda.after(self._around.random.randrange(1, AMBUSH_WITHIN_MS), self.ambush)
            self.ambush = None

    def look(self) -> None:
        """Let the holder look at its totals now."""
        if self.holder is None or self._is_paused:
            return
        self.kernel.flow(self._now)
        self._do(self.holder.tick(self._corrected.now(), self._reading(), depleted=self.kernel.says_dry()))

    def _way_opened(self) -> None:
        if self.holder is not None and not self._is_paused:
            self._do(self.holder.way_opened(self._corrected.now()))

    def _flow_as_wanted(self) -> None:
        octets_per_s, packet = self._demand
        self.kernel.want(self._now, octets_per_s=octets_per_s if self.link else 0, packet=packet)

    def _reading(self) -> Totals:
        self.kernel.flow(self._now)
        self._passed_at_reading = self._around.truth.passed_by(self.name)
        return self.kernel.reading()

    # Carrying out

    def _do(self, actions: Iterable[Action]) -> None:
        queue = deque(actions)
        while queue:
            if self._dies(queue):
                return
            try:
                self._carry_out(queue.popleft(), queue)
            except JournalFault:
                self._pause()
                return

    def _dies(self, queue: deque[Action]) -> bool:
        if self.dies_after is None:
            return False
        self.dies_after -= 1
        if self.dies_after >= 0:
            return False
        for action in queue:
            if isinstance(action, Raise):  # the journal may allow it already
                self.kernel.may_pass = max(self.kernel.may_pass, action.ceiling)
        self.kill_agent()
        return True

    def _carry_out(self, action: Action, queue: deque[Action]) -> None:
        assert self.holder is not None, "only a living agent acts"
        match action:
            case Commit():
                self._commit(action)
            case Raise(ceiling, _):
                self.kernel.flow(self._now)
                self.kernel.raise_to(max(ceiling, self.kernel.total))
            case Shut():
                self.kernel.flow(self._now)
                self.kernel.shut()
                queue.extend(self.holder.fenced(self._corrected.now(), self._reading()))
            case Send(message):
                self._letters().send(message)
            case Wake(at):
                self._wake_at(Instant(at - self._corrected.offset_ms - self._clock.skew_ms))
            case Note(event, facts):
                self._note(event, **{name: fact for name, fact in facts.items() if name not in ("sentence", "cure")})

    def _commit(self, action: Commit) -> None:
        self.disk.commit(action.changes)
        self._passed_at_commit = self._passed_at_reading
        for change in action.changes:
            if isinstance(change, UsageRow):
                self._around.truth.stated(self.name, change.seq, passed=self._passed_at_reading)
            elif isinstance(change, Epoch):
                self._mark = change.total
            elif isinstance(change, Held) and not change.ended:
                self.kernel.stops = self._has_gate
            elif isinstance(change, CurrentSession) and change.session is None:
                self._end_metering()

    def _end_metering(self) -> None:
        """Without a session nobody is charged for what nothing stops, so nothing passes; what no look saw may be lost."""
        self.kernel.flow(self._now)
        self._around.truth.unmetered(self.name, self._around.truth.passed_by(self.name) - self._passed_at_reading)
        self.kernel.stops = True

    def _pause(self) -> None:
        """What was not written did not happen: begin again from the journal in a while. The gate keeps its limit."""
        self._around.tally.count("writes a terminal's disk refused")
        self._note("journal cannot be written")
        self._is_paused = True
        self._alarm += 1
        life = self._life
        self._around.agenda.after(JOURNAL_AGAIN_MS, lambda: self._go_on(life))

    def _go_on(self, life: int) -> None:
        if life == self._life:
            self._is_paused = False
            self._begin()

    def _wake_at(self, at: Instant) -> None:
        """Wake when it was asked for, or when the gate says that it is dry; later if the device sleeps."""
        self._alarm += 1
        alarm = self._alarm
        at = max(at, self._now)
        if not self.kernel.demand:
            at = Instant(at + self._around.random.randrange(*(DOZE_MS if self.link else SLEEP_MS)))
        dry_in = self.kernel.refuses_in()
        if dry_in is not None:
            at = Instant(min(at, self._now + dry_in))
        self._around.agenda.at(at, lambda: self._woken(alarm))

    def _woken(self, alarm: int) -> None:
        if alarm != self._alarm:
            return
        self._woken_now = self._woken_now + 1 if self._woken_at == self._now else 0
        self._woken_at = self._now
        if self._woken_now > WAKES_AT_ONCE:
            raise Discrepancy("the holder spins: it wants to be woken without end", terminal=self.name)
        self.look()

    # Helpers

    def _letters(self) -> Letters:
        """Return the letters of this process, and of no later one."""
        life = self._life
        return Letters(
            self.name,
            self._around.road,
            self._corrected,
            channels=lambda: self._channels() if life == self._life else [],
            reader=lambda: self.holder if life == self._life and not self._is_paused else None,
            do=self._do,
            note=self._note,
        )

    def _channels(self) -> list[bool]:
        return [] if self.is_walled_off else [self.link, self.other_channel]

    @property
    def _now(self) -> Instant:
        return self._around.agenda.now

    def _note(self, event: str, **facts: int | str) -> None:
        words = [event, *(f"{name}={fact}" for name, fact in facts.items())]
        self.events.append((self._now, " ".join(words)))
