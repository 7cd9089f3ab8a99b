"""The holder: a credit-control client (RFC 8506 §5). It asks for quotas, lets traffic pass in them, returns the rest.

Decides what is journalled, allowed, asked, reported and returned, and when. Pure: readings, answers and the time come
in, actions come out. Terminals and base stations run it against the kernel and the network, the simulator against the
server's core. A question stays the outstanding one, with its number and its exact contents, until it has an answer.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from qanat.agents.actions import Action, CurrentSession, Gone, Note, Pending, Raise, Send, Shut, Wake
from qanat.agents.headway import Headway
from qanat.agents.holding import Manner, Session, Snapshot, Totals, hold, reserve
from qanat.agents.notebook import Notebook
from qanat.agents.outbox import Outbox
from qanat.agents.patience import Patience
from qanat.agents.states import TRANSITIONS, Event, State
from qanat.units import Instant, Millis, later
from qanat.wire.agent import (
    Interrogation,
    InterrogationAnswer,
    Problem,
    RefusalBody,
    UsageConfirmation,
    UsageReport,
)

REJECTED_AGAIN_S: Final = 30
TERMINAL: Final = Manner()
IDLE_WAKE: Final = Millis(30_000)
RETURNS_MAX: Final = 64
SESSION_UNKNOWN: Final = frozenset({404, 409, 410})
"""Statuses after which repeating a question is useless: the server knows another history (RFC 9110 §15.5)."""
SESSION_GONE: Final = frozenset({"unknown_session", "session_closed", "session_open", "request_reused"})
"""The same, said as refusals: nobody will be granted anything in this session any more."""


class Holder:
    """One gate, one journal, one session at a time. Every event returns the actions to carry out, in order."""

    def __init__(self, snapshot: Snapshot, *, report_interval_s: int | None = None, manner: Manner = TERMINAL) -> None:
        """Go on from what the journal remembers. ``report_interval_s`` overrules the server's wish."""
        self._manner = manner
        self.book = Notebook(snapshot)
        self.state = _resumed(snapshot)
        self.refusal: RefusalBody | None = None
        """Why the server granted nothing when last asked, or took nothing when last told."""
        self._outbox = Outbox(snapshot.pending, name=snapshot.journal, report_interval_s=report_interval_s)
        self._headway = Headway(self.book, manner)
        self._patience = Patience()
        self._link = self._stopping = self._broken = self._lost = False
        self._over = manner.is_over
        self._gate_open = True  # a crashed predecessor may have left it so
        self._fencing = False

    @property
    def outstanding(self) -> Interrogation | UsageReport | None:
        """The message that has no answer yet."""
        return self._outbox.outstanding

    # What happens to a holder

    def start(self, now: Instant, reading: Totals | None, *, link: bool) -> list[Action]:
        """Begin, or resume after a crash: what passed meanwhile is in the reading if its source is still the same."""
        self._link = link
        self._headway.look(now)
        self._outbox.start(now, owes_rows=bool(self.book.kept.rows))
        if self.book.kept.session is None:
            self.book.begin_epoch(reading)
        return self.tick(now, reading)

    def tick(self, now: Instant, reading: Totals | None, *, depleted: bool = False) -> list[Action]:
        """Look at the totals; ``depleted`` when the gate says that its ceiling was met."""
        self._take(now, reading)
        if depleted:
            self._headway.said_dry(reading)
        # What passes past the end of the last quota is under no reservation: it is in no journal until it is written.
        return self._settle(now) if self.book.live else self._settle_learnt(now)

    def fenced(self, now: Instant, reading: Totals | None) -> list[Action]:
        """The gate is shut and the reading final: it is kept, for the machine may be switched off before a question is due."""
        self._fencing = self._gate_open = False
        self._take(now, reading)
        return self._settle_learnt(now)

    def link(self, now: Instant, *, present: bool) -> list[Action]:
        if present == self._link:
            return self._settle(now)
        self._link = present
        self._patience.renewed(now)
        # Said last: that it left, when its gate is shut and what passed is counted.
        return [*self._settle(now), Note("link is back" if present else "link left", {})]

    def way_opened(self, now: Instant) -> list[Action]:
        """There is a way out that was not there before: it may lead to the server."""
        self._outbox.hurry(now)
        return self._settle(now)

    def stop(self, now: Instant) -> list[Action]:
        self._stopping = True
        return self._settle(now)

    def answered(self, now: Instant, answer: InterrogationAnswer) -> list[Action]:
        """Take an answer. One that comes twice, or late, only confirms rows."""
        self.book.confirm(answer.acked)
        asked = self._outbox.expects(answer.session, answer.number)
        if asked is not None:
            self._outbox.wish(answer.report_interval_s)
            self.book.put(Pending(None))
            self._outbox.answered(now)
            self.book.clear(asked.returns)
            if asked.kind == "final":
                self._close_session(Event.CLOSED)
            elif answer.refusal is not None and answer.refusal.reason in SESSION_GONE:
                self._lost = True
            else:
                self._learn(now, asked, answer)
        return self._settle_learnt(now)

    def confirmed(self, now: Instant, message: UsageReport, confirmation: UsageConfirmation) -> list[Action]:
        if confirmation.journal == self.book.kept.journal:
            self.book.confirm(confirmation.acked)
            if message is self.outstanding:
                self._outbox.answered(now)
        return self._settle_learnt(now)

    def unreachable(
        self, now: Instant, message: Interrogation | UsageReport, *, retry_after_s: int = 0
    ) -> list[Action]:
        """No channel led to an answer. Metering goes on within what was allowed; the message stays outstanding."""
        if message is self.outstanding:
            wait_s = self._outbox.failed(now, at_least_s=retry_after_s)
            self.book.note("server not reached", retry_in_s=wait_s)
        return self._settle(now)

    def rejected(self, now: Instant, message: Interrogation | UsageReport, problem: Problem) -> list[Action]:
        """The server would not take the message at all. A session it does not know is given up; usage is kept."""
        self.refusal = RefusalBody(reason=problem.reason, sentence=problem.detail or problem.title, cure=problem.cure)
        self.book.note("request refused", status=problem.status, **_facts(self.refusal))
        if message is self.outstanding:
            if isinstance(message, Interrogation) and problem.status in SESSION_UNKNOWN:
                self._lost = True
                self._outbox.drop()
            else:
                self._outbox.wait(now, REJECTED_AGAIN_S)
        return self._settle(now)

    @property
    def is_done(self) -> bool:
        """Nothing is held and no question is open; usage may still be waiting to be reported."""
        return self.state is State.IDLE and not self._wanted and not self._gate_open

    # Metering

    def _take(self, now: Instant, reading: Totals | None) -> None:
        span_ms = self._headway.look(now)
        if reading is not None and self.book.epoch.follows(reading):
            self._headway.grew(self.book.charge(reading), within_ms=span_ms)
            self._headway.spent_to(reading.spent)
            return
        self.book.break_off()
        self._broken = self._broken or (reading is not None and self.book.kept.session is not None)
        self.book.begin_epoch(reading)

    def _allow(self) -> None:
        """Raise the gate ahead of the traffic; the journal says so first."""
        if self._headway.is_short:
            for before, held in zip(self.book.live, reserve(self.book.live, self._headway.chunk), strict=True):
                if held != before:
                    self.book.put(held)
        ends = self._headway.ends
        if ends[-1] != self._headway.ceiling or not self._gate_open:
            self.book.commit()
            self.book.actions.append(Raise(ends[-1], ends))
            self._headway.raised_to(ends[-1])
            self._gate_open = True

    # Deciding

    @property
    def _wanted(self) -> bool:
        return self._link and not (self._stopping or self._broken or self._lost or self._over or self._is_at_its_end)

    @property
    def _is_at_its_end(self) -> bool:
        """An agreed session ends where nothing more is granted; in one's own the next purchase is waited for."""
        return self._is_agreed and self.refusal is not None and (not self.book.live or self._headway.is_dry)

    @property
    def _is_agreed(self) -> bool:
        return self._manner.session is not None

    @property
    def _is_ending(self) -> bool:
        """Nothing more may pass in this session. It is ended even if it is wanted again meanwhile; the next one serves."""
        return not self._wanted or self.state is State.ENDING

    def _settle(self, now: Instant) -> list[Action]:
        self._decide(now)
        return self._hand_over(now)

    def _settle_learnt(self, now: Instant) -> list[Action]:
        """Keep what was learnt: in the commit that raises the gate, if one does, so that nobody waits for two."""
        self._decide(now)
        self.book.commit()
        return self._hand_over(now)

    def _decide(self, now: Instant) -> None:
        self._outbox.bound(now)
        self._patience.bound(now)
        over = [held for held in self.book.live if self._is_ending or held.valid_until <= now]
        if self._gate_open and (over or not self.book.live):
            if not self._fencing:
                self._fencing = True
                self.book.actions.append(Shut())
        else:
            for held in over:
                self.book.end(held)
            self._advance(now)
            self._send_what_is_due(now)

    def _hand_over(self, now: Instant) -> list[Action]:
        self.book.actions.append(Wake(self._next_wake(now)))
        actions, self.book.actions = self.book.actions, []
        return actions

    def _advance(self, now: Instant) -> None:
        if self._lost:
            self._give_session_up(now)
        elif self._is_ending:
            self._wind_up(now)
        elif self.state is State.IDLE:
            if self._patience.allows(now):
                self._open_session(now)
        elif self.state in (State.SERVING, State.WAITING):
            self._serve(now)

    def _open_session(self, now: Instant) -> None:
        name = self._manner.session or self.book.kept.next_session
        self.book.put(CurrentSession(Session(name=name, next_number=0)))
        self._move(Event.WANTED)
        self._ask(now, "first", wants=None)

    def _serve(self, now: Instant) -> None:
        if self.book.live:
            self._allow()
        elif self.state is State.SERVING:
            self._move(Event.SPENT)
        if self._outbox.is_asking:
            return
        if self._patience.allows(now) and self._headway.needs_more:
            self._ask(now, "intermediate", wants=None)
        elif any(held.left for held in self.book.ended):
            self._ask(now, "intermediate", wants=0)

    def _wind_up(self, now: Instant) -> None:
        if self.state in (State.OPENING, State.SERVING, State.WAITING):
            self._move(Event.UNWANTED)
        if self.state is State.IDLE:
            self._broken = False
        elif self.state is State.ENDING and not self._outbox.is_asking:
            is_owed = self.book.has_usage_to_report or any(held.left for held in self.book.ended)
            if is_owed or self._is_agreed:
                self._move(Event.FREED)
                self._ask(now, "final", wants=0)
            else:
                self._close_session(Event.SETTLED)
                self.book.commit()

    def _give_session_up(self, now: Instant) -> None:
        """The server's word stands: nothing of this session is reserved any more. What was used is still reported."""
        self._lost = False
        self.book.write_rows(now)
        for quota in list(self.book.kept.quotas):
            self.book.put(Gone(quota))
        self.book.put(Pending(None))
        self._close_session(Event.LOST)
        self._patience.nothing_follows(now)
        self.book.commit()

    def _close_session(self, event: Event) -> None:
        self.book.close_session()
        self._move(event)
        self._broken = False
        self._over = self._is_agreed

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]

    # Asking and learning

    def _ask(self, now: Instant, kind: Literal["first", "intermediate", "final"], *, wants: int | None) -> None:
        session = self.book.kept.session
        assert session is not None, "a question belongs to a session"
        self.book.write_rows(now)
        message = Interrogation(
            session=session.name,
            number=session.next_number,
            kind=kind,
            report=self.book.report(),
            returns=self.book.returnable[:RETURNS_MAX],
            wants=wants,
        )
        self.book.put(Pending(message))
        self.book.put(CurrentSession(replace(session, next_number=session.next_number + 1)))
        self._outbox.ask(message)
        self.book.commit()
        self.book.actions.append(Send(message))

    def _learn(self, now: Instant, asked: Interrogation, answer: InterrogationAnswer) -> None:
        new = [grant for grant in answer.quotas if grant.quota not in self.book.kept.quotas]
        for grant in new:
            self.book.put(hold(grant, epoch=self.book.epoch.number, ended=self._is_ending))
            self.book.note("quota granted", quota=grant.quota, octets=grant.octets, final=int(grant.final))
        if new:
            self._move(Event.GRANTED)
            self.refusal = None
            if new[-1].final or new[-1].valid_until <= now:
                self._patience.nothing_follows(now)
            else:
                self._patience.renewed(now)
        elif asked.wants != 0:
            self._be_refused(now, answer.refusal)

    def _be_refused(self, now: Instant, refusal: RefusalBody | None) -> None:
        self.refusal = refusal
        if refusal is not None:
            self.book.note("refused", **_facts(refusal))
        if self.state is State.OPENING:
            self.book.close_session()
        self._move(Event.REFUSED)
        self._patience.refused(now)

    # Sending

    def _send_what_is_due(self, now: Instant) -> None:
        again = self._outbox.repeats(now)
        if again is not None:
            self._send(again)
        elif self._outbox.reports(now) and self.book.has_usage_to_report:
            self.book.write_rows(now)
            self._send(self.book.report())

    def _send(self, message: Interrogation | UsageReport) -> None:
        self._outbox.send(message)
        self.book.commit()
        self.book.actions.append(Send(message))

    def _next_wake(self, now: Instant) -> Instant:
        if self._fencing:
            return later(now, IDLE_WAKE)  # the fence calls first, in milliseconds
        is_asking, live = self._outbox.is_asking, self.book.live
        times = [later(now, IDLE_WAKE), *(held.valid_until for held in live)]
        times += self._outbox.wakes(has_usage=self.book.has_usage_to_report)
        if live and self._gate_open:
            times.append(later(min(now, self._headway.looked_at), self._headway.look_after(is_asking=is_asking)))
        if self._wanted and not is_asking and self._headway.needs_more:
            times.append(self._patience.ask_at)
        return Instant(max(now, min(times)))


def _facts(refusal: RefusalBody) -> dict[str, int | str]:
    return {"reason": refusal.reason, "sentence": refusal.sentence, "cure": refusal.cure}


def _resumed(snapshot: Snapshot) -> State:
    if snapshot.pending is not None and snapshot.pending.kind != "intermediate":
        return State.OPENING if snapshot.pending.kind == "first" else State.CLOSING
    return State.IDLE if snapshot.session is None else State.SERVING
