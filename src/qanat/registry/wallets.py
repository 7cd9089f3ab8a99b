"""What a subscriber owns: money paid in, buckets bought with it or topped up, and the balance of it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qanat.ledger.book import Account, open_bucket, pay_in, tally, transfer, usable_buckets
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.plans import count_sale, plan_on_sale
from qanat.registry.subscribers import Subscriber, barred
from qanat.units import DAY, Instant, Millis, MinorUnits, Octets, Unit, format_amount, later

BUCKETS_MOST: Final = 1000
"""Of one unit, that can be used. Every decision puts them in order: so many take a millisecond, ten times as many twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A subscriber's octets and money. ``available`` counts only buckets that can be used now; other units are in buckets."""

    available: Octets
    reserved: Octets
    used: Octets
    debt: Octets
    buckets: list[Account]
    wallets: list[Account]


def pay_into_wallet(work: Work, subscriber: Subscriber, *, amount: MinorUnits, currency: str) -> Account:
    pay_in(work, wallet_of(work, subscriber, currency), amount)
    work.act = "paid in"
    return wallet_of(work, subscriber, currency)


def buy(work: Work, subscriber: Subscriber, *, plan: str, bucket: str) -> Account | Refused:
    """Sell a plan against the wallet and return the new bucket, which gets the id ``bucket``."""
    refused = barred(subscriber)
    if refused:
        return refused
    sold = plan_on_sale(work, plan, operator=subscriber.operator)
    if isinstance(sold, Refused):
        return sold
    full = _full(work, subscriber, sold.unit)
    if full:
        return full
    wallet = wallet_of(work, subscriber, sold.currency)
    if wallet.available < sold.price:
        return wallet_too_small(wallet, sold.price)
    if sold.price:
        revenue = tally(work, sold.operator, subscriber.owner, "revenue", unit=sold.currency)
        transfer(work, wallet, revenue, sold.price)
    count_sale(work, sold)
    work.act = "bought"
    return _open(
        work,
        Account(
            owner=subscriber.owner,
            id=bucket,
            role="bucket",
            unit=sold.unit,
            operator=sold.operator,
            plan=sold.id,
            size=sold.octets,
            priority=sold.priority,
            opened_at=work.now,
            expires_at=_end(work.now, sold.valid_days),
            due=_end(work.now, sold.valid_days),
            quota_octets=sold.quota_octets,
            all_or_nothing=sold.all_or_nothing,
        ),
    )


def top_up(work: Work, subscriber: Subscriber, *, octets: Octets, valid_days: int, bucket: str) -> Account | Refused:
    """Give octets without a price."""
    full = _full(work, subscriber, "octets")
    if full:
        return full
    work.act = "topped up"
    return _open(
        work,
        Account(
            owner=subscriber.owner,
            id=bucket,
            role="bucket",
            operator=subscriber.operator,
            size=octets,
            priority=100,
            opened_at=work.now,
            expires_at=_end(work.now, valid_days),
            due=_end(work.now, valid_days),
        ),
    )


def wallet_of(work: Work, subscriber: Subscriber, currency: str) -> Account:
    id = f"wallet-{currency}"
    return work.get(Account, subscriber.owner, id) or Account(
        owner=subscriber.owner, id=id, role="wallet", unit=currency, operator=subscriber.operator
    )


def wallet_too_small(wallet: Account, price: MinorUnits) -> Refused:
    facts: dict[str, int | str] = {
        "wallet": format_amount(wallet.available, wallet.unit),
        "price": format_amount(price, wallet.unit),
        "currency": wallet.unit,
    }
    return Refused(Refusal.WALLET_TOO_SMALL, facts)


def balance_of(work: Work, subscriber: Subscriber) -> Balance:
    accounts = work.all(Account, subscriber.owner)
    usable = usable_buckets(work, subscriber.owner)
    by_id = {account.id: account for account in accounts}
    used, debt = by_id.get("used"), by_id.get("debt")
    return Balance(
        available=Octets(sum(bucket.available for bucket in usable)),
        reserved=Octets(sum(one.reserved for one in accounts if one.role == "bucket" and one.unit == "octets")),
        used=Octets(used.balance if used else 0),
        debt=Octets(-debt.balance if debt else 0),
        buckets=[
            *usable,
            *usable_buckets(work, subscriber.owner, "seconds"),
            *usable_buckets(work, subscriber.owner, "units"),
        ],
        wallets=[account for account in accounts if account.role == "wallet"],
    )


def _full(work: Work, subscriber: Subscriber, unit: Unit) -> Refused | None:
    """Refuse one more bucket to who has as many as there may be."""
    buckets = len(usable_buckets(work, subscriber.owner, unit))
    facts: dict[str, int | str] = {"subscriber": subscriber.id, "buckets": buckets}
    return Refused(Refusal.TOO_MANY_BUCKETS, facts) if buckets >= BUCKETS_MOST else None


def _open(work: Work, bucket: Account) -> Account:
    open_bucket(work, bucket)
    opened = work.get(Account, bucket.owner, bucket.id)
    assert opened is not None, "the bucket was opened in this decision"
    return opened


def _end(now: Instant, valid_days: int) -> Instant:
    return later(now, Millis(valid_days * DAY))
