"""Parcels as versions before left them in the post: a database is taken over with whatever was on its way in it.

They had two for each booking: one let the demander obtain, out of transit and with a note of what the trade brought, and
one booked what is owed for it.
"""

from __future__ import annotations

from qanat.exchange.obligations import EXCHANGED, Obligation, link, owe
from qanat.exchange.obtained import TradeShare
from qanat.exchange.trades import KEPT, count_obtained
from qanat.ledger.book import Account
from qanat.ledger.transit import Parcel, unpack
from qanat.ledger.work import Work
from qanat.registry.names import name_of
from qanat.units import Instant, Octets, later


def obtained(work: Work, parcel: Parcel) -> None:
    facts, owner = parcel.facts, parcel.target
    held = work.get(Account, owner, "obtained") or Account(owner=owner, id="obtained", role="obtained", unit=EXCHANGED)
    unpack(work, parcel, held)
    if not parcel.amount:
        return
    count_obtained(work, owner, str(facts["demand"]), Octets(parcel.amount))
    link(work, name_of(owner), str(facts["supplier"]))
    known = work.get(TradeShare, owner, str(facts["trade"]))
    work.put(
        TradeShare(
            owner=owner,
            id=str(facts["trade"]),
            supplier=str(facts["supplier"]),
            base_station=str(facts["base_station"]),
            octets=Octets(parcel.amount + (known.octets if known else 0)),
            unit=str(facts["unit"]),
            amount=int(facts["amount"]) + (known.amount if known else 0),
            opened_at=Instant(int(facts["opened_at"])),
            booked_at=work.now,
            due=later(work.now, KEPT),
        )
    )


def owed(work: Work, parcel: Parcel) -> None:
    facts, amount = parcel.facts, int(parcel.facts["amount"])
    new = Obligation(
        owner=parcel.target,
        id=str(facts["id"]),
        debtor=str(facts["demander"]),
        creditor=str(facts["supplier"]),
        unit=str(facts["unit"]),
        amount=amount,
        left=amount,
        since=Instant(int(facts["ended_at"])),
    )
    if amount:
        owe(work, new)
