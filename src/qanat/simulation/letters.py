"""What a simulated agent sends, and what of the answers still finds it: those that come late find another process, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qanat.agents.actions import Action
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.holder import Holder
from qanat.simulation.road import Road, Sender
from qanat.simulation.server import Answer
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport

Message = Interrogation | UsageReport


class Letters:
    """The letters of one process: ``reader`` is its holder as long as it lives and reads."""

    def __init__(
        self,
        terminal: str,
        road: Road,
        clock: CorrectedClock,
        *,
        channels: Callable[[], list[bool]],
        reader: Callable[[], Holder | None],
        do: Callable[[Iterable[Action]], None],
        note: Callable[[str], None],
    ) -> None:
        self._terminal = terminal
        self._road = road
        self._clock = clock
        self._channels = channels
        self._reader = reader
        self._do = do
        self._note = note

    def send(self, message: Message) -> None:
        self._note(_name_of(message))
        sender = Sender(
            terminal=self._terminal,
            channels=self._channels,
            answered=lambda answer: self._arrived(message, answer),
            rejected=lambda problem: self._rejected(message, problem),
            unreachable=lambda retry_after_s: self._missed(message, retry_after_s),
        )
        self._road.send(sender, message)

    def _arrived(self, message: Message, answer: Answer) -> None:
        holder = self._reader()
        if holder is None:
            return
        if isinstance(answer, InterrogationAnswer):
            self._note(f"answer {answer.number}: {len(answer.quotas)} quotas, confirmed to {answer.acked}")
            self._clock.learn(answer.server_time)
            self._do(holder.answered(self._clock.now(), answer))
        elif isinstance(message, UsageReport) and isinstance(answer, UsageConfirmation):
            self._note(f"confirmed to {answer.acked}")
            self._do(holder.confirmed(self._clock.now(), message, answer))

    def _rejected(self, message: Message, problem: Problem) -> None:
        holder = self._reader()
        if holder is not None:
            self._do(holder.rejected(self._clock.now(), message, problem))

    def _missed(self, message: Message, retry_after_s: int) -> None:
        holder = self._reader()
        if holder is not None:
            self._do(holder.unreachable(self._clock.now(), message, retry_after_s=retry_after_s))


def _name_of(message: Interrogation | UsageReport) -> str:
    report = message.report if isinstance(message, Interrogation) else message
    what = f"asks {message.kind} {message.number}" if isinstance(message, Interrogation) else "reports"
    return f"{what}: rows {[row.seq for row in report.rows]}"
