"""The book: double entry in whole octets (and money in minor units), with reservations.

Two phases: *reserve* sets octets of a subscriber's buckets aside, *post* turns the used part into usage, *release* sends
the rest home. Balances per unit always sum to zero; a guarded account never falls below what is reserved on it. A bucket
is used in order of priority, then earliest expiry, then age. Usage that no bucket covers becomes debt, which the next
bucket pays first.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from qanat.ids import Owner, shard_of
from qanat.ledger.history import mark_hour
from qanat.ledger.work import Balance, Record, Work
from qanat.units import MAX_OCTETS, MAX_PUBLIC_OCTETS, Instant, MinorUnits, Octets, Unit

Role = Literal[
    "bucket",
    "used",
    "debt",
    "wallet",
    "issued",
    "expired",
    "revenue",
    "cash",
    "transit",
    "given",
    "obtained",
    "position",
]
GUARDED: Final = frozenset({"bucket", "wallet"})
"""Accounts whose balance covers their reservations at all times."""

Part = tuple[str, int]
"""Octets reserved on one bucket: (account id, octets)."""

_NEVER: Final = Instant(2**62)


class Account(Record, frozen=True, kw_only=True):
    """One account of an owner, in octets, in another unit of use, or in the minor units of a currency."""

    role: Role
    unit: str = "octets"
    balance: int = 0
    reserved: int = 0
    operator: str = ""
    plan: str = ""
    size: int = 0
    """Octets of the bucket when it was bought."""
    priority: int = 0
    """Lower is used first."""
    opened_at: Instant = Instant(0)
    expires_at: Instant | None = None
    quota_octets: int = 0
    """How much one quota from this bucket holds unless more is needed; 0 leaves it to the server."""
    all_or_nothing: bool = False

    @property
    def available(self) -> int:
        return self.balance - self.reserved

    @property
    def label(self) -> str:
        return f"{self.owner}:{self.id}"

    @property
    def balances(self) -> tuple[Balance, ...]:
        return (Balance(self.id, self.role, self.unit, self.balance),)

    def expired(self, now: Instant) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def tally_owner(operator: str, beside: Owner) -> Owner:
    """Return the owner of an operator's accounts in the shard of somebody's account, so that postings stay in one shard."""
    return Owner(f"operator/{operator}#{shard_of(beside)}")


def usable_buckets(work: Work, owner: Owner, unit: Unit = "octets") -> list[Account]:
    """Return the buckets of a unit that still hold something and have not expired, in order of use."""
    now = work.now
    buckets = [
        account
        for account in work.records(Account, owner).values()
        if account.balance > 0
        and account.role == "bucket"
        and account.unit == unit
        and (account.expires_at is None or account.expires_at > now)
    ]
    if len(buckets) > 1:
        buckets.sort(key=lambda bucket: (bucket.priority, bucket.expires_at or _NEVER, bucket.opened_at, bucket.id))
    return buckets


def available_buckets(work: Work, owner: Owner, unit: Unit = "octets") -> tuple[list[Account], Octets]:
    """Return the usable buckets that a new quota could take from, in order of use, and how much that is."""
    buckets, total = [], 0
    for bucket in usable_buckets(work, owner, unit):
        left = bucket.balance - bucket.reserved
        if left > 0:
            buckets.append(bucket)
            total += left
    return buckets, Octets(total)


def available(work: Work, owner: Owner, unit: Unit = "octets") -> Octets:
    """Return what a new quota could take."""
    return available_buckets(work, owner, unit)[1]


def reserve(work: Work, buckets: list[Account], octets: Octets) -> tuple[Part, ...]:
    """Set octets aside on these buckets, in this order; they must be as this decision sees them, and hold enough."""
    parts: list[Part] = []
    left = int(octets)
    for bucket in buckets:
        free = bucket.balance - bucket.reserved
        take = left if left < free else free
        if take > 0:
            work.put(replace(bucket, reserved=bucket.reserved + take))
            parts.append((bucket.id, take))
            left -= take
        if not left:
            break
    assert left == 0, f"{octets} octets were to be reserved, {left} more than there are"
    return tuple(parts)


def post(work: Work, owner: Owner, parts: tuple[Part, ...], used: Octets, unit: Unit = "octets") -> tuple[Part, ...]:
    """Turn used octets into usage and return what is still reserved. Another ``unit`` is that of the parts.

    First from the reserved parts; past them from what else the subscriber has, since it happened; past that as debt.
    """
    kept: list[Part] = []
    left = int(used)
    for id, octets in parts:
        take = min(left, octets)
        if take:
            _draw(work, _account(work, owner, id), posted=take, reserved=take)
            left -= take
        if octets > take:
            kept.append((id, octets - take))
    _use(work, owner, used, unit, beyond=left)
    return tuple(kept)


def post_and_release(work: Work, owner: Owner, parts: tuple[Part, ...], used: Octets, unit: Unit = "octets") -> None:
    """Turn used octets into usage as ``post`` does, and send the rest of the parts home."""
    left = int(used)
    for id, octets in parts:
        take = left if left < octets else octets
        _draw(work, _account(work, owner, id), posted=take, reserved=octets)
        left -= take
    _use(work, owner, used, unit, beyond=left)


def release(work: Work, owner: Owner, parts: tuple[Part, ...]) -> None:
    """Send reserved octets home."""
    for id, octets in parts:
        bucket = _account(work, owner, id)
        work.put(replace(bucket, reserved=bucket.reserved - octets))


def used(work: Work, owner: Owner, unit: Unit = "octets") -> Octets:
    """Return what was used and not given back."""
    return Octets(_used_account(work, owner, unit).balance)


def countable(work: Work, owner: Owner) -> int:
    """Return the most that one more report may say was used: what is used in all stays below 2**63."""
    return min(MAX_PUBLIC_OCTETS, MAX_OCTETS - _used_account(work, owner, "octets").balance)


def refund(work: Work, owner: Owner, octets: Octets, unit: Unit = "octets") -> None:
    """Take back what was used: what is owed is paid first, the rest goes to the bucket that is used next.

    At most what was used. Without a usable bucket they become one of their own, which never expires.
    """
    debt = work.get(Account, owner, _named("debt", unit))
    paid = min(octets, -debt.balance) if debt else 0
    if debt and paid:
        transfer(work, _used_account(work, owner, unit), debt, paid)
    if octets > paid:
        refunds = _named("refunds", unit)
        bucket = next(iter(usable_buckets(work, owner, unit)), None) or work.get(Account, owner, refunds)
        target = bucket or Account(owner=owner, id=refunds, role="bucket", unit=unit, opened_at=work.now)
        transfer(work, _used_account(work, owner, unit), target, octets - paid)


def open_bucket(work: Work, bucket: Account) -> None:
    """Issue a new bucket with its ``size``; what the subscriber owes is paid from it first."""
    work.put(bucket)
    transfer(work, tally(work, bucket.operator, bucket.owner, "issued", unit=bucket.unit), bucket, bucket.size)
    debt = work.get(Account, bucket.owner, _named("debt", bucket.unit))
    if debt is not None and debt.balance < 0:
        paid = min(-debt.balance, bucket.size)
        transfer(work, _account(work, bucket.owner, bucket.id), debt, paid)


def expire(work: Work, bucket: Account) -> None:
    """Move what is available in an expired bucket to the operator's expired account.

    Reserved octets stay until their sessions end; calling again takes what has come home since.
    """
    left = bucket.available
    if left > 0:
        transfer(work, bucket, tally(work, bucket.operator, bucket.owner, "expired", unit=bucket.unit), left)


def pay_in(work: Work, wallet: Account, amount: MinorUnits) -> None:
    """Book money that arrived from outside into a wallet."""
    work.put(wallet)
    transfer(work, tally(work, wallet.operator, wallet.owner, "cash", unit=wallet.unit), wallet, amount)


def tally(work: Work, operator: str, beside: Owner, role: Role, *, unit: str) -> Account:
    """Return an operator's account for a role in the shard of ``beside``, new if it is the first time."""
    owner = tally_owner(operator, beside)
    id = _named(role, unit)
    return work.get(Account, owner, id) or Account(owner=owner, id=id, role=role, unit=unit, operator=operator)


