"""The audit: recompute every balance from the entries, and trust nothing else.

Fed every entry in order, it knows what each account must hold. It holds an account's image against the sum of its
postings, reservations against the records that own them, positions against the obligations they consist of, transit
against the parcels under way, and each unit's total against zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from qanat.ids import Shard
from qanat.ledger.book import GUARDED, Account
from qanat.ledger.transit import Outbox, Parcel, Receipt
from qanat.ledger.work import Balance, Entry, Record, kind_name

_PROBLEMS_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an audit found. ``problems`` names each account or entry at fault, at most a hundred."""

    balanced: bool
    accounts: int
    entries: int
    archived: int
    """Entries before these, which are in archives; their balances were brought forward."""
    problems: list[str]
    totals: dict[str, int]
    """Per unit and role, the sum of balances: ``octets used``, ``octets bucket``, …"""


@dataclass(slots=True)
class Auditor:
    """Fold entries, then ask for the ``verdict``."""

    entries: int = 0
    problems: list[str] = field(default_factory=list)
    records: dict[tuple[str, str, str], Record] = field(default_factory=dict)
    """(kind, owner, id) → the image that the entries leave behind."""
    _sums: Counter[str] = field(default_factory=Counter)
    _seqs: dict[Shard, int] = field(default_factory=dict)
    _archived: dict[Shard, int] = field(default_factory=dict)

    def bring_forward(self, shard: Shard, seq: int, opening: Entry) -> None:
        """Take a piece of what a shard's entries up to ``seq`` left behind; those behind it are fed afterwards."""
        self._seqs[shard] = self._archived[shard] = seq
        self._fold(opening)

    def feed(self, shard: Shard, seq: int, entry: Entry) -> None:
        """Take the next entry of a shard."""
        expected = self._seqs.get(shard, 0) + 1
        if seq != expected:
            self._found(f"shard {shard}: entry {expected} is missing, {seq} follows {expected - 1}")
        self._seqs[shard] = seq
        self.entries += 1
        self._fold(entry)

    def _fold(self, entry: Entry) -> None:
        for record in entry.put:
            self.records[record.__struct_config__.tag, record.owner, record.id] = record  # type: ignore[index]
        for key in entry.drop:
            self._drop(key)
        for account, amount in entry.postings:
            self._sums[account] += amount

    def sum_of(self, account: str) -> int:
        """Return what an account's postings come to."""
        return self._sums[account]

    def stands_as(self, other: Auditor) -> bool:
        """Return whether both left the same records and balances behind."""
        return self.records == other.records and self._sums == other._sums

    def check_owners(self) -> dict[str, Balance]:
        """Look for what must hold of every owner at any entry; return all balances."""
        accounts = [record for record in self.records.values() if isinstance(record, Account)]
        balances = {
            f"{record.owner}:{balance.id}": balance for record in self.records.values() for balance in record.balances
        }
        self._check_balances(balances)
        self._check_reservations(accounts)
        self._check_positions(balances)
        return balances

    def verdict(self) -> Verdict:
        balances = self.check_owners()
        self._check_transit(balances.values())
        totals = self._check_totals(balances.values())
        return Verdict(
            balanced=not self.problems,
            accounts=len(balances),
            entries=self.entries,
            archived=sum(self._archived.values()),
            problems=self.problems[:_PROBLEMS_SHOWN],
            totals=totals,
        )

    def _drop(self, key: tuple[str, str, str]) -> None:
        gone = self.records.pop(tuple(key), None)  # type: ignore[arg-type]
        # Versions before kept a pair's positions apart: what takes one over takes its postings over, too.
        if isinstance(gone, Account) and (gone.balance or gone.reserved) and gone.role != "position":
            self._found(f"account {gone.label} was dropped with {gone.balance} on it")

    def _check_balances(self, balances: Mapping[str, Balance]) -> None:
        for label, balance in balances.items():
            if balance.amount != self._sums[label]:
                self._found(f"account {label} holds {balance.amount}, its postings {self._sums[label]}")
        for label, total in self._sums.items():
            if total and label not in balances:
                self._found(f"account {label} has postings of {total} and does not exist")

    def _check_reservations(self, accounts: list[Account]) -> None:
        held: Counter[str] = Counter()
        for record in self.records.values():
            for id, octets in record.reservations:
                held[f"{record.owner}:{id}"] += octets
        for account in accounts:
            if account.role in GUARDED and account.available < 0:
                self._found(f"account {account.label} is overdrawn by {-account.available}")
            if account.reserved != held[account.label]:
                self._found(
                    f"account {account.label} has {account.reserved} reserved, sessions hold {held[account.label]}"
                )

    def _check_positions(self, balances: Mapping[str, Balance]) -> None:
        explained: Counter[str] = Counter()
        for record in self.records.values():
            for id, amount in record.positions:
                explained[f"{record.owner}:{id}"] += amount
        for label, balance in balances.items():
            if balance.role == "position" and balance.amount != explained[label]:
                self._found(f"account {label} holds {balance.amount}, its obligations {explained[label]}")

    def _check_transit(self, balances: Iterable[Balance]) -> None:
        under_way: Counter[str] = Counter()
        for balance in balances:
            if balance.role == "transit":
                under_way[balance.unit] += balance.amount
        for record in self.records.values():
            for parcel in record.parcels if isinstance(record, Outbox) else ():
                if not self._has_arrived(parcel):
                    under_way[parcel.unit] -= parcel.amount
        for unit, amount in under_way.items():
            if amount:
                self._found(f"{amount} {unit} stand in transit beyond what parcels carry")

    def _has_arrived(self, parcel: Parcel) -> bool:
        receipt = self.records.get((kind_name(Receipt), parcel.target, parcel.sender))
        return isinstance(receipt, Receipt) and receipt.seq >= parcel.seq

    def _check_totals(self, balances: Iterable[Balance]) -> dict[str, int]:
        units: Counter[str] = Counter()
        totals: Counter[str] = Counter()
        for balance in balances:
            units[balance.unit] += balance.amount
            totals[f"{balance.unit} {balance.role}"] += balance.amount
        for unit, total in units.items():
            if total:
                self._found(f"all balances in {unit} sum to {total}, not to zero")
        return dict(totals)

    def _found(self, problem: str) -> None:
        self.problems.append(problem)
