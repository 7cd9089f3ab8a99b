"""A holder's whole world on a manual clock: a gate that stops at its ceiling, a disk, and a road to the operator.

The truth is what really passed the gate. ``crash`` forgets the holder and keeps disk and gate, as kill -9 does;
``reboot`` forgets the gate as well. A crash may come between any two actions.
"""

from __future__ import annotations

from copy import deepcopy

from tests.agents.core import Core
from tests.agents.operator import Operator

from qanat.agents.actions import Action, Commit, Note, Raise, Send, Shut, Wake, remember
from qanat.agents.holder import TERMINAL, Holder
from qanat.agents.holding import Manner, Snapshot, Totals
from qanat.clock import ManualClock
from qanat.units import Instant, Millis, Octets
from qanat.wire.agent import Interrogation, Problem, UsageReport


class World:
    def __init__(self, *, bought: int = 10_000_000, quota_octets: int = 1_000_000, manner: Manner = TERMINAL) -> None:
        self.manner = manner
        self.clock = ManualClock()
        self.operator = Operator(bought=bought, quota_octets=quota_octets)
        self.core: Core | None = None
        """Answers in the operator's place."""
        self.disk = Snapshot(journal="jnl-1")
        self.road: list[Interrogation | UsageReport] = []
        self.notes: list[Note] = []
        self.truth = 0
        self.boot = 0
        self.up = self.down = self.ceiling = 0
        self.spent = 0
        """Where the last grant ended that ran dry; each may have left a little over."""
        self.link_is_up = True
        self.wake_at = Instant(0)
        self.crash_in: int | None = None
        self.chunks_lost = 0
        self.promised = 0
        """A ceiling that the journal may still allow, when the gate has not heard of it yet or has been shut since."""
        self.holder: Holder | None = None

    # The machine

    def start(self) -> None:
        self.road.clear()
        self.holder = Holder(deepcopy(self.disk), manner=self.manner)
        self.do(self.holder.start(self.clock.now(), self.reading(), link=self.link_is_up))

    def reading(self) -> Totals:
        source = f"boot-{self.boot}"
        return Totals(source=source, up=Octets(self.up), down=Octets(self.down), spent=Octets(self.spent))

    def crash(self) -> None:
        self.holder = None
        self.crash_in = None

    def reboot(self) -> None:
        self.crash()
        self.chunks_lost += max(0, max(self.ceiling, self.promised) - self.up - self.down)
        self.boot += 1
        self.up = self.down = self.ceiling = self.promised = 0

    def pass_octets(self, *, up: int, down: int) -> None:
        """Offer so many octets to the gate, whether or not an agent is alive."""
        room = self.ceiling - self.up - self.down
        up = min(up, room)
        down = min(down, room - up)
        self.up, self.down = self.up + up, self.down + down
        self.truth += up + down
        self.tick(depleted=self.ceiling == self.up + self.down)

    def leak(self, octets: int) -> None:
        """Let pass what no gate stops, whether or not an agent is alive."""
        self.down += octets
        self.truth += octets
        self.ceiling = max(self.ceiling, self.up + self.down)
        self.tick(depleted=True)

    def tick(self, *, depleted: bool = False) -> None:
        if self.holder is not None:
            self.do(self.holder.tick(self.clock.now(), self.reading(), depleted=depleted))

    def wait(self, span_ms: int) -> None:
        """Let time pass, waking the holder whenever it asked for it."""
        end = self.clock.now() + span_ms
        while self.holder is not None and self.wake_at <= end:
            self.clock.advance(Millis(max(1, self.wake_at - self.clock.now())))
            self.tick()
        self.clock.advance(Millis(max(0, end - self.clock.now())))

    # The holder's surroundings

    def do(self, actions: list[Action]) -> None:
        queue = list(actions)
        while queue:
            if self.crash_in is not None:
                self.crash_in -= 1
                if self.crash_in < 0:
                    raises = [action.ceiling for action in queue if isinstance(action, Raise)]
                    self.promised = max([self.promised, *raises])
                    self.crash()
                    return
            match queue.pop(0):
                case Commit(changes):
                    for change in changes:
                        remember(self.disk, change)
                case Raise(ceiling, _):
                    assert ceiling >= self.ceiling, "a ceiling only rises"
                    assert ceiling <= self._allowed, "the journal speaks first"
                    self.ceiling, self.promised = ceiling, 0
                case Shut():
                    self.promised = max(self.promised, self.ceiling)
                    self.ceiling = self.up + self.down
                    assert self.holder is not None
                    queue += self.holder.fenced(self.clock.now(), self.reading())
                case Send(message):
                    assert self._remembers(message), "what is sent is in the journal"
                    self.road.append(message)
                case Wake(at):
                    self.wake_at = at
                case Note() as note:
                    self.notes.append(note)

    @property
    def _allowed(self) -> int:
        """How far the journal says that the gate may go."""
        assert self.disk.epoch is not None
        return self.disk.epoch.total + sum(
            held.reserved - held.used for held in self.disk.quotas.values() if not held.ended
        )

    def _remembers(self, message: Interrogation | UsageReport) -> bool:
        report = message if isinstance(message, UsageReport) else message.report
        is_kept = isinstance(message, UsageReport) or self.disk.pending == message
        return is_kept and all(self.disk.rows[row.seq] == row for row in report.rows if row.seq > self.disk.floor)

    # The road

    def deliver(self, *, answer_arrives: bool = True, times: int = 1) -> None:
        """Bring the oldest message to the operator; its answer may be lost on the way back, or come more than once."""
        message = self.road.pop(0)
        server = self.core or self.operator
        if isinstance(message, UsageReport):
            confirmation = server.report(message)
            for _ in range(times * answer_arrives):
                if self.holder is not None:
                    self.do(self.holder.confirmed(self.clock.now(), message, confirmation))
        else:
            answer = server.interrogate(message, self.clock.now())
            for _ in range(times * answer_arrives):
                if self.holder is not None:
                    if isinstance(answer, Problem):
                        self.do(self.holder.rejected(self.clock.now(), message, answer))
                    else:
                        self.do(self.holder.answered(self.clock.now(), answer))
        if not answer_arrives and self.holder is not None:
            self.do(self.holder.unreachable(self.clock.now(), message))

    def lose(self) -> None:
        message = self.road.pop(0)
        if self.holder is not None:
            self.do(self.holder.unreachable(self.clock.now(), message))

    def settle(self) -> None:
        """Deliver everything until nothing is on the road."""
        for _ in range(50):
            if not self.road:
                return
            self.deliver()
        raise AssertionError("the holder does not come to rest")

    def set_link(self, *, up: bool) -> None:
        self.link_is_up = up
        if self.holder is not None:
            self.do(self.holder.link(self.clock.now(), present=up))

    def stop(self) -> None:
        assert self.holder is not None
        self.do(self.holder.stop(self.clock.now()))

    def live(self) -> list[str]:
        assert self.holder is not None
        return [held.quota for held in self.holder.book.live]
