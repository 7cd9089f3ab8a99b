"""What a subscriber has obtained: read from the obligations that its trades left behind, on the pages of its pairs."""

from __future__ import annotations

from msgspec.structs import replace

from qanat.exchange.obligations import Obligation, pair_owner, partners
from qanat.exchange.trades import KEPT
from qanat.ledger.work import Record, Work
from qanat.registry.names import subscriber_owner
from qanat.units import Instant, Octets, later


class TradeShare(Record, frozen=True, kw_only=True):
    """What a trade brought. Versions before kept it on the demander's page."""

    supplier: str
    base_station: str
    octets: Octets
    unit: str
    amount: int
    opened_at: Instant
    booked_at: Instant


def obtained(work: Work, subscriber: str) -> list[TradeShare]:
    """Return what the trades of the last month brought a subscriber, the oldest first."""
    shares = {share.id: share for share in work.all(TradeShare, subscriber_owner(subscriber))}
    for one in _booked(work, subscriber):
        held = shares.get(one.trade)
        shares[one.trade] = _share(one) if held is None else _with(held, one)
    return sorted(shares.values(), key=lambda share: (share.opened_at, share.id))


def _booked(work: Work, subscriber: str) -> list[Obligation]:
    """Return the bookings in which somebody obtained something, lately, in their order."""
    pages = [pair_owner(subscriber, other) for other in partners(work, subscriber)]
    work.need(pages)
    found = [
        one
        for page in pages
        for one in work.all(Obligation, page)
        if one.debtor == subscriber and one.octets and later(one.booked_at, KEPT) > work.now
    ]
    return sorted(found, key=lambda one: one.booked_at)


def _share(one: Obligation) -> TradeShare:
    return TradeShare(
        owner=subscriber_owner(one.debtor),
        id=one.trade,
        supplier=one.creditor,
        base_station=one.base_station,
        octets=one.octets,
        unit=one.unit,
        amount=one.amount,
        opened_at=one.opened_at,
        booked_at=one.booked_at,
    )


def _with(share: TradeShare, one: Obligation) -> TradeShare:
    """Add a further booking of the same trade."""
    octets = Octets(share.octets + one.octets)
    return replace(share, octets=octets, amount=share.amount + one.amount, booked_at=one.booked_at)
