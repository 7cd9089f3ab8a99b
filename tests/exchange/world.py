"""Three operators, people, terminals with real keys and base stations, on a desk; everything through the server's glue."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qanat.charging.quota import Policy
from qanat.clock import ManualClock
from qanat.exchange import identity, recall
from qanat.exchange.booking import receive
from qanat.exchange.obligations import PairAccounts
from qanat.exchange.orders import SupplyOrder, find_supply, open_supply
from qanat.exchange.prices import Price
from qanat.exchange.trades import Trade, find_trade
from qanat.ids import Owner
from qanat.ledger.book import Account
from qanat.ledger.transit import delivered, parcels_of
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import BaseStation, enrol_base_station
from qanat.registry.codes import issue_code
from qanat.registry.names import base_station_owner, subscriber_owner, terminal_owner
from qanat.registry.operators import create_operator
from qanat.registry.sims import add_profiles, profile_range
from qanat.registry.subscribers import Subscriber, create_subscriber, find_subscriber
from qanat.registry.terminals import enrol
from qanat.registry.wallets import top_up
from qanat.server import sweeping
from qanat.server.http import translate_trades as translate
from qanat.store.desk import Desk
from qanat.units import HOUR, Instant, Octets
from qanat.wire import agent
from qanat.wire.base_station import (
    Admission,
    Admitted,
    BaseStationEnrolment,
    Presentation,
    SignedPresentation,
    Wish,
    sign_presentation,
)

T = TypeVar("T")
POLICY = Policy(quota_octets=Octets(1000), quota_octets_max=Octets(1000))
OPERATORS = {"alice": "north", "anna": "north", "bob": "south", "bella": "south", "carol": "west", "carl": "north"}
STATIONS = {"bst-carol": "carol", "bst-carl": "carl"}


def key_of(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public(name: str) -> str:
    return b64encode(key_of(name).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


class World:
    """Alice, anna, bob and bella each have a terminal ``trm-…``; carol and carl have base stations ``bst-…``."""

    def __init__(self, *, one_commit: bool = True) -> None:
        self.clock = ManualClock()
        self.desk = Desk(self.clock, one_commit=one_commit)
        self._orders = 0
        self._trades = 0
        for operator in sorted(set(OPERATORS.values())):
            self.done(partial(create_operator, name=operator))
            digits = f"00{ord(operator[0])}"
            profiles = profile_range(issuer=f"89{digits}", imsi_prefix=digits, first=1, count=5)
            self.done(partial(add_profiles, operator=operator, profiles=profiles))
        for name, operator in OPERATORS.items():
            self.done(partial(create_subscriber, name=name, operator=operator))
        for name in ("alice", "anna", "bob", "bella"):
            self.enrol_terminal(name)
        for station, name in STATIONS.items():
            self.enrol_station(station, name)

    # -- deciding

    def decide(self, decision: Callable[[Work], T]) -> T:
        return self.desk.decide(decision)

    def done(self, decision: Callable[[Work], T | Refused]) -> T:
        outcome = self.decide(decision)
        assert not isinstance(outcome, Refused), outcome
        return outcome

    def deliver(self) -> None:
        """Deliver every parcel, twice each: once is enough."""
        for owner in self.desk.due_owners():
            for parcel in self.decide(partial(parcels_of, owner=owner)):
                self.decide(partial(receive, parcels=[parcel]))
                self.decide(partial(receive, parcels=[parcel]))
                self.decide(partial(delivered, owner=owner, up_to=parcel.seq))

    def sweep(self) -> None:
        for owner in self.desk.due_owners():
            self.decide(partial(sweeping.sweep, owner=owner))
        self.deliver()

    # -- people and things

    def subscriber(self, name: str) -> Subscriber:
        found = self.decide(partial(find_subscriber, name=name))
        assert found is not None
        return found

    def enrol_terminal(self, name: str) -> None:
        code = f"code-{name}"
        self.decide(partial(issue_code, code=code, operator=OPERATORS[name], subscriber=name, valid=HOUR))
        asked = agent.Enrolment(code=code, public_key=public(name), hardware="lab", serial=name, version="1")
        self.done(partial(enrol, asked=asked, id=f"trm-{name}", binding_code="none"))

    def enrol_station(self, station: str, name: str) -> BaseStation:
        code = f"code-{station}"
        self.decide(
            partial(issue_code, code=code, operator=OPERATORS[name], subscriber=name, valid=HOUR, device="base station")
        )
        asked = BaseStationEnrolment(code=code, public_key=public(station), hardware="lab", serial=station, version="1")
        return self.done(partial(enrol_base_station, asked=asked, id=station))

    def buy(self, name: str, octets: int, *, days: int = 30) -> None:
        self._orders += 1
        subscriber = self.subscriber(name)
        self.decide(
            partial(top_up, subscriber=subscriber, octets=Octets(octets), valid_days=days, bucket=f"b{self._orders}")
        )

    def code(self, name: str) -> str:
        """Return the identity code of ``alice``, ``trm-alice`` or ``bst-carol``."""
        owner = {"trm": terminal_owner, "bst": base_station_owner}.get(name[:3], subscriber_owner)(name)
        return self.decide(partial(identity.issue, subject=owner))

    def offer(self, name: str, total: int = 10_000, **terms: Any) -> SupplyOrder:
        self._orders += 1
        id = f"ord-{self._orders}"
        order = SupplyOrder(
            owner=subscriber_owner(name),
            id=id,
            operator=OPERATORS[name],
            total=Octets(total),
            opened_at=self.clock.now(),
            **terms,
        )
        return self.done(partial(open_supply, order=order))

    def stop(self, order: SupplyOrder) -> None:
        found = self.done(partial(find_supply, supplier=order.supplier, id=order.id))
        self.decide(partial(recall.stop, order=found))

    # -- what is seen

    def account(self, owner: Owner, id: str) -> int:
        found = self.desk.get(Account, owner, id)
        return found.balance if found else 0

    def given(self, name: str) -> int:
        return -self._exchanged(f"given/{name}")

    def obtained(self, name: str) -> int:
        return self._exchanged(f"obtained/{name}")

    def _exchanged(self, id: str) -> int:
        pairs = [pair for owner in self.desk.owners() for pair in self.desk.all(PairAccounts, owner)]
        return sum(balance.amount for pair in pairs for balance in pair.balances if balance.id == id)

    def bucket_octets(self, name: str) -> int:
        accounts = self.desk.all(Account, subscriber_owner(name))
        return sum(account.balance for account in accounts if account.role == "bucket")

    def trade(self, admitted: Admitted) -> Trade:
        found = self.decide(partial(find_trade, supplier=admitted.supplier, id=admitted.trade))
        assert found is not None
        return found

    # -- going online

    def present(self, name: str, *, at: str = "bst-carol", to: str | None = None, **wish: Any) -> SignedPresentation:
        self.clock.advance(1)
        said = Presentation(
            terminal=self.code(f"trm-{name}"),
            subscriber=self.code(name),
            base_station=self.code(at),
            wish=Wish(supplier=self.code(to) if to else None, **wish),
            at=self.clock.now(),
        )
        return sign_presentation(key_of(name), said)

    def ask(
        self, admission: Admission, *, at: str = "bst-carol", offered_by: tuple[str, ...] = ()
    ) -> Admitted | Refused:
        self._trades += 1
        return self.decide(
            partial(
                translate.admission,
                policy=POLICY,
                base_station=at,
                asked=admission,
                id=f"trd-{self._trades}",
                offered_by=offered_by,
            )
        )

    def admit(
        self,
        name: str,
        *,
        to: str | None = None,
        at: str = "bst-carol",
        offered_by: tuple[str, ...] = (),
        **wish: Any,
    ) -> Admitted | Refused:
        presentation = self.present(name, at=at, to=to, **wish)
        return self.ask(Admission(presentation=presentation), at=at, offered_by=offered_by)


def refused(outcome: object) -> Refusal:
    assert isinstance(outcome, Refused), outcome
    assert "–" not in outcome.sentence + outcome.cure + outcome.sentence_zh + outcome.cure_zh, (
        f"a refusal must state its facts: {outcome.sentence} {outcome.cure}"
    )
    return outcome.reason


@dataclass(slots=True)
class Gateway:
    """A base station as the server sees it: counts for itself, and holds the quotas of one trade."""

    world: World
    admitted: Admitted
    station: str = "bst-carol"
    journal: str = ""
    number: int = -1
    seq: int = 0
    held: list[agent.QuotaGrant] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    refusal: str = ""

    def __post_init__(self) -> None:
        self.journal = self.journal or f"j-{self.admitted.trade}"
        self.say("first")

    def say(
        self, kind: str, *, wants: int | None = None, returns: tuple[str, ...] = (), repeat: bool = False
    ) -> agent.InterrogationAnswer | Refused:
        self.number += 0 if repeat else 1
        message = agent.Interrogation(
            session=self.admitted.trade,
            number=self.number,
            kind=kind,  # type: ignore[arg-type]
            report=agent.UsageReport(journal=self.journal, floor=0, rows=[]),
            returns=list(returns),
            wants=wants,
        )
        answer = self.world.decide(
            partial(translate.interrogation, policy=POLICY, base_station=self.station, message=message)
        )
        if isinstance(answer, agent.InterrogationAnswer) and not repeat:
            self.held = [quota for quota in self.held if quota.quota not in returns] + answer.quotas
            self.refusal = answer.refusal.reason if answer.refusal else ""
        return answer

    def row(self, quota: str, octets: int) -> agent.UsageRow:
        """Count octets under a quota; returns the row that says so."""
        self.used[quota] = self.used.get(quota, 0) + octets
        self.seq += 1
        return self.raw_row(quota, self.used[quota])

    def raw_row(self, quota: str, total: int, *, seq: int = 0) -> agent.UsageRow:
        now = Instant(self.world.clock.now())
        return agent.UsageRow(
            seq=seq or self.seq, quota=quota, epoch=0, up=total // 2, down=total - total // 2, reserved=0, at=now
        )

    def send(self, *rows: agent.UsageRow) -> agent.UsageConfirmation | Refused:
        report = agent.UsageReport(journal=self.journal, floor=0, rows=list(rows))
        divided = self.world.decide(partial(translate.rows_by_supplier, base_station=self.station, message=report))
        for supplier, part in divided.items():
            self.world.decide(partial(translate.count_rows, base_station=self.station, supplier=supplier, message=part))
        return self.world.decide(partial(translate.confirm, base_station=self.station, message=report))

    def pass_(self, octets: int) -> None:
        """Let octets pass under the quotas held, oldest first, and report them."""
        rows = []
        for quota in self.held:
            part = min(octets, quota.octets - self.used.get(quota.quota, 0))
            if part:
                rows.append(self.row(quota.quota, part))
                octets -= part
        assert not octets, "a gateway lets nothing pass beyond its quotas"
        self.send(*rows)

    def room(self) -> int:
        return sum(quota.octets - self.used.get(quota.quota, 0) for quota in self.held)

    def finish(self) -> None:
        self.say("final", returns=tuple(quota.quota for quota in self.held))
        self.held = []


def online(world: World, name: str, **how: Any) -> Gateway:
    """Admit somebody, who must be, and open the session."""
    admitted = world.admit(name, **how)
    assert isinstance(admitted, Admitted), admitted
    return Gateway(world, admitted, station=how.get("at", "bst-carol"))


PRICE = Price(unit="EUR", per_gb=2_000_000_000)
"""Two minor units an octet: so that small tests see money move."""
