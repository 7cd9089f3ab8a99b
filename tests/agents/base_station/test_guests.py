"""Who is online, without a network: the simulator's gate and disk, and a host that does what it is told when it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from tests.agents.operator import Operator

from qanat.agents.base_station import said
from qanat.agents.base_station.guests import ADDRESSES_MAX, Guests
from qanat.agents.base_station.ruleset import key_of
from qanat.agents.base_station.session import LOOK_EVERY, Session
from qanat.agents.kernel.neighbour import Address, LinkAddress
from qanat.clock import ManualClock
from qanat.simulation.exchange.gate import Gate
from qanat.simulation.exchange.slots import MemorySlots
from qanat.units import DAY, MINUTE, Instant, Millis
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageReport
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

    def __init__(self, *, idle_end: Millis = DAY) -> None:
        self.host = Host()
        self.operator = Operator(bought=50_000_000, quota_octets=5_000_000)
        self.slots = MemorySlots("jnl-1", guarded=lambda write: write())
        self.guests = Guests(
            self.slots, self.host, log=lambda event, **facts: None, report_interval_s=None, idle_end=idle_end
        )
        self.gate = Gate(1, passed=lambda counter, octets: None, went_dry=self.guests.ran_dry)
        self.guests.resume(self.gate, self.host)

    def admit(self, address: Address, link_address: LinkAddress, *, trade: str = "trd-1") -> object:
        admitted = Admitted(
            trade=trade,
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
            if isinstance(message, UsageReport):
                session.confirmed(message, self.operator.report(message))
                continue
            answer = self.operator.interrogate(message, self.host.now())
            assert isinstance(answer, InterrogationAnswer)
            session.answered(answer)

    def pass_by(self, session: Session, span: Millis) -> None:
        """Let time go by, looking as often as the holder does; what is said arrives and fences end at once."""
        for _ in range(span // LOOK_EVERY):
            self.host.clock.advance(LOOK_EVERY)
            if session in self.guests.sessions.values():
                session.tick()
            self.fence()
            self.deliver()


def test_a_demander_who_walked_away_is_offline_after_so_long_without_an_octet_and_told_why() -> None:
    """Its quotas end and are renewed meanwhile, which is no traffic."""
    place = Place(idle_end=Millis(30 * MINUTE))
    place.operator.validity_ms = 10 * MINUTE
    session = place.online()
    place.pass_by(session, Millis(25 * MINUTE))
    place.gate.meet(key_of(HERE), PHONE, up=False, packets=1, size=40)
    place.pass_by(session, Millis(29 * MINUTE))
    assert place.guests.at(HERE) is session
    place.pass_by(session, Millis(2 * MINUTE))
    assert place.guests.sessions == {}
    why = place.guests.ended_why[HERE]
    assert (why.reason, why.facts) == ("idle", {"idle_s": 1_800})
    assert "30 min" in why.sentence
    assert "30 min" in why.sentence_zh
    assert place.operator.available == 50_000_000 - 40, "what was left went back"


def test_a_gate_that_is_shut_for_want_of_a_server_makes_nobody_idle() -> None:
    place = Place(idle_end=Millis(30 * MINUTE))
    place.operator.validity_ms = 10 * MINUTE
    session = place.online()
    place.host.clock.advance(11 * MINUTE)
    for _ in range(600):
        place.host.clock.advance(LOOK_EVERY)
        session.tick()
        place.fence()
    place.deliver()
    assert place.guests.at(HERE) is session
    assert not session.is_ending


def test_a_clock_that_is_set_makes_nobody_idle() -> None:
    place = Place(idle_end=Millis(30 * MINUTE))
    place.operator.validity_ms = 400 * DAY
    session = place.online()
    place.host.clock.advance(300 * DAY)
    session.tick()
    assert not session.is_ending


def test_a_device_that_invents_addresses_without_end_is_followed_to_so_many_and_no_further() -> None:
    place = Place()
    place.online()
    for number in range(1000):
        place.guests.neighbour(ip_address(0xFD00 << 112 | number + 1), PHONE)
    assert len(place.host.pinned) == ADDRESSES_MAX


class Compared(bytes):
    """A link address that counts how often it is held against another."""

    times = 0

    def __eq__(self, other: object) -> bool:
        self.times += 1
        return bytes.__eq__(self, other)

    __hash__ = bytes.__hash__


def test_a_new_address_is_matched_with_its_device_whoever_else_is_online() -> None:
    compared = []
    for guests in (2, 200):
        place = Place()
        for number in range(guests):
            place.admit(ip_address(0x0A320002 + number), number.to_bytes(6, "big"), trade=f"trd-{number}")
        last, stranger = Compared((guests - 1).to_bytes(6, "big")), Compared(b"\xff" * 6)
        for invented, device in enumerate((last, stranger)):
            place.guests.neighbour(ip_address(0xFD00 << 112 | invented), device)
        session = place.guests.at(ip_address(0xFD00 << 112))
        assert session is place.guests.at(ip_address(0x0A320002 + guests - 1))
        assert place.guests.at(ip_address(0xFD00 << 112 | 1)) is None
        compared.append((last.times, stranger.times))
    assert compared[0] == compared[1]


def test_a_device_is_followed_for_whoever_is_online_from_it_and_no_longer() -> None:
    place, another = Place(), ip_address("fd00::5")
    session = place.online()
    assert place.admit(THERE, TABLET) is session
    place.guests.neighbour(another, PHONE)
    assert place.guests.at(another) is None, "the trade has moved to the tablet"
    session.stop(said.LEFT)
    place.fence()
    place.deliver()
    place.guests.neighbour(another, TABLET)
    assert (place.guests.at(another), place.host.pinned) == (None, set())


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


def test_the_end_is_told_only_when_the_packets_that_were_on_their_way_have_been_waited_out() -> None:
    place = Place()
    session = place.online()
    place.gate.meet(key_of(HERE), PHONE, up=False, packets=10, size=1000)
    session.stop(said.LEFT)
    assert session.metered.is_shut
    assert place.host.sent == []
    place.fence()
    ((_, final),) = place.host.sent
    assert isinstance(final, Interrogation)
    assert (final.kind, [row.down for row in final.report.rows]) == ("final", [10_000])


def test_a_slot_is_free_for_the_next_trade_only_when_the_last_row_of_this_one_is_confirmed() -> None:
    """The server knows the session no more, so that no final question carries the rows."""
    place = Place()
    session = place.online()
    place.gate.meet(key_of(HERE), PHONE, up=False, packets=10, size=1000)
    session.stop(said.LEFT)
    place.fence()
    ((_, final),) = place.host.sent
    place.host.sent.clear()
    session.rejected(final, Problem(status=404, reason="unknown_session"))
    assert session.metered.keys == []
    assert place.admit(THERE, TABLET) is said.JUST_ENDED
    assert place.slots.trade_in == {1: "trd-1"}
    place.pass_by(session, Millis(MINUTE))
    assert place.operator.used == 10_000
    assert place.slots.trade_in == {1: ""}
    assert place.guests.sessions == {}
