"""Orders, admissions, reports, stops, crashes and offsets in any order: what must hold holds after every step."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, permutations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.exchange.world import PRICE, Gateway, World

from qanat.exchange.booking import receive
from qanat.exchange.obligations import Obligation, pair_owner
from qanat.exchange.orders import DemandOrder, SupplyOrder, open_demand, passcode_page
from qanat.exchange.prices import Price
from qanat.exchange.trades import Trade
from qanat.ids import Owner
from qanat.ledger.transit import Parcel, delivered, parcels_of
from qanat.registry.names import subscriber_owner
from qanat.server import sweeping
from qanat.units import MINUTE, Octets
from qanat.wire.agent import UsageRow
from qanat.wire.base_station import Admission, Admitted, Wish

PEOPLE = ("alice", "anna", "bob")
people = st.sampled_from(PEOPLE)
amounts = st.integers(1, 1_500)


def _wanted(world: World) -> DemandOrder:
    return DemandOrder(
        owner=subscriber_owner("bob"),
        id="dem-bob",
        total=Octets(1_200),
        most=PRICE,
        passcode_page=passcode_page("PASS-CODE"),
        opened_at=world.clock.now(),
    )


class Exchange(RuleBasedStateMachine):
    one_commit = True

    @initialize()
    def begin(self) -> None:
        self.world = World(one_commit=self.one_commit)
        self.gateways: list[Gateway] = []
        self.orders: list[SupplyOrder] = []
        self.rows: list[tuple[Gateway, UsageRow]] = []
        self.bought = dict.fromkeys(PEOPLE, 0)
        for name in PEOPLE:
            self.buys(name, 2_000)
            self.offers(name, 2_000, Price())
        self.world.decide(partial(open_demand, order=_wanted(self.world)))

    @rule(name=people, octets=amounts)
    def buys(self, name: str, octets: int) -> None:
        self.world.buy(name, octets)
        self.bought[name] += octets

    @rule(name=people, octets=amounts, price=st.sampled_from([Price(), PRICE]))
    def offers(self, name: str, octets: int, price: Price) -> None:
        self.orders.append(self.world.offer(name, octets, price=price))

    @rule(which=st.integers(0))
    def stops(self, which: int) -> None:
        self.world.stop(self.orders[which % len(self.orders)])

    @rule(demander=people, supplier=people, at=st.sampled_from(["bst-carol", "bst-carl"]))
    def comes(self, demander: str, supplier: str, at: str) -> None:
        admitted = self.world.admit(demander, to=supplier, at=at, most_per_gb=PRICE.per_gb)
        if isinstance(admitted, Admitted):
            self.gateways.append(Gateway(self.world, admitted, station=at))

    @rule(supplier=people, at=st.sampled_from(["bst-carol", "bst-carl"]), after_silence=st.booleans())
    def comes_with_a_passcode(self, supplier: str, at: str, *, after_silence: bool) -> None:
        """Bob's; maybe only when a trade of his has ended by silence."""
        for minutes in (25, 35) if after_silence else ():
            self.waits(minutes)
        asked = Admission(passcode="PASS-CODE", wish=Wish(supplier=self.world.code(supplier)))
        admitted = self.world.ask(asked, at=at)
        if isinstance(admitted, Admitted):
            self.gateways.append(Gateway(self.world, admitted, station=at))

    @precondition(lambda self: self.gateways)
    @rule(which=st.integers(0), octets=amounts)
    def passes(self, which: int, octets: int) -> None:
        """Octets pass; the row may be reported now, later, or again."""
        gateway = self.gateways[which % len(self.gateways)]
        for quota in gateway.held[:1]:
            part = min(octets, quota.octets - gateway.used.get(quota.quota, 0))
            self.rows.append((gateway, gateway.row(quota.quota, part)))

    @precondition(lambda self: self.rows)
    @rule(which=st.integers(0))
    def reports(self, which: int) -> None:
        gateway, row = self.rows[which % len(self.rows)]
        gateway.send(row)

    @precondition(lambda self: self.gateways)
    @rule(which=st.integers(0), octets=amounts)
    def lies(self, which: int, octets: int) -> None:
        gateway = self.gateways[which % len(self.gateways)]
        for quota in gateway.held[:1]:
            gateway.send(gateway.row(quota.quota, octets))

    @precondition(lambda self: self.gateways)
    @rule(which=st.integers(0), back=st.booleans())
    def asks(self, which: int, back: bool) -> None:
        gateway = self.gateways[which % len(self.gateways)]
        gateway.say("intermediate", returns=tuple(quota.quota for quota in gateway.held[:1]) if back else ())

    @precondition(lambda self: self.gateways)
    @rule(which=st.integers(0))
    def leaves(self, which: int) -> None:
        gateway = self.gateways.pop(which % len(self.gateways))
        for reporter, row in self.rows:
            if reporter is gateway:
                gateway.send(row)
        gateway.finish()

    @rule(demander=people, supplier=people, octets=st.integers(1, 300))
    def trades(self, demander: str, supplier: str, octets: int) -> None:
        """A whole trade as it should be, so that obligations grow in both directions."""
        admitted = self.world.admit(demander, to=supplier)
        if isinstance(admitted, Admitted):
            gateway = Gateway(self.world, admitted)
            gateway.pass_(min(octets, gateway.room()))
            gateway.finish()
            self.world.deliver()
            self.world.clock.advance(1)

    @precondition(lambda self: self.rows)
    @rule()
    def loses_the_server_for_an_hour(self) -> None:
        """Trades end by silence; what passed is reported late."""
        for minutes in (25, 35):
            self.waits(minutes)
        for gateway, row in self.rows:
            gateway.send(row)

    @rule(minutes=st.integers(1, 25))
    def waits(self, minutes: int) -> None:
        self.world.clock.advance(minutes * MINUTE)
        for owner in self.world.desk.due_owners():
            self.world.decide(partial(sweeping.sweep, owner=owner))

    @rule(most=st.integers(1, 4))
    def delivers_some(self, most: int) -> None:
        parcels = [parcel for owner in self.world.desk.due_owners() for parcel in self._posted(owner)]
        for parcel in parcels[:most]:
            self.world.decide(partial(receive, parcels=[parcel]))
            self.world.decide(partial(delivered, owner=parcel.sender, up_to=parcel.seq))

    @rule()
    def delivers_all(self) -> None:
        self.world.deliver()

    @invariant()
    def the_books_add_up(self) -> None:
        assert self.world.desk.audit().problems == []

    @invariant()
    def nobody_is_drained_without_consent(self) -> None:
        for name in PEOPLE:
            owner = subscriber_owner(name)
            orders = self.world.desk.all(SupplyOrder, owner)
            assert all(order.given <= order.total for order in orders)
            taken = self.bought[name] - self.world.bucket_octets(name) - self.world.account(owner, "debt")
            assert taken == sum(order.given for order in orders)

    @invariant()
    def an_order_promises_no_more_than_it_holds(self) -> None:
        for name in PEOPLE:
            owner = subscriber_owner(name)
            trades = self.world.desk.all(Trade, owner)
            for order in self.world.desk.all(SupplyOrder, owner):
                own = [trade for trade in trades if trade.order == order.id]
                out = sum(trade.outstanding for trade in own)
                assert order.promised == out
                assert order.silent == sum(trade.outstanding for trade in own if not trade.running)
                assert order.given + out <= order.total

    @invariant()
    def a_demand_order_obtains_no_more_than_it_asks_for(self) -> None:
        trades = [trade for name in PEOPLE for trade in self._trades(name)]
        (order,) = self.world.desk.all(DemandOrder, subscriber_owner("bob"))
        assert order.obtained + sum(trade.outstanding for trade in trades if trade.demand) <= order.total

    @invariant()
    def the_oldest_obligation_is_paid_first(self) -> None:
        for one, other in permutations(PEOPLE, 2):
            found = self.world.desk.all(Obligation, pair_owner(one, other))
            for unit in {obligation.unit for obligation in found}:
                owed = [o for o in found if (o.debtor, o.creditor, o.unit) == (one, other, unit)]
                owed.sort(key=lambda obligation: (obligation.since, obligation.id))
                for older, newer in pairwise(owed):
                    assert older.left == 0 or newer.left == newer.amount or older.since == newer.since
                back = sum(o.left for o in found if (o.debtor, o.creditor, o.unit) == (other, one, unit))
                assert not (back and sum(o.left for o in owed)), "what can be offset is offset"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.deliver()
        given = sum(self.world.given(name) for name in PEOPLE)
        assert given == sum(self.world.obtained(name) for name in PEOPLE)
        assert given == sum(trade.booked for name in PEOPLE for trade in self._trades(name))
        assert self.world.desk.audit().totals.get("exchanged-octets transit", 0) == 0

    def _trades(self, name: str) -> list[Trade]:
        return self.world.desk.all(Trade, subscriber_owner(name))

    def _posted(self, owner: Owner) -> tuple[Parcel, ...]:
        return self.world.decide(partial(parcels_of, owner=owner))


class ByPost(Exchange):
    """On a database of several machines."""

    one_commit = False


for machine in (Exchange, ByPost):
    machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestExchange = Exchange.TestCase
TestExchangeByPost = ByPost.TestCase
