"""Transit: how value and news go from one page to another that may live in another shard, exactly once.

The first half is committed with a *parcel* on the sender's page; what it carries stands on the sender's transit account.
The second half is committed with a *receipt* on the receiver's page, and takes it from the receiver's transit account.
A parcel that has a receipt changes nothing when it comes again. So both halves stay in one shard each, may be a crash
apart, and all transit accounts together hold exactly what is under way: nothing, when no parcel is.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.book import Account, transfer
from qanat.ledger.work import Record, Work
from qanat.units import DAY, Millis, later

_RECEIPT_KEPT: Final = Millis(30 * DAY)


class Parcel(Record, frozen=True, kw_only=True):
    """One thing that must happen on another page. Due at once, so that whoever delivers finds it."""

    target: Owner
    act: str
    """What the receiver does with it; the table of acts is the sending room's."""
    unit: str = ""
    amount: int = 0
    """What it carries through transit, if anything."""
    facts: dict[str, int | str] = {}

    @property
    def receipt(self) -> str:
        return f"{self.owner}|{self.id}"


class Receipt(Record, frozen=True, kw_only=True):
    """The parcel of this name has arrived here."""

    sender: Owner
    parcel: str


def send(work: Work, parcel: Parcel, *, source: Account | None = None) -> None:
    """Put a parcel in the post; what it carries comes from ``source``."""
    if source is not None:
        assert source.unit == parcel.unit, (
            f"parcel {parcel.id} carries {parcel.unit}, {source.label} holds {source.unit}"
        )
        transfer(work, source, _transit(work, parcel.owner, parcel.unit), parcel.amount)
    work.put(replace(parcel, due=work.now))


def arrives(work: Work, parcel: Parcel) -> bool:
    """Note that a parcel is here; False if it was here before and nothing more may be done."""
    if work.get(Receipt, parcel.target, parcel.receipt) is not None:
        return False
    work.put(
        Receipt(
            owner=parcel.target,
            id=parcel.receipt,
            sender=parcel.owner,
            parcel=parcel.id,
            due=later(work.now, _RECEIPT_KEPT),
        )
    )
    return True


def unpack(work: Work, parcel: Parcel, into: Account) -> None:
    """Take what an arrived parcel carries out of transit."""
    transfer(work, _transit(work, parcel.target, parcel.unit), into, parcel.amount)


def parcels_of(work: Work, owner: Owner) -> list[Parcel]:
    return sorted(work.all(Parcel, owner), key=lambda parcel: parcel.id)


def delivered(work: Work, parcel: Parcel) -> None:
    """Take a parcel that has arrived out of the post. Repeating is safe."""
    work.drop(parcel)
    work.act = "delivered"


def forget(work: Work, receipt: Receipt) -> None:
    """Forget an old receipt once its parcel can't come again; until then keep it."""
    if work.get(Parcel, receipt.sender, receipt.parcel) is None:
        work.drop(receipt)
    else:
        work.put(replace(receipt, due=later(work.now, _RECEIPT_KEPT)))


def _transit(work: Work, owner: Owner, unit: str) -> Account:
    id = f"transit-{unit}"
    return work.get(Account, owner, id) or Account(owner=owner, id=id, role="transit", unit=unit)
