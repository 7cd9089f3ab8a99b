"""The auditor of a simulated world: follows the octets that really passed, and believes nobody's sums.

It stands at three places. In the kernels it counts what passes, and how much a cut can cost. At the server's door it reads
the rows that were durably taken: what the books must hold is the sum over (quota, epoch) of the largest row. At the log it
sums the postings of every entry. What may differ between kernel and door is only what EDGE allows: a cut over-records at
most what was allowed and had not passed; a wiped journal loses what no row that arrived had stated. Where no gate stops
anything more passes than was granted, all of it under some quota, but for what a cut or a session's end lets nobody see.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from qanat.agents.holding import CHUNK_MAX
from qanat.charging.credit_control import CLOSED_KEPT
from qanat.charging.session import ANSWERS_KEPT, Session, State
from qanat.ids import Owner, Shard
from qanat.ledger.book import GUARDED, Account
from qanat.ledger.work import Entry
from qanat.simulation.tally import Tally
from qanat.store.desk import Desk
from qanat.wire.agent import InterrogationAnswer, QuotaGrant, UsageReport


class Discrepancy(Exception):
    """Something differs that must not."""

    def __init__(self, what: str, *, terminal: str = "") -> None:
        super().__init__(what)
        self.terminal = terminal


@dataclass(slots=True)
class JournalTruth:
    """What one journal was there to see, and what the server heard of it."""

    terminal: str
    passed: int = 0
    may_be_over: int = 0
    """How much its cuts may have over-recorded at most."""
    may_be_under: int = 0
    """How much may have passed at most, where nothing stops it, that was lost before anybody saw it."""
    wiped: bool = False
    stated: dict[int, int] = field(default_factory=dict)
    """seq → what had passed when the figures of that row were read."""
    heard_up_to: int = 0
    """What had passed at the last of the rows that the server took."""
    heard: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    @property
    def booked(self) -> int:
        return sum(up + down for up, down in self.heard.values())


class Truth:
    def __init__(self, tally: Tally) -> None:
        self.journals: dict[str, JournalTruth] = {}
        self._tally = tally
        self._current: dict[str, JournalTruth] = {}
        self._granted: dict[str, QuotaGrant] = {}
        self._granted_to: Counter[str] = Counter()
        self._answers: dict[str, dict[int, InterrogationAnswer]] = {}
        self._passed_by: Counter[str] = Counter()
        self._used_of: Counter[str] = Counter()
        self._subscriber_of: dict[str, Owner] = {}
        self._ungated: set[str] = set()
        self._sums: Counter[str] = Counter()

    def bound(self, terminal: str, subscriber: Owner, *, has_gate: bool = True) -> None:
        self._subscriber_of[terminal] = subscriber
        if not has_gate:
            self._ungated.add(terminal)

    # In the kernels

    def keeps(self, terminal: str, journal: str) -> None:
        """From here this journal is the terminal's memory."""
        self._current[terminal] = self.journals.setdefault(journal, JournalTruth(terminal))

    def passed(self, terminal: str, octets: int) -> None:
        self._current[terminal].passed += octets
        self._passed_by[terminal] += octets
        self._tally.count("octets", octets)
        if terminal not in self._ungated and self._passed_by[terminal] > self._granted_to[terminal]:
            over = self._passed_by[terminal] - self._granted_to[terminal]
            raise Discrepancy(f"{over} octets passed that nobody granted", terminal=terminal)

    def passed_by(self, terminal: str) -> int:
        return self._passed_by[terminal]

    def cut(self, terminal: str, at_stake: int) -> None:
        """Totals were lost while so much was allowed and had not passed."""
        if at_stake > CHUNK_MAX:
            raise Discrepancy(f"{at_stake} octets were allowed ahead: more than one chunk", terminal=terminal)
        if terminal in self._current:
            self._current[terminal].may_be_over += at_stake

    def unmetered(self, terminal: str, octets: int) -> None:
        """So much passed that its journal may not tell of; through a gate nothing does."""
        if terminal in self._ungated and terminal in self._current:
            self._current[terminal].may_be_under += octets

    def wiped(self, terminal: str) -> None:
        self._current[terminal].wiped = True

    def stated(self, terminal: str, seq: int, *, passed: int) -> None:
        """A row was committed; the figures in it were read when so much had passed in this terminal's life."""
        journal = self._current[terminal]
        journal.stated[seq] = passed - (self._passed_by[terminal] - journal.passed)

    # At the server's door

    def granted(self, terminal: str, answer: InterrogationAnswer) -> None:
        answers = self._answers.setdefault(answer.session, {})
        earlier = answers.setdefault(answer.number, answer)
        if answer.server_time >= earlier.server_time + CLOSED_KEPT:
            self._forgotten(earlier)
            earlier = answers[answer.number] = answer
        for grant in answer.quotas:
            before = self._granted.setdefault(grant.quota, grant)
            if before is grant:
                self._granted_to[terminal] += grant.octets
            elif before != grant:
                raise Discrepancy(f"quota {grant.quota} was granted twice: {before}, then {grant}", terminal=terminal)
        is_kept = answer.number > max(answers) - ANSWERS_KEPT
        if earlier.quotas and is_kept and answer.quotas != earlier.quotas:
            told = f"question {answer.number} of {answer.session} came again and was granted {answer.quotas}"
            raise Discrepancy(f"{told}, where it was granted {earlier.quotas}", terminal=terminal)

    def _forgotten(self, answer: InterrogationAnswer) -> None:
        """The question came again after a day: who never had the answer may be granted anew under the same name."""
        for grant in answer.quotas:
            if not self._used_of[grant.quota]:
                self._granted.pop(grant.quota, None)

    def heard(self, terminal: str, report: UsageReport) -> None:
        """The server durably took these rows."""
        journal = self.journals[report.journal]
        for row in report.rows:
            up, down = journal.heard.get((row.quota, row.epoch), (0, 0))
            journal.heard[row.quota, row.epoch] = grown = (max(up, row.up), max(down, row.down))
            self._used_of[row.quota] += sum(grown) - up - down
            journal.heard_up_to = max(journal.heard_up_to, journal.stated[row.seq])
            over = self._used_of[row.quota] - self._granted[row.quota].octets
            if over > 0 and terminal not in self._ungated:
                raise Discrepancy(f"quota {row.quota} was used by {over} octets too many", terminal=terminal)

    # At the log

    def appended(self, desk: Desk, entries: dict[Shard, Entry]) -> None:
        """Check what one decision did: balanced, every image the sum of its postings, nobody overdrawn."""
        units: Counter[str] = Counter()
        for entry in entries.values():
            amounts: Counter[str] = Counter()
            for label, amount in entry.postings:
                amounts[label] += amount
            self._sums.update(amounts)
            for label, amount in amounts.items():
                if label.endswith(":used") and amount < 0:  # nobody gives anything back in this world
                    raise Discrepancy(f"{-amount} octets that were used are taken off {label}")
            for record in entry.put:
                for balance in record.balances:
                    label = f"{record.owner}:{balance.id}"
                    units[balance.unit] += amounts[label]
                    if balance.amount != self._sums[label]:
                        sums = self._sums[label]
                        raise Discrepancy(f"account {label} says {balance.amount}, its postings {sums}")
                if isinstance(record, Account):
                    _check_guarded(record)
            for owner in {record.owner: None for record in entry.put if isinstance(record, Session | Account)}:
                _check_reservations(desk, owner)
        if any(units.values()):
            raise Discrepancy(f"one decision moved {dict(units)}, which is not nothing")

    # At the end

    def check(self, desk: Desk) -> None:
        """Everything came home: now the books must hold what passed."""
        for name, journal in self.journals.items():
            self._check_journal(name, journal)
        for owner in desk.owners():
            debt = desk.get(Account, owner, "debt")
            if debt is not None and debt.balance:
                raise Discrepancy(f"{owner} owes {-debt.balance} octets, though everybody has bought enough since")
        for owner in dict.fromkeys(self._subscriber_of.values()):
            self._check_subscriber(desk, owner)
        verdict = desk.audit()
        if not verdict.balanced:
            raise Discrepancy(f"the audit found: {verdict.problems[0]}")

    def _check_journal(self, name: str, journal: JournalTruth) -> None:
        over = journal.booked - journal.passed
        if over > journal.may_be_over:
            raise Discrepancy(
                f"journal {name}: {journal.passed} octets passed, {journal.booked} were reported, {over} too many"
                f" where {journal.may_be_over} are allowed",
                terminal=journal.terminal,
            )
        least = (journal.heard_up_to if journal.wiped else journal.passed) - journal.may_be_under
        if journal.booked < least:
            raise Discrepancy(
                f"journal {name}: {least} octets passed, {journal.booked} were reported, {least - journal.booked} lost",
                terminal=journal.terminal,
            )
        self._tally.count("octets over-recorded by cuts", max(0, over))
        self._tally.count("octets lost with wiped journals", max(0, -over))

    def _check_subscriber(self, desk: Desk, owner: Owner) -> None:
        journals = [one for one in self.journals.values() if self._subscriber_of[one.terminal] == owner]
        reported = sum(journal.booked for journal in journals)
        used = desk.get(Account, owner, "used")
        booked = used.balance if used else 0
        if booked != reported:
            raise Discrepancy(
                f"{owner}: {reported} octets were reported and {booked} are in the books",
                terminal=journals[0].terminal if journals else "",
            )
        stuck = [account.id for account in desk.all(Account, owner) if account.reserved]
        still_open = [session.id for session in desk.all(Session, owner) if session.state is State.OPEN]
        if stuck or still_open:
            raise Discrepancy(f"{owner}: still reserved on {stuck}, still open {still_open} after every deadline")


def _check_guarded(account: Account) -> None:
    if account.role in GUARDED and not account.balance >= account.reserved >= 0:
        raise Discrepancy(f"account {account.label} holds {account.balance} with {account.reserved} reserved")


def _check_reservations(desk: Desk, owner: Owner) -> None:
    held: Counter[str] = Counter()
    for session in desk.all(Session, owner):
        for account, octets in session.reservations:
            held[account] += octets
    for bucket in desk.all(Account, owner):
        if bucket.reserved != held[bucket.id]:
            raise Discrepancy(f"{bucket.label} has {bucket.reserved} reserved, its sessions {held[bucket.id]}")
