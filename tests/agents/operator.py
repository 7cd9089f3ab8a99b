"""A small honest operator: the server's side of the wire contract, in memory, for tests of the agents.

Keeps no ledger: per quota it knows the octets granted, whether it is still reserved, and the use by journal and epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from qanat.units import Instant
from qanat.wire.agent import (
    Interrogation,
    InterrogationAnswer,
    Problem,
    QuotaGrant,
    RefusalBody,
    UsageConfirmation,
    UsageReport,
)

CLOSED = RefusalBody(reason="session_closed", sentence="The session has ended.", cure="Start a new one.")
REFUSED = RefusalBody(reason="credit_limit_reached", sentence="The plan is used up.", cure="Buy another plan.")


@dataclass
class Granted:
    octets: int
    is_reserved: bool = True
    use: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def used(self) -> int:
        return sum(self.use.values())


@dataclass
class Operator:
    bought: int
    quota_octets: int = 1_000_000
    validity_ms: int = 3_600_000
    report_interval_s: int = 10
    quotas: dict[str, Granted] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    answers: dict[tuple[str, int], tuple[Interrogation, InterrogationAnswer]] = field(default_factory=dict)
    seen: dict[str, set[int]] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[str, int], object] = field(default_factory=dict)
    asked: list[Interrogation] = field(default_factory=list)

    @property
    def available(self) -> int:
        held = (max(quota.octets, quota.used) if quota.is_reserved else quota.used for quota in self.quotas.values())
        return self.bought - sum(held)

    @property
    def used(self) -> int:
        return sum(quota.used for quota in self.quotas.values())

    def report(self, report: UsageReport) -> UsageConfirmation:
        seen = self.seen.setdefault(report.journal, set())
        for row in report.rows:
            before = self.rows.setdefault((report.journal, row.seq), row)
            assert before == row, "one place in a journal, two contents"
            quota = self.quotas[row.quota]
            key = (report.journal, row.epoch)
            quota.use[key] = max(quota.use.get(key, 0), row.up + row.down)
            seen.add(row.seq)
        acked = max(self.acked.get(report.journal, 0), report.floor)
        while acked + 1 in seen:
            acked += 1
        self.acked[report.journal] = acked
        return UsageConfirmation(journal=report.journal, acked=acked)

    def interrogate(self, asked: Interrogation, now: Instant) -> InterrogationAnswer | Problem:
        before = self.answers.get((asked.session, asked.number))
        if before is not None:
            return before[1] if before[0] == asked else Problem(status=409, reason="number_reused")
        if asked.session in self.closed:
            return self._refused(asked, self.report(asked.report).acked, now)
        if asked.kind != "first" and asked.session not in self.sessions:
            return Problem(status=404, reason="session_unknown")
        self.asked.append(asked)
        acked = self.report(asked.report).acked
        for name in asked.returns:
            self.quotas[name].is_reserved = False
        grants = [] if asked.wants == 0 else self._grant(asked, now)
        if asked.kind == "final":
            self.sessions.discard(asked.session)
        elif asked.kind == "first" and grants:
            self.sessions.add(asked.session)
        answer = InterrogationAnswer(
            session=asked.session,
            number=asked.number,
            acked=acked,
            quotas=grants,
            refusal=None if grants or asked.wants == 0 else REFUSED,
            report_interval_s=self.report_interval_s,
            server_time=now,
        )
        self.answers[asked.session, asked.number] = (asked, answer)
        return answer

    def close_sessions(self) -> None:
        """Every deadline passes: what was reserved goes home."""
        self.closed |= self.sessions
        self.sessions.clear()
        for quota in self.quotas.values():
            quota.is_reserved = False

    def _refused(self, asked: Interrogation, acked: int, now: Instant) -> InterrogationAnswer:
        answer = InterrogationAnswer(
            session=asked.session,
            number=asked.number,
            acked=acked,
            quotas=[],
            refusal=CLOSED,
            report_interval_s=self.report_interval_s,
            server_time=now,
        )
        self.answers[asked.session, asked.number] = (asked, answer)
        return answer

    def _grant(self, asked: Interrogation, now: Instant) -> list[QuotaGrant]:
        octets = min(self.quota_octets, self.available)
        if octets <= 0:
            return []
        name = f"q{len(self.quotas) + 1}"
        self.quotas[name] = Granted(octets)
        return [
            QuotaGrant(
                quota=name,
                octets=octets,
                valid_until=Instant(now + self.validity_ms),
                threshold=octets // 4,
                final=self.available == 0,
            )
        ]


class Counting(Operator):
    """As the server does it: rows up to where it has counted are repeats, whatever they say."""

    def report(self, report: UsageReport) -> UsageConfirmation:
        acked = self.acked.get(report.journal, 0)
        return super().report(replace(report, rows=[row for row in report.rows if row.seq > acked]))
