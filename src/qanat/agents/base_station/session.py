"""One trade at the base station: the holder that decides, and the gate and the journal on which it is carried out.

Everything that happens to a trade ends in ``_do``. What waits for packets in flight is asked of the surroundings and
goes on in ``_fenced``; while it is waited for, the gate is shut and stays so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from qanat.agents.actions import Action, Commit, Note, Raise, Send, Shut, Wake
from qanat.agents.base_station import said
from qanat.agents.base_station.idleness import Idleness
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.slots import Slot, Visit
from qanat.agents.holder import Holder
from qanat.agents.holding import Manner, Totals, whole_quotas
from qanat.agents.kernel.ladder import Key
from qanat.agents.kernel.link import UpDown
from qanat.agents.states import State
from qanat.units import Instant, Millis, Octets
from qanat.wire.agent import (
    Interrogation,
    InterrogationAnswer,
    Problem,
    RefusalBody,
    UsageConfirmation,
    UsageReport,
)

LOOK_EVERY: Final = Millis(10_000)
"""Renewal follows the kernel's events; looking now and then only brings usage reports up to date."""


class Surroundings(Protocol):
    """What a session needs of the agent it lives in."""

    def now(self) -> Instant: ...

    def put(self, slot: Slot) -> None:
        """Write the slot; durable on return. Raises JournalFault."""
        ...

    def fence(self, then: Callable[[], None]) -> None:
        """Call back when the packets that are on their way now have arrived."""
        ...

    def send(self, session: Session, message: Interrogation | UsageReport) -> None: ...

    def wake(self, session: Session, at: Instant) -> None: ...

    def note(self, session: Session, event: str, facts: dict[str, int | str]) -> None: ...

    def ended(self, session: Session) -> None:
        """The trade is over and everything about it is confirmed."""
        ...


