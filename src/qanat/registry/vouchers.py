"""Vouchers: codes sold on paper, each good once, for octets or for money, by a subscriber of the operator who made them.

A code is fifteen random symbols (75 bits) and a check symbol; only its SHA-256 is kept, so it is shown when its batch is
made and never again. A voucher lives on the page of its code: whoever redeems it first has written there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.book import Account
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import secret_owner
from qanat.registry.operators import require_operator
from qanat.registry.spelling import checks, plain, with_check
from qanat.registry.subscribers import Subscriber, barred
from qanat.registry.wallets import pay_into_wallet, top_up
from qanat.units import DAY, Instant, Millis, MinorUnits, Octets, format_instant, later

SYMBOLS: Final = 15
"""Random ones; the sixteenth is the check."""
_REMEMBERED: Final = Millis(400 * DAY)
"""After a batch has run out, its vouchers are named as such for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What one voucher is good for: octets for some days, or money."""

    octets: Octets = Octets(0)
    valid_days: int = 0
    amount: MinorUnits = MinorUnits(0)
    currency: str = ""


class VoucherBatch(Record, frozen=True, kw_only=True):
    operator: str
    count: int
    redeemed: int = 0
    octets: Octets = Octets(0)
    valid_days: int = 0
    amount: MinorUnits = MinorUnits(0)
    currency: str = ""
    created_at: Instant
    expires_at: Instant
    withdrawn_at: Instant | None = None

    @property
    def ended_at(self) -> Instant:
        return self.expires_at if self.withdrawn_at is None else min(self.withdrawn_at, self.expires_at)


class Voucher(Record, frozen=True, kw_only=True):
    """On the page of its code's digest."""

    batch: str
    number: int
    redeemed_by: str = ""
    redeemed_at: Instant | None = None

    @property
    def label(self) -> str:
        return f"{self.batch}/{self.number:06}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What a voucher brought: a bucket of octets, or money in a wallet."""

    voucher: Voucher
    batch: VoucherBatch
    account: Account


def code_of(symbols: str) -> str:
    """Return a voucher's code of its random symbols, as it is printed: ``7K2M-9QXD-V4TH-3WZ8``."""
    code = with_check(symbols)
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def create_batch(
    work: Work, *, name: str, operator: str, worth: Worth, codes: Sequence[str], good_for: Millis
) -> VoucherBatch | Refused:
    """Make vouchers of these codes, which are kept by nobody else."""
    home = require_operator(work, operator)
    if isinstance(home, Refused):
        return home
    if find_batch(work, name) is not None:
        return Refused(Refusal.NAME_TAKEN, {"thing": f"Voucher batch {name}"})
    batch = VoucherBatch(
        owner=batch_owner(name),
        id=name,
        operator=operator,
        count=len(codes),
        octets=worth.octets,
        valid_days=worth.valid_days,
        amount=worth.amount,
        currency=worth.currency,
        created_at=work.now,
        expires_at=later(work.now, good_for),
    )
    work.put(batch)
    forgotten_at = later(batch.expires_at, _REMEMBERED)
    for number, code in enumerate(codes, 1):
        work.put(Voucher(owner=_page(code), id="voucher", batch=name, number=number, due=forgotten_at))
    work.act = "vouchers made"
    return batch


def withdraw_batch(work: Work, batch: VoucherBatch) -> VoucherBatch:
    """Let nobody redeem what is left of a batch. Repeating is safe."""
    withdrawn = batch if batch.withdrawn_at is not None else replace(batch, withdrawn_at=work.now)
    work.put(withdrawn)
    work.act = "vouchers withdrawn"
    return withdrawn


def redeem(work: Work, subscriber: Subscriber, *, code: str, bucket: str) -> Redeemed | Refused:
    """Give a subscriber what a code is worth, once for ever. Octets become a bucket with the id ``bucket``.

    A code of another operator is as unknown as one that never was.
    """
    good = _good(work, subscriber, code)
    if isinstance(good, Refused):
        return good
    voucher, batch = good
    account = _give(work, subscriber, batch, bucket)
    if isinstance(account, Refused):
        return account
    voucher = replace(voucher, redeemed_by=subscriber.id, redeemed_at=work.now)
    batch = replace(batch, redeemed=batch.redeemed + 1)
    work.put(voucher)
    work.put(batch)
    work.act = "voucher redeemed"
    return Redeemed(voucher=voucher, batch=batch, account=account)


def _good(work: Work, subscriber: Subscriber, code: str) -> tuple[Voucher, VoucherBatch] | Refused:
    """Return what a code stands for, if this subscriber may redeem it now."""
    if not is_well_spelt(code):
        return Refused(Refusal.MISSPELT_VOUCHER)
    refused = barred(subscriber)
    if refused:
        return refused
    voucher = work.get(Voucher, _page(code), "voucher")
    batch = find_batch(work, voucher.batch) if voucher else None
    if voucher is None or batch is None or batch.operator != subscriber.operator:
        return Refused(Refusal.UNKNOWN_VOUCHER)
    if voucher.redeemed_at is not None:
        return Refused(Refusal.VOUCHER_USED, {"at": format_instant(voucher.redeemed_at)})
    if batch.ended_at <= work.now:
        return Refused(Refusal.VOUCHER_EXPIRED, {"at": format_instant(batch.ended_at)})
    return voucher, batch


def is_well_spelt(code: str) -> bool:
    symbols = plain(code)
    return len(symbols) == SYMBOLS + 1 and checks(symbols)


def find_batch(work: Work, name: str) -> VoucherBatch | None:
    return work.get(VoucherBatch, batch_owner(name), name)


def batch_owner(name: str) -> Owner:
    return Owner(f"voucher-batch/{name}")


def _give(work: Work, subscriber: Subscriber, batch: VoucherBatch, bucket: str) -> Account | Refused:
    if batch.octets:
        return top_up(work, subscriber, octets=batch.octets, valid_days=batch.valid_days, bucket=bucket)
    return pay_into_wallet(work, subscriber, amount=batch.amount, currency=batch.currency)


def _page(code: str) -> Owner:
    return secret_owner("voucher", plain(code))
