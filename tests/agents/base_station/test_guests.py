"""Who is online, without a network: the simulator's gate and disk, and a host that does what it is told when it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from tests.agents.operator import Operator

from qanat.agents.base_station import said
from qanat.agents.base_station.guests import ADDRESSES_MAX, Guests
from qanat.agents.base_station.session import Session
from qanat.agents.kernel.neighbour import Address, LinkAddress
from qanat.clock import ManualClock
from qanat.simulation.exchange.gate import Gate
from qanat.simulation.exchange.slots import MemorySlots
from qanat.units import Instant
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageReport
from qanat.wire.base_station import Admitted

PHONE, TABLET = bytes(5) + b"\x01", bytes(5) + b"\x02"
HERE, THERE = ip_address("10.50.0.2"), ip_address("10.50.0.3")


@dataclass
class Host:
    clock: ManualClock = field(default_factory=ManualClock)
    fences: list[Callable[[], None]] = field(default_factory=list)
    sent: list[tuple[Session, Interrogation | UsageReport]] = field(default_factory=list)
    pinned: set[Address] = field(default_factory=set)

    def now(self) -> Instant:
        return self.clock.now()

    def fence(self, then: Callable[[], None]) -> None:
        self.fences.append(then)

    def send(self, session: Session, message: Interrogation | UsageReport) -> None:
        self.sent.append((session, message))

    def wake(self, session: Session, at: Instant) -> None:
        pass

    def left(self, session: Session) -> None:
        pass

    def addresses(self, link_address: LinkAddress) -> list[Address]:
        return []

    def pin(self, address: Address, link_address: LinkAddress) -> None:
        self.pinned.add(address)

    def unpin(self, address: Address, link_address: LinkAddress) -> None:
        self.pinned.discard(address)


class Place:
    """A base station with an operator that grants; nothing arrives and no fence is over before it is said so."""

    def __init__(self) -> None:
        self.host = Host()
        self.operator = Operator(bought=50_000_000, quota_octets=5_000_000)
        slots = MemorySlots("jnl-1", guarded=lambda write: write())
        self.guests = Guests(slots, self.host, log=lambda event, **facts: None, report_interval_s=None)
        gate = Gate(1, passed=lambda counter, octets: None, went_dry=self.guests.ran_dry)
        self.guests.resume(gate, self.host)

    def admit(self, address: Address, link_address: LinkAddress) -> object:
        admitted = Admitted(
            trade="trd-1",
            demander="alice",
            terminal="",
            supplier="bob",
            supplier_terminal="",
            identities={},
            order="ord-1",
            price_per_gb=0,
            currency="",
            octets=50_000_000,
            report_interval_s=10,
            server_time=self.host.now(),
        )
        return self.guests.admit(admitted, address, link_address)

    def online(self) -> Session:
        session = self.admit(HERE, PHONE)
        assert isinstance(session, Session)
        while self.host.sent:
            self.deliver()
        return session

    def fence(self) -> None:
        fences, self.host.fences = self.host.fences, []
        for then in fences:
            then()

    def deliver(self) -> None:
        sent, self.host.sent = self.host.sent, []
        for session, message in sent:
            assert isinstance(message, Interrogation)
            answer = self.operator.interrogate(message, self.host.now())
            assert isinstance(answer, InterrogationAnswer)
            session.answered(answer)


def test_a_device_that_invents_addresses_without_end_is_followed_to_so_many_and_no_further() -> None:
    place = Place()
    place.online()
    for number in range(1000):
        place.guests.neighbour(ip_address(0xFD00 << 112 | number + 1), PHONE)
    assert len(place.host.pinned) == ADDRESSES_MAX


def test_a_trade_that_is_ending_moves_to_no_other_device_and_everybody_else_stays_as_he_is() -> None:
    """The end is confirmed while the move would still wait for its fence."""
    place = Place()
    session = place.online()
    session.stop(said.LEFT)
    place.fence()
    assert place.admit(THERE, TABLET) is said.JUST_ENDED
    place.deliver()
    place.fence()
    assert place.guests.sessions == {}
    assert place.host.pinned == set()
