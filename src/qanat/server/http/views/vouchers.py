"""Vouchers, and what one was good for."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from qanat.registry.vouchers import Redeemed, Voucher, VoucherBatch
from qanat.server.http.views.common import Listed
from qanat.units import Instant, format_instant


class VoucherBatchView(BaseModel):
    """A batch of vouchers. ``codes`` are shown when it is made and never again."""

    batch: str
    operator: str
    state: str
    count: int
    redeemed: int
    octets: int
    valid_days: int
    amount: int
    currency: str
    created_at: str
    expires_at: str
    codes: list[str] = []

    @classmethod
    def of(cls, batch: VoucherBatch, *, now: Instant, codes: Sequence[str] = ()) -> VoucherBatchView:
        ended = "withdrawn" if batch.withdrawn_at is not None else "expired"
        return cls(
            batch=batch.id,
            operator=batch.operator,
            state="good" if now < batch.ended_at else ended,
            count=batch.count,
            redeemed=batch.redeemed,
            octets=batch.octets,
            valid_days=batch.valid_days,
            amount=batch.amount,
            currency=batch.currency,
            created_at=format_instant(batch.created_at),
            expires_at=format_instant(batch.expires_at),
            codes=list(codes),
        )


class VoucherBatchList(Listed):
    batches: list[VoucherBatchView]


class VoucherView(BaseModel):
    number: int
    redeemed_by: str
    redeemed_at: str | None

    @classmethod
    def of(cls, voucher: Voucher) -> VoucherView:
        at = voucher.redeemed_at
        return cls(
            number=voucher.number,
            redeemed_by=voucher.redeemed_by,
            redeemed_at=None if at is None else format_instant(at),
        )


class VoucherList(Listed):
    vouchers: list[VoucherView]


class RedeemedView(BaseModel):
    """What a voucher brought: ``octets`` in a bucket, or ``amount`` into the wallet."""

    batch: str
    number: int
    bucket: str
    octets: int
    expires_at: str | None
    amount: int
    currency: str

    @classmethod
    def of(cls, redeemed: Redeemed) -> RedeemedView:
        batch, account = redeemed.batch, redeemed.account
        return cls(
            batch=batch.id,
            number=redeemed.voucher.number,
            bucket=account.id if batch.octets else "",
            octets=batch.octets,
            expires_at=format_instant(account.expires_at) if account.expires_at is not None else None,
            amount=batch.amount,
            currency=batch.currency,
        )
