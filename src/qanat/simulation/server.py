"""The server's core in the simulated world: the real decisions behind the door, on a log whose disk may fill up.

What it takes and gives are the octets of the wire. A crash forgets everything but the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import msgspec

from qanat.charging.quota import Policy
from qanat.charging.sweep import sweep
from qanat.clock import Clock
from qanat.errors import StoreFault
from qanat.ids import Shard
from qanat.ledger.work import Entry, Work
from qanat.refusals import Refused
from qanat.registry.terminals import terminal_or_refused
from qanat.server.http import translate
from qanat.server.http.problems import STATUS
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Truth
from qanat.store.desk import Desk
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport

T = TypeVar("T")
Answer = InterrogationAnswer | UsageConfirmation
RETRY_AFTER_S: Final = 2


@dataclass(frozen=True, slots=True)
class Busy:
    """503: nothing was done; come back later."""

    retry_after_s: int = RETRY_AFTER_S


class WatchedDesk(Desk):
    """A desk whose disk may be full, with the auditor beside it."""

    def __init__(
        self,
        clock: Clock,
        truth: Truth,
        entries: Iterable[tuple[Shard, int, Entry]] = (),
        *,
        one_commit: bool = True,
    ) -> None:
        super().__init__(clock, entries, one_commit=one_commit)
        self.is_full = False
        self._truth = truth

    def append(self, entries: dict[Shard, Entry]) -> None:
        if self.is_full and entries:
            raise StoreFault("the disk is full: free some space")
        super().append(entries)
        if entries:
            self._truth.appended(self, entries)


class Server:
    def __init__(self, clock: Clock, policy: Policy, truth: Truth, tally: Tally) -> None:
        self.desk = WatchedDesk(clock, truth)
        self.is_up = True
        self._clock = clock
        self._policy = policy
        self._truth = truth
        self._tally = tally

    def crash(self) -> None:
        self.is_up = False

    def restart(self) -> None:
        """Begin again with nothing but the entries that were committed."""
        self.desk = WatchedDesk(self._clock, self._truth, self.desk.entries)
        self.is_up = True

    def decide(self, decision: Callable[[Work], T]) -> T:
        """Let somebody at the operator's do something. Raises StoreFault."""
        return self.desk.decide(decision)

    def sweep(self) -> None:
        """Do what is due. What the disk does not take stays due."""
        if not self.is_up:
            return
        for owner in self.desk.due_owners():
            try:
                self.desk.decide(partial(sweep, owner=owner))
            except StoreFault:
                self._tally.count("writes the server's disk refused")

    def take(self, terminal: str, body: bytes, *, asks: bool) -> Answer | Problem | Busy:
        """Answer one request of a terminal; what is answered is durable."""
        try:
            outcome = self._interrogated(terminal, body) if asks else self._reported(terminal, body)
        except StoreFault:
            self._tally.count("writes the server's disk refused")
            return Busy()
        return _problem(outcome) if isinstance(outcome, Refused) else outcome

    def _interrogated(self, terminal: str, body: bytes) -> InterrogationAnswer | Refused:
        message = msgspec.json.decode(body, type=Interrogation)

        def decide(work: Work) -> InterrogationAnswer | Refused:
            known = terminal_or_refused(work, terminal)
            return known if isinstance(known, Refused) else translate.interrogation(work, self._policy, known, message)

        outcome = self.desk.decide(decide)
        if isinstance(outcome, Refused):
            return outcome
        self._truth.heard(terminal, message.report)
        self._truth.granted(terminal, outcome)
        self._tally.count("interrogations")
        if outcome.refusal is not None:
            self._tally.count(f"refused: {outcome.refusal.reason}")
        return msgspec.json.decode(msgspec.json.encode(outcome), type=InterrogationAnswer)

    def _reported(self, terminal: str, body: bytes) -> UsageConfirmation | Refused:
        message = msgspec.json.decode(body, type=UsageReport)

        def decide(work: Work) -> UsageConfirmation | Refused:
            known = terminal_or_refused(work, terminal)
            return known if isinstance(known, Refused) else translate.usage(work, known, message)

        outcome = self.desk.decide(decide)
        if isinstance(outcome, Refused):
            return outcome
        self._truth.heard(terminal, message)
        self._tally.count("reports")
        return msgspec.json.decode(msgspec.json.encode(outcome), type=UsageConfirmation)


def _problem(refused: Refused) -> Problem:
    status = STATUS[refused.reason]
    return Problem(status=status, detail=refused.sentence, reason=refused.reason.value, cure=refused.cure)
