"""Disputes: three counts of one trade held against each other, the base station's, the terminal's and the ledger's.

The ledger posts what the base station reports within what it was granted; what it reports beyond that is its own debt,
and a dispute. The demander's terminal counts what reached it: a little less than was forwarded is the nature of a
network, up to the tolerance; more than that, or more than was forwarded, is a dispute. What it sent is another matter:
some of it is lost on the way, or meets a gate that is shut because the supplier took its consent back, and was never
forwarded; only that more was forwarded than was sent can't be. Supplier, demander and base station each have a copy
of it, so all see the same.
Source: docs/decisions/0018; measured with GRO off, at most 0.07 % of what is forwarded is not delivered.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from qanat.exchange.trades import State, Trade
from qanat.ids import Owner
from qanat.ledger.transit import Parcel, send
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import base_station_owner, subscriber_owner
from qanat.units import Instant, Octets, format_instant

LOST_PER_MILLION: Final = 700
SLACK: Final = Octets(65_536)
"""One super-packet: what GRO may hold together at the moment of a count."""
_NEVER: Final = Instant(2**62)

About = Literal["over-reported", "counts differ"]


class Dispute(Record, frozen=True, kw_only=True):
    """One copy of three."""

    trade: str
    about: About
    supplier: str
    demander: str
    base_station: str
    ledger: Octets
    """Posted against the supplier."""
    by_base_station: Octets
    by_terminal: Octets | None = None
    opened_at: Instant
    settled_at: Instant | None = None
    note: str = ""

    @property
    def concerned(self) -> tuple[Owner, Owner, Owner]:
        """Owners who have a copy, and whose operators see it."""
        return subscriber_owner(self.supplier), subscriber_owner(self.demander), base_station_owner(self.base_station)

    @property
    def label(self) -> str:
        return f"{'open' if self.settled_at is None else 'settled'}/{self.trade}/{self.about}"


class Ways(NamedTuple):
    """Octets both ways, seen from the terminal."""

    up: Octets
    down: Octets


def tolerated(*, forwarded: Ways, seen: Ways) -> bool:
    """Tell whether the terminal's count fits the base station's."""
    missing = max(0, forwarded.up - seen.up) + max(0, forwarded.down - seen.down)
    most = SLACK + (forwarded.up + forwarded.down) * LOST_PER_MILLION // 1_000_000
    return missing <= most and seen.down - forwarded.down <= SLACK


def terminal_counted(work: Work, trade: Trade, *, up: Octets, down: Octets) -> Trade:
    """Take the terminal's count; counts only grow, so repeating is safe."""
    sent = max(trade.sent_by_terminal, up)
    received = max((trade.seen_by_terminal or 0) - trade.sent_by_terminal, down)
    trade = replace(trade, seen_by_terminal=Octets(sent + received), sent_by_terminal=Octets(sent))
    work.put(trade)
    work.act = "terminal's count taken"
    return trade


def agrees(trade: Trade) -> bool | None:
    """Tell whether terminal and base station agree; None while one of them has not reported the end."""
    if trade.seen_by_terminal is None or trade.state is not State.ENDED:
        return None
    forwarded = Ways(trade.up, Octets(trade.counted + trade.excess - trade.up))
    seen = Ways(trade.sent_by_terminal, Octets(trade.seen_by_terminal - trade.sent_by_terminal))
    return tolerated(forwarded=forwarded, seen=seen)


def reconcile(work: Work, trade: Trade) -> None:
    """Open a dispute where the three counts don't fit, and bring an open one up to date. Repeating changes nothing."""
    if trade.excess:
        _open(work, trade, "over-reported")
    if agrees(trade) is False or work.get(Dispute, trade.owner, _id(trade, "counts differ")) is not None:
        _open(work, trade, "counts differ")


def settle_dispute(work: Work, dispute: Dispute, *, note: str) -> Dispute | Refused:
    """Note how a dispute was settled, on all three copies, once: the note is what everybody concerned has seen."""
    if dispute.settled_at is not None:
        facts: dict[str, int | str] = {"trade": dispute.trade, "at": format_instant(dispute.settled_at)}
        return Refused(Refusal.DISPUTE_SETTLED, facts)
    settled = replace(dispute, settled_at=work.now, note=note)
    work.act = "dispute settled"
    _keep(work, settled, sender=dispute.owner)
    return settled


def receive_copy(work: Work, parcel: Parcel) -> None:
    """Take a copy that another page sent; a settled one stays settled, and of two that crossed the earlier stands."""
    facts = parcel.facts
    held = work.get(Dispute, parcel.target, str(facts["id"]))
    by_terminal = int(facts["by_terminal"])
    copy = Dispute(
        owner=parcel.target,
        id=str(facts["id"]),
        trade=str(facts["trade"]),
        about="over-reported" if facts["about"] == "over-reported" else "counts differ",
        supplier=str(facts["supplier"]),
        demander=str(facts["demander"]),
        base_station=str(facts["base_station"]),
        ledger=Octets(int(facts["ledger"])),
        by_base_station=Octets(int(facts["by_base_station"])),
        by_terminal=None if by_terminal < 0 else Octets(by_terminal),
        opened_at=Instant(int(facts["opened_at"])),
        settled_at=Instant(int(facts["settled_at"])) or None,
        note=str(facts["note"]),
    )
    if held is None or _settled(copy) <= _settled(held):
        work.put(copy)


def _settled(dispute: Dispute) -> tuple[int, str]:
    return dispute.settled_at or _NEVER, dispute.note


def _id(trade: Trade, about: About) -> str:
    return f"{trade.id}:{about}"


def _open(work: Work, trade: Trade, about: About) -> None:
    id = _id(trade, about)
    held = work.get(Dispute, trade.owner, id)
    dispute = Dispute(
        owner=trade.owner,
        id=id,
        trade=trade.id,
        about=about,
        supplier=trade.supplier,
        demander=trade.demander,
        base_station=trade.base_station,
        ledger=trade.counted,
        by_base_station=Octets(trade.counted + trade.excess),
        by_terminal=trade.seen_by_terminal,
        opened_at=held.opened_at if held else work.now,
    )
    if held is None or (held.settled_at is None and held != dispute):
        _keep(work, dispute, sender=trade.owner)


def _keep(work: Work, dispute: Dispute, *, sender: Owner) -> None:
    """Keep the sender's copy and send the others theirs."""
    for owner in dispute.concerned:
        if owner == sender:
            work.put(replace(dispute, owner=owner))
        else:
            send(work, Parcel(sender=sender, target=owner, act="dispute", facts=_facts(dispute)))


def _facts(dispute: Dispute) -> dict[str, int | str]:
    return {
        "id": dispute.id,
        "trade": dispute.trade,
        "about": dispute.about,
        "supplier": dispute.supplier,
        "demander": dispute.demander,
        "base_station": dispute.base_station,
        "ledger": dispute.ledger,
        "by_base_station": dispute.by_base_station,
        "by_terminal": -1 if dispute.by_terminal is None else dispute.by_terminal,
        "opened_at": dispute.opened_at,
        "settled_at": dispute.settled_at or 0,
        "note": dispute.note,
    }
