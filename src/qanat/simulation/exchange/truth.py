"""The auditor of a simulated exchange: follows the octets that pass each gate, and believes nobody's sums.

In the kernels it counts what passes under which trade, and that nobody passes more than was granted, nor after the last
grant could have lasted. At the end the books must hold exactly that: posted against the supplier, booked to the demander.
Only a power cut may leave more in the books than passed: what was granted at that moment and had not passed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from qanat.charging.session import Session
from qanat.charging.session import State as SessionState
from qanat.exchange.disputes import Dispute, agrees
from qanat.exchange.obligations import PairAccounts
from qanat.exchange.orders import SupplyOrder
from qanat.exchange.trades import Event, Trade
from qanat.ids import Owner
from qanat.ledger.book import Account
from qanat.ledger.transit import parcels_of
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Discrepancy
from qanat.store.desk import Desk
from qanat.wire.agent import InterrogationAnswer


class ExchangeTruth:
    def __init__(self, tally: Tally) -> None:
        self.passed: Counter[str] = Counter()
        self.up: Counter[str] = Counter()
        self._tally = tally
        self._granted: dict[str, dict[str, int]] = defaultdict(dict)
        self._may_be_over: Counter[str] = Counter()

    # In the kernels

    def passes(self, trade: str, octets: int, *, up: bool) -> None:
        self.passed[trade] += octets
        self.up[trade] += octets * up
        self._tally.count("octets", octets)
        over = self.passed[trade] - self.granted(trade)
        if over > 0:
            raise Discrepancy(f"{over} octets passed that nobody granted", terminal=trade)

    def cut(self, trade: str) -> None:
        """The counters of this trade were lost."""
        self._may_be_over[trade] += self.granted(trade) - self.passed[trade]

    # On the way from the server

    def said(self, answer: InterrogationAnswer) -> None:
        for grant in answer.quotas:
            before = self._granted[answer.session].setdefault(grant.quota, grant.octets)
            if before != grant.octets:
                raise Discrepancy(f"quota {grant.quota} was granted twice, differently", terminal=answer.session)

    def granted(self, trade: str) -> int:
        return sum(self._granted[trade].values())

    # At the end

    def check(self, desk: Desk) -> None:
        trades = {trade.id: trade for owner in desk.owners() for trade in desk.all(Trade, owner)}
        for id in self.passed.keys() - trades.keys():
            raise Discrepancy(f"{self.passed[id]} octets passed in a trade that nobody knows", terminal=id)
        for trade in trades.values():
            self._check_trade(trade)
        for owner in desk.owners():
            self._check_page(desk, owner)
        accounts = [account for owner in desk.owners() for account in desk.all(Account, owner)]
        pairs = [pair for owner in desk.owners() for pair in desk.all(PairAccounts, owner)]
        self._check_both_sides(pairs, trades.values())
        on_its_way = sum(account.balance for account in accounts if account.role == "transit")
        if on_its_way:
            raise Discrepancy(f"{on_its_way} are in transit, and nothing is in the post")
        verdict = desk.audit()
        if not verdict.balanced:
            raise Discrepancy(f"the audit found: {verdict.problems[0]}")

    def _check_trade(self, trade: Trade) -> None:
        over = trade.counted - self.passed[trade.id]
        if not 0 <= over <= self._may_be_over[trade.id] or trade.excess:
            raise Discrepancy(
                f"{self.passed[trade.id]} octets passed, {trade.counted} and {trade.excess} in excess are in the books"
                f" where {self._may_be_over[trade.id]} may be too many",
                terminal=trade.id,
            )
        # Where nothing was heard at the end, what was promised may still be reported for 30 days.
        is_owed = bool(trade.promised) and trade.cause != Event.EXPIRED
        if trade.running or is_owed or trade.booked != trade.counted:
            raise Discrepancy(f"not settled after every deadline: {trade}", terminal=trade.id)
        if agrees(trade) is False and not self._may_be_over[trade.id]:
            raise Discrepancy(f"terminal and base station count differently: {trade}", terminal=trade.id)
        self._tally.count("octets over-recorded by cuts", over)

    def _check_page(self, desk: Desk, owner: Owner) -> None:
        for order in desk.all(SupplyOrder, owner):
            own = [one for one in desk.all(Trade, owner) if one.order == order.id]
            given, promised = sum(one.counted for one in own), sum(one.outstanding for one in own)
            if (order.given, order.promised) != (given, promised):
                raise Discrepancy(f"order {order.id} says {order.given} given and {order.promised} promised: {own}")
            if given + promised > order.total:
                raise Discrepancy(f"order {order.id} is for {order.total}: {given} given and {promised} promised")
        for account in desk.all(Account, owner):
            if account.reserved:
                raise Discrepancy(f"{account.label} has {account.reserved} reserved after every deadline")
        open_sessions = [one.id for one in desk.all(Session, owner) if one.state is SessionState.OPEN]
        parcels = desk.decide(lambda work: parcels_of(work, owner))
        if open_sessions or parcels:
            raise Discrepancy(f"{owner}: still open {open_sessions}, still in the post {parcels}")
        disputed = {one.trade for one in desk.all(Dispute, owner)}
        if any(not self._may_be_over[trade] for trade in disputed):
            raise Discrepancy(f"{owner}: disputes about {disputed} in a world of honest meters")

    def _check_both_sides(self, pairs: list[PairAccounts], trades: Iterable[Trade]) -> None:
        given: Counter[str] = Counter()
        obtained: Counter[str] = Counter()
        for trade in trades:
            given[trade.supplier] += trade.counted
            obtained[trade.demander] += trade.counted
        booked: Counter[str] = Counter()
        for pair in pairs:
            booked.update({balance.id: balance.amount for balance in pair.balances})
        for sums, role, sign in ((given, "given", -1), (obtained, "obtained", 1)):
            for name, octets in sums.items():
                if sign * booked[f"{role}/{name}"] != octets:
                    held = booked[f"{role}/{name}"]
                    raise Discrepancy(f"{name} has {role} {octets}, and the books say {held}", terminal=name)
