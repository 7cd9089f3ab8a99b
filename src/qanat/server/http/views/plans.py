"""Plans on sale, what is left of what was bought, and when it was used."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.ledger.book import Account
from qanat.registry.plans import Plan
from qanat.registry.wallets import Balance
from qanat.server.http.views.common import Listed
from qanat.units import Unit, format_instant


class PlanView(BaseModel):
    """``size`` is in ``unit``; ``octets`` is the size of a plan of octets, and 0 for others."""

    name: str
    operator: str
    octets: int
    size: int
    unit: Unit
    valid_days: int
    price: int
    currency: str
    priority: int
    quota: int
    all_or_nothing: bool
    stock: int | None
    sold: int | None
    withdrawn: bool

    @classmethod
    def of(cls, plan: Plan) -> PlanView:
        return cls(
            name=plan.id,
            operator=plan.operator,
            octets=plan.octets if plan.unit == "octets" else 0,
            size=plan.octets,
            unit=plan.unit,
            valid_days=plan.valid_days,
            price=plan.price,
            currency=plan.currency,
            priority=plan.priority,
            quota=plan.quota_octets,
            all_or_nothing=plan.all_or_nothing,
            stock=plan.stock,
            sold=plan.sold if plan.stock is not None else None,
            withdrawn=plan.withdrawn,
        )


class WalletView(BaseModel):
    currency: str
    balance: int

    @classmethod
    def of(cls, wallet: Account) -> WalletView:
        return cls(currency=wallet.unit, balance=wallet.balance)


class BucketView(BaseModel):
    bucket: str
    plan: str
    unit: str
    size: int
    available: int
    reserved: int
    priority: int
    opened_at: str
    expires_at: str | None

    @classmethod
    def of(cls, bucket: Account) -> BucketView:
        return cls(
            bucket=bucket.id,
            plan=bucket.plan,
            unit=bucket.unit,
            size=bucket.size,
            available=bucket.available,
            reserved=bucket.reserved,
            priority=bucket.priority,
            opened_at=format_instant(bucket.opened_at),
            expires_at=format_instant(bucket.expires_at) if bucket.expires_at is not None else None,
        )


class BalanceView(BaseModel):
    """Octets, exactly; buckets in order of use, those of other units last; money in minor units."""

    subscriber: str
    available: int
    reserved: int
    used: int
    debt: int
    buckets: list[BucketView]
    wallets: list[WalletView]

    @classmethod
    def of(cls, subscriber: str, balance: Balance) -> BalanceView:
        return cls(
            subscriber=subscriber,
            available=balance.available,
            reserved=balance.reserved,
            used=balance.used,
            debt=balance.debt,
            buckets=[BucketView.of(bucket) for bucket in balance.buckets],
            wallets=[WalletView.of(wallet) for wallet in balance.wallets],
        )


class SpanView(BaseModel):
    """Octets whose use was booked in the hour or day that begins at ``at`` (UTC)."""

    at: str
    octets: int


class UsageView(BaseModel):
    """The last hours and days up to now, the oldest first. What was lent to others is in it."""

    subscriber: str
    hours: list[SpanView]
    days: list[SpanView]


class PlanList(Listed):
    plans: list[PlanView]
