"""The server's own core in the place of the small operator: what a terminal says is decided as the server decides it."""

from __future__ import annotations

from functools import partial

from qanat.charging.quota import Policy
from qanat.charging.sweep import sweep
from qanat.clock import Clock
from qanat.refusals import Refused
from qanat.registry.names import terminal_owner
from qanat.registry.operators import create_operator
from qanat.registry.subscribers import create_subscriber
from qanat.registry.terminals import Terminal
from qanat.registry.wallets import balance_of, top_up
from qanat.server.http import translate
from qanat.server.http.problems import STATUS
from qanat.store.desk import Desk
from qanat.units import Instant, Octets
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport


class Core:
    """One subscriber with one terminal."""

    def __init__(self, clock: Clock, *, bought: int, quota_octets: int) -> None:
        self._desk = Desk(clock)
        self._policy = Policy(quota_octets=Octets(quota_octets), quota_octets_max=Octets(quota_octets))
        self._desk.decide(lambda work: create_operator(work, name="home"))
        made = self._desk.decide(lambda work: create_subscriber(work, name="alice", operator="home"))
        assert not isinstance(made, Refused)
        self._alice = made
        self._desk.decide(
            lambda work: top_up(work, self._alice, octets=Octets(bought), valid_days=365, bucket="bucket")
        )
        self._terminal = Terminal(
            owner=terminal_owner("trm-1"),
            id="trm-1",
            public_key="",
            hardware="",
            serial="",
            version="",
            operator="home",
            iccid="",
            imsi="",
            subscriber="alice",
            enrolled_at=clock.now(),
        )

    @property
    def used(self) -> int:
        return self._desk.decide(lambda work: balance_of(work, self._alice)).used

    def interrogate(self, asked: Interrogation, _: Instant) -> InterrogationAnswer | Problem:
        for owner in self._desk.due_owners():
            self._desk.decide(partial(sweep, owner=owner))
        said = self._desk.decide(lambda work: translate.interrogation(work, self._policy, self._terminal, asked))
        if isinstance(said, Refused):
            return Problem(status=STATUS[said.reason], reason=said.reason.value)
        return said

    def report(self, report: UsageReport) -> UsageConfirmation:
        said = self._desk.decide(lambda work: translate.usage(work, self._terminal, report))
        assert not isinstance(said, Refused)
        return said
