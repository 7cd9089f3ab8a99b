"""The holder: a credit-control client (RFC 8506 §5). It asks for quotas, lets traffic pass in them, returns the rest.

Decides what is journalled, allowed, asked, reported and returned, and when. Pure: readings, answers and the time come
in, actions come out. Terminals and base stations run it against the kernel and the network, the simulator against the
server's core. A question stays the outstanding one, with its number and its exact contents, until it has an answer.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final, Literal
from zlib import crc32

from msgspec.structs import replace

from qanat.agents.actions import Action, CurrentSession, Gone, Pending, Raise, Send, Shut, Wake
from qanat.agents.holding import Held, Manner, Reading, Session, Snapshot, headroom, hold, reserve
from qanat.agents.notebook import Notebook
from qanat.agents.states import TRANSITIONS, Event, State
from qanat.units import SECOND, Instant, Millis, Octets, later
from qanat.wire.agent import (
    Interrogation,
    InterrogationAnswer,
    Problem,
    RefusalBody,
    UsageConfirmation,
    UsageReport,
)

ASK_AGAIN_S: Final = (0, 2, 4, 8, 15, 30, 60)
"""Waits after answers in a row that promised nothing further: a purchase is noticed within the last of these."""
TRY_AGAIN_S: Final = (1, 2, 4, 8, 15, 30, 60)
"""Waits after the first, second, … failure to reach the server over any channel."""
REJECTED_AGAIN_S: Final = 30
RETRY_WITHIN: Final = Millis(375_000)
"""The longest wait that a server can ask for, with its spread: ``RETRY_AFTER_MAX_S`` of the reporter and a quarter."""
GSO_OCTETS: Final = 65_536
"""The largest packet a gate can meet: nearer than this to its ceiling it may be dry without being full."""
TERMINAL: Final = Manner()
LOOK_SOONEST: Final = Millis(50)
ANSWER_WITHIN: Final = Millis(200)
"""Whoever asks ahead asks so long before the serving quota ends: the server's answer is there by then."""
LOOK_AHEAD_SOONEST: Final = Millis(5)
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
        self.outstanding: Interrogation | UsageReport | None = snapshot.pending
        self._wish_s = report_interval_s
        self._interval_s = report_interval_s or 10
        self._link = self._stopping = self._broken = self._lost = False
        self._over = manner.is_over
        self._gate_open = True  # a crashed predecessor may have left it so
        self._fencing = self._depleted = False
        self._ceiling = Octets(-1)
        self._rate_per_s = 0
        self._looked_at = self._ask_at = self._report_at = Instant(0)
        self._retry_at: Instant | None = None
        self._vain_answers = self._failures = 0

    # What happens to a holder

    def start(self, now: Instant, reading: Reading | None, *, link: bool) -> list[Action]:
        """Begin, or resume after a crash: what passed meanwhile is in the reading if its source is still the same."""
        self._link, self._looked_at = link, now
        self._retry_at = None if self.outstanding is None else now
        self._report_at = now if self.book.kept.rows else later(now, Millis(self._interval_s * 1000))
        if self.book.kept.session is None:
            self.book.begin_epoch(reading)
        return self.tick(now, reading)

    def tick(self, now: Instant, reading: Reading | None, *, depleted: bool = False) -> list[Action]:
        """Look at the totals; ``depleted`` when the gate says that its ceiling was met."""
        self._take(now, reading)
        is_near = reading is not None and reading.total + GSO_OCTETS >= self._ceiling
        self._depleted = self._depleted or (depleted and is_near)
        return self._settle(now)

    def fenced(self, now: Instant, reading: Reading | None) -> list[Action]:
        """The gate is shut and the reading final."""
        self._fencing = self._gate_open = False
        self._take(now, reading)
        return self._settle(now)

    def link(self, now: Instant, *, present: bool) -> list[Action]:
        if present != self._link:
            self._link, self._ask_at, self._vain_answers = present, now, 0
            self.book.note("link is back" if present else "link left")
        return self._settle(now)

    def stop(self, now: Instant) -> list[Action]:
        self._stopping = True
        return self._settle(now)

    def answered(self, now: Instant, answer: InterrogationAnswer) -> list[Action]:
        """Take an answer. One that comes twice, or late, only confirms rows."""
        self.book.confirm(answer.acked)
        asked = self.outstanding
        if isinstance(asked, Interrogation) and (asked.session, asked.number) == (answer.session, answer.number):
            self._interval_s = self._wish_s or answer.report_interval_s
            self.book.put(Pending(None))
            self._has_answer(now)
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
                self._has_answer(now)
        return self._settle_learnt(now)

    def unreachable(
        self, now: Instant, message: Interrogation | UsageReport, *, retry_after_s: int = 0
    ) -> list[Action]:
        """No channel led to an answer. Metering goes on within what was allowed; the message stays outstanding."""
        if message is self.outstanding:
            wait_s = TRY_AGAIN_S[min(self._failures, len(TRY_AGAIN_S) - 1)]
            self._failures += 1
            self._retry_later(now, max(wait_s, retry_after_s))
            self.book.note("server not reached", retry_in_s=max(wait_s, retry_after_s))
        return self._settle(now)

    def rejected(self, now: Instant, message: Interrogation | UsageReport, problem: Problem) -> list[Action]:
        """The server would not take the message at all. A session it does not know is given up; usage is kept."""
        self.refusal = RefusalBody(reason=problem.reason, sentence=problem.detail or problem.title, cure=problem.cure)
        self.book.note("request refused", status=problem.status, **_facts(self.refusal))
        if message is self.outstanding:
            if isinstance(message, Interrogation) and problem.status in SESSION_UNKNOWN:
                self._lost, self.outstanding = True, None
            else:
                self._retry_later(now, REJECTED_AGAIN_S)
        return self._settle(now)

    @property
    def is_done(self) -> bool:
        """Nothing is held and no question is open; usage may still be waiting to be reported."""
        return self.state is State.IDLE and not self._wanted and not self._gate_open

    # Metering

    def _take(self, now: Instant, reading: Reading | None) -> None:
        span, self._looked_at = max(1, now - self._looked_at), now
        if reading is not None and self.book.epoch.follows(reading):
            growth = self.book.charge(reading)
            self._rate_per_s = (self._rate_per_s + growth * 1000 // span) // 2
            return
        self.book.break_off()
        self._broken = self._broken or (reading is not None and self.book.kept.session is not None)
        self.book.begin_epoch(reading)

    def _allow(self) -> None:
        """Raise the gate ahead of the traffic; the journal says so first."""
        chunk = self._manner.chunk_for(self._rate_per_s)
        if headroom(self.book.live) <= chunk // 2 or self._depleted:
            for before, held in zip(self.book.live, reserve(self.book.live, chunk), strict=True):
                if held != before:
                    self.book.put(held)
        ceiling = Octets(self.book.epoch.total + headroom(self.book.live))
        if ceiling != self._ceiling or not self._gate_open:
            self.book.commit()
            self.book.actions.append(Raise(ceiling, self._ends()))
            self._ceiling, self._gate_open, self._depleted = ceiling, True, False

    def _ends(self) -> tuple[Octets, ...]:
        rooms = (headroom([held]) for held in self.book.live)
        return tuple(Octets(end) for end in accumulate(rooms, initial=self.book.epoch.total))[1:]

    # Deciding

    @property
    def _wanted(self) -> bool:
        return self._link and not (self._stopping or self._broken or self._lost or self._over or self._is_at_its_end)

    @property
    def _is_at_its_end(self) -> bool:
        """An agreed session ends where nothing more is granted; in one's own the next purchase is waited for."""
        return self._is_agreed and self.refusal is not None and (not self.book.live or self._is_dry)

    @property
    def _is_agreed(self) -> bool:
        return self._manner.session is not None

    @property
    def _is_ending(self) -> bool:
        """Nothing more may pass in this session. It is ended even if it is wanted again meanwhile; the next one serves."""
        return not self._wanted or self.state is State.ENDING

    @property
    def _is_asking(self) -> bool:
        return isinstance(self.outstanding, Interrogation)

    @property
    def _is_dry(self) -> bool:
        """All that was granted is allowed and the gate met its ceiling: what is left is less than one packet.

        That crumb is kept and the next quota continues it: returned, it would be granted again, and again be too small.
        """
        return self._depleted and all(held.reserved >= held.octets for held in self.book.live)

    def _bound_waits(self, now: Instant) -> None:
        """The clock may have been set back: no wait is longer than it was meant to be."""
        self._report_at = min(self._report_at, later(now, Millis(self._interval_s * 1000)))
        self._ask_at = min(self._ask_at, later(now, Millis(ASK_AGAIN_S[-1] * 1000)))
        if self._retry_at is not None:
            self._retry_at = min(self._retry_at, later(now, RETRY_WITHIN))

    def _settle(self, now: Instant) -> list[Action]:
        self._decide(now)
        return self._hand_over(now)

    def _settle_learnt(self, now: Instant) -> list[Action]:
        """Keep what the server said: in the commit that raises the gate, if one does, so that nobody waits for two."""
        self._decide(now)
        self.book.commit()
        return self._hand_over(now)

    def _decide(self, now: Instant) -> None:
        self._bound_waits(now)
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
            if now >= self._ask_at:
                self._open_session(now)
        elif self.state in (State.SERVING, State.WAITING):
            self._serve(now)

    def _open_session(self, now: Instant) -> None:
        kept = self.book.kept
        name = self._manner.session or f"{kept.journal}.{kept.sessions + 1}"
        self.book.put(CurrentSession(Session(name=name, next_number=0)))
        self._move(Event.WANTED)
        self._ask(now, "first", wants=None)

    def _serve(self, now: Instant) -> None:
        if self.book.live:
            self._allow()
        elif self.state is State.SERVING:
            self._move(Event.SPENT)
        if self._is_asking:
            return
        if now >= self._ask_at and self._needs_more():
            self._ask(now, "intermediate", wants=None)
        elif any(held.left for held in self.book.ended):
            self._ask(now, "intermediate", wants=0)

    def _needs_more(self) -> bool:
        """One quota serves and one may wait: ask when the only one has run down to its threshold; a final one, dry."""
        live = self.book.live
        if live and live[-1].final:
            return self._is_dry
        if self._manner.asks_ahead:
            ahead = self._ahead
            return len(ahead) < 2 or (len(ahead) == 2 and ahead[0].left <= self._asks_at)
        if len(live) == 1:
            return self._is_dry or live[0].left <= live[0].threshold
        return not live

    def _wind_up(self, now: Instant) -> None:
        if self.state in (State.OPENING, State.SERVING, State.WAITING):
            self._move(Event.UNWANTED)
        if self.state is State.IDLE:
            self._broken = False
        elif self.state is State.ENDING and not self._is_asking:
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
        self._ask_later(now)
        self.book.commit()

    def _close_session(self, event: Event) -> None:
        self.book.put(CurrentSession(None))
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
            returns=[held.quota for held in self.book.ended][:RETURNS_MAX],
            wants=wants,
        )
        self.book.put(Pending(message))
        self.book.put(CurrentSession(replace(session, next_number=session.next_number + 1)))
        self._failures = 0
        self._send(message)

    def _learn(self, now: Instant, asked: Interrogation, answer: InterrogationAnswer) -> None:
        new = [grant for grant in answer.quotas if grant.quota not in self.book.kept.quotas]
        for grant in new:
            self.book.put(hold(grant, epoch=self.book.epoch.number, ended=self._is_ending))
            self.book.note("quota granted", quota=grant.quota, octets=grant.octets, final=int(grant.final))
        if new:
            self._move(Event.GRANTED)
            self.refusal = None
            if new[-1].final or new[-1].valid_until <= now:
                self._ask_later(now)
            else:
                self._ask_at, self._vain_answers = now, 0
        elif asked.wants != 0:
            self._be_refused(now, answer.refusal)

    def _be_refused(self, now: Instant, refusal: RefusalBody | None) -> None:
        self.refusal = refusal
        if refusal is not None:
            self.book.note("refused", **_facts(refusal))
        if self.state is State.OPENING:
            self.book.put(CurrentSession(None))
        self._move(Event.REFUSED)
        self._vain_answers = max(1, self._vain_answers)
        self._ask_later(now)

    def _ask_later(self, now: Instant) -> None:
        wait_s = ASK_AGAIN_S[min(self._vain_answers, len(ASK_AGAIN_S) - 1)]
        self._vain_answers += 1
        self._ask_at = later(now, Millis(wait_s * 1000))

    # Sending

    def _send_what_is_due(self, now: Instant) -> None:
        if self.outstanding is not None:
            if self._retry_at is not None and now >= self._retry_at:
                self._send(self.outstanding)
        elif now >= self._report_at and self.book.has_usage_to_report:
            self.book.write_rows(now)
            self._send(self.book.report())

    def _send(self, message: Interrogation | UsageReport) -> None:
        self.outstanding, self._retry_at = message, None
        self.book.commit()
        self.book.actions.append(Send(message))

    def _has_answer(self, now: Instant) -> None:
        self.outstanding = self._retry_at = None
        self._failures = 0
        self._report_at = later(now, Millis(self._interval_s * 1000))

    def _retry_later(self, now: Instant, wait_s: int) -> None:
        """Wait a quarter more or less, by the journal's name, so that a thousand holders do not come back at once."""
        spread = 750 + crc32(f"{self.book.kept.journal}/{self._failures}".encode()) % 500
        self._retry_at = later(now, Millis(wait_s * spread))

    def _next_wake(self, now: Instant) -> Instant:
        if self._fencing:
            return later(now, IDLE_WAKE)  # the fence calls first, in milliseconds
        live = self.book.live
        times = [later(now, IDLE_WAKE), *(held.valid_until for held in live)]
        if live and self._gate_open:
            times.append(later(self._looked_at, self._look_after()))
        if self.outstanding is None and self.book.has_usage_to_report:
            times.append(self._report_at)
        if self._retry_at is not None:
            times.append(self._retry_at)
        if self._wanted and not self._is_asking and self._needs_more():
            times.append(self._ask_at)
        return Instant(max(now, min(times)))

    def _look_after(self) -> Millis:
        """Come back when a quarter of a chunk will be left at the present rate; of the last one, when all of it is gone.

        A gate that tells of halves is earlier than that; where the next quota waits already, the kernel tells.
        """
        if self._manner.asks_ahead:
            return self._look_ahead()
        ahead = headroom(self.book.live)
        spare = ahead - self._manner.chunk_for(self._rate_per_s) // 4
        span = (spare if spare > 0 else ahead) * 1000 // max(1, self._rate_per_s)
        return Millis(min(self._manner.look_every, max(LOOK_SOONEST, span)))

    @property
    def _ahead(self) -> list[Held]:
        """The serving quota and those behind it.

        A rung runs dry with less than a packet left over: that quota is spent, though not to the octet.
        """
        live = self.book.live
        return live[1:] if live and live[0].left < GSO_OCTETS else live

    @property
    def _asks_at(self) -> Octets:
        """Ask for the next quota but one when no more than this is left of the serving one."""
        return Octets(self._rate_per_s * ANSWER_WITHIN // SECOND)

    def _look_ahead(self) -> Millis:
        """Come back when it will be time to ask, at the present rate; once it is, looking helps no more."""
        ahead = self._ahead
        left = ahead[0].left - self._asks_at if len(ahead) == 2 else 0
        if self._is_asking or left <= 0 or self._rate_per_s == 0:
            return self._manner.look_every
        span = left * SECOND // self._rate_per_s
        return Millis(min(self._manner.look_every, max(LOOK_AHEAD_SOONEST, span)))


def _facts(refusal: RefusalBody) -> dict[str, int | str]:
    return {"reason": refusal.reason, "sentence": refusal.sentence, "cure": refusal.cure}


def _resumed(snapshot: Snapshot) -> State:
    if snapshot.pending is not None and snapshot.pending.kind != "intermediate":
        return State.OPENING if snapshot.pending.kind == "first" else State.CLOSING
    return State.IDLE if snapshot.session is None else State.SERVING