def _named(role: str, unit: str) -> str:
    """Return the id of an account of which an owner has one for each unit."""
    return role if unit == "octets" else f"{role}-{unit}"


def transfer(work: Work, source: Account, target: Account, amount: int) -> None:
    """Move an amount between two accounts of one unit. Guarded accounts must cover it."""
    assert source.unit == target.unit, f"{source.label} is in {source.unit}, {target.label} in {target.unit}"
    assert amount >= 0, f"a transfer moves a whole amount forward, not {amount}"
    assert source.role not in GUARDED or source.available >= amount, f"{source.label} does not cover {amount}"
    _add(work, source, -amount)
    _add(work, target, amount)


def _draw(work: Work, bucket: Account, *, posted: int, reserved: int) -> None:
    """Take octets out of a bucket, and a reservation of as many or more off it."""
    image = replace(bucket, balance=bucket.balance - posted, reserved=bucket.reserved - reserved)
    work.put(image, posted=-posted)


def _use(work: Work, owner: Owner, used: int, unit: Unit, *, beyond: int) -> None:
    """Add to what was used; ``beyond`` of it was not drawn from any reservation."""
    if beyond:
        _post_beyond(work, owner, beyond, unit)
    if used:
        account = _used_account(work, owner, unit)
        if unit == "octets":
            mark_hour(work, owner, used=account.balance)
        _add(work, account, used)


def _post_beyond(work: Work, owner: Owner, octets: int, unit: Unit) -> None:
    for bucket in usable_buckets(work, owner, unit):
        take = min(octets, bucket.available)
        if take > 0:
            _add(work, bucket, -take)
            octets -= take
    if octets:
        id = _named("debt", unit)
        debt = work.get(Account, owner, id) or Account(owner=owner, id=id, role="debt", unit=unit)
        _add(work, debt, -octets)


def _add(work: Work, account: Account, amount: int) -> None:
    work.put(replace(account, balance=account.balance + amount), posted=amount)


def _used_account(work: Work, owner: Owner, unit: Unit) -> Account:
    id = _named("used", unit)
    return work.get(Account, owner, id) or Account(owner=owner, id=id, role="used", unit=unit)


def _account(work: Work, owner: Owner, id: str) -> Account:
    account = work.get(Account, owner, id)
    assert account is not None, f"account {owner}:{id} is reserved on and missing"
    return account
