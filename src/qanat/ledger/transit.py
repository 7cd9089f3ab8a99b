"""Transit: how value and news go from one page to another that may live in another shard, exactly once.

The first half is committed with a *parcel* in the sender's outbox; what it carries stands on the sender's transit account.
The second half is committed with a *receipt* on the receiver's page, and takes it from the receiver's transit account.
A sender numbers its parcels, and parcels for one page arrive in that order, so one receipt, the last number, says for all
that came from a sender that they are here: what comes again changes nothing. So both halves stay in one shard each, may be a
crash apart, and all transit accounts together hold exactly what is under way: nothing, when no parcel is.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.book import Account, transfer
from qanat.ledger.work import Record, Work
from qanat.units import DAY, Instant, Millis, later

_RECEIPT_KEPT: Final = Millis(30 * DAY)
_OUTBOX: Final = "outbox"


class Parcel(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One thing that must happen on another page."""

    sender: Owner
    target: Owner
    act: str
    """What the receiver does with it; the table of acts is the sending room's."""
    unit: str = ""
    amount: int = 0
    """What it carries through transit, if anything."""
    facts: dict[str, int | str] = {}
    seq: int = 0
    """Its number among all that its sender ever sent, from 1."""


class Outbox(Record, frozen=True, kw_only=True):
    """What a page has sent. Due while something may not have arrived, so that whoever delivers finds it."""

    sent: int = 0
    parcels: tuple[Parcel, ...] = ()
    """Those that may not have arrived yet, in the order in which they were sent."""


class Receipt(Record, frozen=True, kw_only=True):
    """Named after the sender: what it sent here up to this number has arrived."""

    seq: int = 0
    at: Instant
    """When the last one arrived."""


def send(work: Work, *parcels: Parcel, source: Account | None = None) -> None:
    """Put parcels of one page in the post; what they carry comes from ``source``."""
    owner = parcels[0].sender
    outbox = _outbox(work, owner)
    numbered = tuple(replace(parcel, seq=seq) for seq, parcel in enumerate(parcels, outbox.sent + 1))
    sent, waiting = outbox.sent + len(parcels), outbox.parcels + numbered
    work.put(replace(outbox, sent=sent, parcels=waiting, due=outbox.due or work.now))
    if source is not None:
        carried = sum(parcel.amount for parcel in parcels if parcel.unit == source.unit)
        transfer(work, source, _transit(work, owner, source.unit), carried)


def parcels_of(work: Work, owner: Owner) -> tuple[Parcel, ...]:
    """Return what a page has in the post, in the order in which it was sent."""
    outbox = work.get(Outbox, owner, _OUTBOX)
    return () if outbox is None else outbox.parcels


def arrives(work: Work, parcel: Parcel) -> bool:
    """Note that a parcel is here; False if it was here before and nothing more may be done.

    Whatever its sender put in the post for this page before it must have been here: ``parcels_of`` has that order.
    """
    held = work.get(Receipt, parcel.target, parcel.sender)
    if held is None:
        due = later(work.now, _RECEIPT_KEPT)
        held = Receipt(owner=parcel.target, id=parcel.sender, at=work.now, due=due)
    if parcel.seq <= held.seq:
        return False
    work.put(replace(held, seq=parcel.seq, at=work.now))
    return True


def unpack(work: Work, parcel: Parcel, into: Account) -> None:
    """Take what an arrived parcel carries out of transit."""
    transfer(work, _transit(work, parcel.target, parcel.unit), into, parcel.amount)


def delivered(work: Work, owner: Owner, *, up_to: int) -> None:
    """Take parcels that have arrived out of the post, those up to this number. Repeating is safe."""
    outbox = _outbox(work, owner)
    left = tuple(parcel for parcel in outbox.parcels if parcel.seq > up_to)
    if left != outbox.parcels:
        work.put(replace(outbox, parcels=left, due=outbox.due if left else None))
        work.act = "delivered"


def forget(work: Work, receipt: Receipt) -> None:
    """Forget a receipt when nothing came from its sender for long and nothing is on its way; until then keep it."""
    under_way = any(parcel.target == receipt.owner for parcel in parcels_of(work, Owner(receipt.id)))
    kept_until = later(work.now if under_way else receipt.at, _RECEIPT_KEPT)
    if kept_until > work.now:
        work.put(replace(receipt, due=kept_until))
    else:
        work.drop(receipt)


def _outbox(work: Work, owner: Owner) -> Outbox:
    return work.get(Outbox, owner, _OUTBOX) or Outbox(owner=owner, id=_OUTBOX)


def _transit(work: Work, owner: Owner, unit: str) -> Account:
    id = f"transit-{unit}"
    return work.get(Account, owner, id) or Account(owner=owner, id=id, role="transit", unit=unit)