class Session:
    __slots__ = (
        "_around",
        "_idle_end",
        "_idleness",
        "_is_fencing",
        "_is_shutting",
        "_source",
        "decided",
        "holder",
        "metered",
        "slot",
        "visit",
        "why",
    )

    def __init__(
        self,
        slot: Slot,
        metered: Metered,
        around: Surroundings,
        *,
        meter: str,
        report_interval_s: int | None,
        idle_end: Millis,
    ) -> None:
        assert slot.visit is not None, "a session has a trade"
        self.slot = slot
        self.visit: Visit = slot.visit
        self.metered = metered
        self.why: RefusalBody | None = None
        """Why it ended, where the base station itself ended it."""
        self.decided = asyncio.Event()
        """Set when the gate was opened for the first time, or never will be."""
        self._around = around
        self._source = source_of(slot, meter)
        self._idle_end = idle_end
        self._idleness = Idleness(around.now(), Octets(0))
        self._is_fencing = self._is_shutting = False
        self.holder = holder_of(slot, report_interval_s=report_interval_s)

    @property
    def trade(self) -> str:
        return self.visit.admitted.trade

    @property
    def is_ending(self) -> bool:
        """Nothing more will pass in it."""
        return self.holder.state in (State.ENDING, State.CLOSING) or self.holder.is_done

    @property
    def refusal(self) -> RefusalBody | None:
        return self.why or self.holder.refusal

    @property
    def left(self) -> Octets:
        """Octets granted and not used yet, as of the last look."""
        return Octets(sum(held.left for held in self.holder.book.live))

    # What happens to a session

    def start(self, counted: UpDown) -> None:
        """Begin, or go on after a crash: what ran dry while nobody listened says so no more."""
        self.metered.ran_dry(())
        if self.metered.is_shut and self.metered.exact is None:
            self._fence()
        self._do(self.holder.start(self._around.now(), self._reading(counted), link=True))

    def tick(self, *, depleted: bool = False) -> None:
        counted, now = self.metered.reading(), self._around.now()
        self._do(self.holder.tick(now, self._reading(counted), depleted=depleted))
        self._idleness.look(now, counted.total, is_open=not self.metered.is_shut)
        if self._idleness.lasted >= self._idle_end and not self.is_ending:
            self.stop(said.idle(self._idleness.lasted))

    def ran_dry(self, names: Iterable[str]) -> None:
        self._after_rotation(needs_fence=self.metered.ran_dry(names))

    def look(self) -> None:
        """Events were lost: ask the kernel how the rungs are."""
        self._after_rotation(needs_fence=self.metered.look())

    def stop(self, why: RefusalBody | None = None) -> None:
        """Close the gate, report and return. The first reason stands."""
        self.why = self.why or why
        self._do(self.holder.stop(self._around.now()))

    def move(self, keys: list[Key], link_address: bytes) -> None:
        """The demander comes from other addresses now; what was granted goes on there, on the exact count."""
        self.metered.bind(keys, link_address)
        self._fence()

    def answered(self, answer: InterrogationAnswer) -> None:
        self._do(self.holder.answered(self._around.now(), answer))

    def confirmed(self, message: UsageReport, confirmation: UsageConfirmation) -> None:
        self._do(self.holder.confirmed(self._around.now(), message, confirmation))

    def unreachable(self, message: Interrogation | UsageReport, *, retry_after_s: int) -> None:
        self._do(self.holder.unreachable(self._around.now(), message, retry_after_s=retry_after_s))

    def rejected(self, message: Interrogation | UsageReport, problem: Problem) -> None:
        self._do(self.holder.rejected(self._around.now(), message, problem))

    # Carrying out

    def _do(self, actions: Iterable[Action]) -> None:
        queue = deque(actions)
        while queue:
            match queue.popleft():
                case Commit():
                    self._around.put(self.slot)
                case Raise(ceiling, ends):
                    self.metered.raise_to(ceiling, ends=ends)
                    self.decided.set()
                case Shut():
                    queue.extend(self._shut())
                case Send(message):
                    self._around.send(self, message)
                case Wake(at):
                    self._around.wake(self, at)
                case Note(event, facts):
                    self._around.note(self, event, facts)
        self._end_if_done()

    def _shut(self) -> list[Action]:
        self.metered.shut()
        if self.metered.exact is not None:
            return self.holder.fenced(self._around.now(), self._final())
        self._is_shutting = True
        self._fence()
        return []

    def _final(self) -> Totals:
        counted = self.metered.fenced()
        self.metered.lower_to_exact()
        return self._reading(counted)

    def _fence(self) -> None:
        if not self._is_fencing:
            self._is_fencing = True
            self._around.fence(self._fenced)

    def _fenced(self) -> None:
        self._is_fencing = False
        if self._is_shutting:
            self._is_shutting = False
            self._do(self.holder.fenced(self._around.now(), self._final()))
        else:
            self.metered.fenced()
            self.tick(depleted=not self.metered.reopen())

    def _after_rotation(self, *, needs_fence: bool) -> None:
        if needs_fence:
            self._fence()
        self.tick()

    def _end_if_done(self) -> None:
        if not self.holder.is_done:
            return
        self.decided.set()
        if self.metered.keys:
            self.metered.unbind()
        if not self.holder.book.has_usage_to_report and self.holder.outstanding is None:
            self._around.ended(self)

    def _reading(self, counted: UpDown) -> Totals:
        return Totals(source=self._source, up=counted.up, down=counted.down, spent=self.metered.spent)


def holder_of(slot: Slot, *, report_interval_s: int | None = None) -> Holder:
    """Go on with the slot's trade from what its image remembers, which changes with it."""
    assert slot.visit is not None, "a slot in use has a visit"
    manner = Manner(
        session=slot.visit.admitted.trade,
        is_over=slot.is_over,
        chunk_for=whole_quotas,
        asks_ahead=True,
        look_every=LOOK_EVERY,
    )
    return Holder(slot.snapshot, report_interval_s=report_interval_s, manner=manner)


def source_of(slot: Slot, meter: str) -> str:
    """Name the counters of the slot's trade among those of a table."""
    assert slot.visit is not None, "a slot in use has a visit"
    return f"{meter}/{slot.visit.admitted.trade}"
