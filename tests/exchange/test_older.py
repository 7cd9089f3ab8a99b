"""What versions before wrote is read: offsets, positions and shares of their own, two parcels a booking."""

from __future__ import annotations

from functools import partial

from tests.exchange.world import World, online

from qanat.exchange.booking import receive
from qanat.exchange.obligations import EXCHANGED, Obligation, Offset, PairLink, net_owed, pair_owner, statement
from qanat.exchange.obtained import TradeShare, obtained
from qanat.ids import Owner
from qanat.ledger.book import Account, transfer
from qanat.ledger.transit import Parcel, delivered, parcels_of, send
from qanat.ledger.work import Work
from qanat.registry.names import subscriber_owner
from qanat.units import Instant, Octets

ALICE, BOB = subscriber_owner("alice"), subscriber_owner("bob")
PAIR = pair_owner("alice", "bob")


def position(owner: Owner, name: str) -> Account:
    return Account(owner=owner, id=f"octets/{name}", role="position", unit="owed-octets")


def owed_before(work: Work) -> None:
    """Bob owes alice 70 of 100; 30 were offset against what she had owed him."""
    transfer(work, position(PAIR, "bob"), position(PAIR, "alice"), 70)
    debt = Obligation(
        owner=PAIR, id="old:1", debtor="bob", creditor="alice", unit="octets", amount=100, left=70, since=Instant(5)
    )
    paid = Obligation(
        owner=PAIR, id="older:1", debtor="alice", creditor="bob", unit="octets", amount=30, left=0, since=Instant(4)
    )
    offset = Offset(
        owner=PAIR, id="o", obligation="old:1", paid_with="older:1", unit="octets", amount=30, at=Instant(5)
    )
    share = TradeShare(
        owner=BOB,
        id="old",
        supplier="alice",
        base_station="bst-carol",
        octets=Octets(100),
        unit="octets",
        amount=100,
        opened_at=Instant(3),
        booked_at=Instant(5),
    )
    for record in (debt, paid, offset, share, PairLink(owner=BOB, id="alice"), PairLink(owner=ALICE, id="bob")):
        work.put(record)


def test_what_was_owed_before_is_on_the_statement_and_offset_by_a_trade_of_today(world: World) -> None:
    world.decide(owed_before)
    assert world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="octets")) == 70
    assert world.desk.audit().problems == []
    world.buy("bob", 5_000)
    world.offer("bob")
    gateway = online(world, "alice", to="bob")
    gateway.pass_(50)
    gateway.finish()
    world.deliver()
    assert world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="octets")) == 20
    assert world.desk.all(Account, PAIR) == [], "positions are the pair's accounts now"
    (told,) = world.decide(partial(statement, subscriber="bob"))
    assert told.net == {"octets": -20}
    assert [(one.paid_with, one.amount) for one in told.offsets] == [("older:1", 30), ("old:1", 50)]
    assert world.desk.audit().problems == []


def test_a_booking_that_was_half_done_before_is_done(world: World) -> None:
    trade = {"trade": "old", "supplier": "alice", "demand": "", "base_station": "bst-carol", "unit": "octets"}
    booked = Parcel(
        sender=ALICE,
        target=BOB,
        act="obtained",
        unit=EXCHANGED,
        amount=9,
        facts={**trade, "amount": 9, "opened_at": 3},
    )
    facts: dict[str, int | str] = {
        "id": "old:1",
        "demander": "bob",
        "supplier": "alice",
        "unit": "octets",
        "amount": 9,
        "ended_at": 5,
    }
    owed = Parcel(sender=ALICE, target=PAIR, act="owed", facts=facts)
    given = Account(owner=ALICE, id="given", role="given", unit=EXCHANGED)
    world.decide(lambda work: send(work, booked, owed, source=given))
    for parcel in world.decide(partial(parcels_of, owner=ALICE)):
        world.decide(partial(receive, parcels=[parcel]))
        world.decide(partial(delivered, owner=ALICE, up_to=parcel.seq))
    assert [(share.id, share.octets) for share in world.decide(partial(obtained, subscriber="bob"))] == [("old", 9)]
    assert world.decide(partial(net_owed, debtor="bob", creditor="alice", unit="octets")) == 9
    assert world.desk.audit().totals["exchanged-octets transit"] == 0
