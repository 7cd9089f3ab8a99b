"""An exchange on a virtual clock, from one seed: suppliers, demanders, base stations, mishaps, and the auditor beside them.

Real are guests, sessions, holder, ladder, the messages to the kernel, the server's decisions and their order. The same
seed gives the same world. At the end everybody leaves and every deadline passes; then the books must hold what passed.
"""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from random import Random
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qanat.charging.quota import Policy
from qanat.clock import ManualClock
from qanat.exchange import identity
from qanat.ids import Owner
from qanat.registry.base_stations import enrol_base_station
from qanat.registry.codes import issue_code
from qanat.registry.names import base_station_owner, subscriber_owner, terminal_owner
from qanat.registry.operators import create_operator
from qanat.registry.sims import add_profiles, profile_range
from qanat.registry.subscribers import create_subscriber
from qanat.registry.terminals import enrol
from qanat.simulation.agenda import Agenda
from qanat.simulation.exchange.demander import Demander
from qanat.simulation.exchange.market import Market
from qanat.simulation.exchange.mishaps import Mishaps
from qanat.simulation.exchange.road import Road
from qanat.simulation.exchange.station import Station, Surroundings
from qanat.simulation.exchange.supplier import Supplier
from qanat.simulation.exchange.truth import ExchangeTruth
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Discrepancy
from qanat.simulation.verdict import Verdict, live_to_the_end
from qanat.simulation.world import granted
from qanat.units import DAY, HOUR, MINUTE, Millis, Octets, format_instant
from qanat.wire.agent import Enrolment
from qanat.wire.base_station import BaseStationEnrolment

POLICY: Final = Policy(
    quota_octets=Octets(5_000_000),
    quota_octets_max=Octets(5_000_000),
    interval_s=20,
    validity_ms=Millis(10 * MINUTE),
    grace_ms=Millis(10 * MINUTE),
    report_interval_s=60,
)
OPERATORS: Final = ("north", "south", "west")
SWEEP_EVERY_MS: Final = Millis(5 * MINUTE)
PROOF_OF_LIFE: Final = 1_000_000
DEMANDERS_AT_A_STATION: Final = 4


def simulate_exchange(*, seed: int, terminals: int, days: float) -> Verdict:
    """Run a world with so many demanders' terminals to its end, or to the first thing in it that is wrong."""
    world = ExchangeWorld(seed=seed, terminals=terminals)
    return live_to_the_end(world, seed=seed, terminals=terminals, days=days)


class ExchangeWorld:
    def __init__(self, *, seed: int, terminals: int) -> None:
        self.tally = Tally()
        self._random = Random(seed)  # noqa: S311 - a world must be repeatable
        self._clock = ManualClock()
        self._agenda = Agenda(self._clock)
        self._truth = ExchangeTruth(self.tally)
        # Even worlds keep their books on one machine, odd ones on several, where trades are booked by post.
        self._market = Market(self._clock, POLICY, self.tally, one_commit=seed % 2 == 0)
        road = Road(self._agenda, self._random, self._market, self.tally)
        self._road = road
        self._around = Surroundings(
            agenda=self._agenda, random=self._random, road=road, truth=self._truth, tally=self.tally
        )
        self._found(terminals)
        count = max(2, terminals // DEMANDERS_AT_A_STATION)
        self._stations = [self._station(number) for number in range(1, count + 1)]
        self._suppliers = [self._supplier(number) for number in range(1, max(2, terminals // 2) + 1)]
        self._demanders = [self._demander(number) for number in range(1, terminals + 1)]
        self._mishaps = Mishaps(self._agenda, self._random, self._market)

    def live(self, days: float) -> None:
        self._sweep_for_ever()
        for station in self._stations:
            station.start()
        for supplier in self._suppliers:
            supplier.begin()
        for demander in self._demanders:
            demander.begin()
        self._mishaps.begin(self._stations)
        self._agenda.run_for(int(days * DAY))

    def come_home(self) -> None:
        """No more mishaps: everybody goes online once more, leaves, and every deadline passes."""
        self._end_all_trouble()
        self._agenda.run_for(45 * MINUTE)
        for demander in self._demanders:
            demander.prove_life()
        self._agenda.run_for(5 * MINUTE)
        for demander in self._demanders:
            demander.check_alive(PROOF_OF_LIFE)
            demander.go_home()
        self._agenda.run_for(HOUR)
        for station in self._stations:
            held = [slot for slot in station.disk.look() if slot.visit is not None or slot.snapshot.rows]
            if held:
                raise Discrepancy(f"everybody has left and {station.name} is still not at rest: {held}")
        for demander in self._demanders:
            demander.tell_counts()
        self._agenda.run_for(DAY + 6 * HOUR)
        self._truth.check(self._market.desk)

    def time(self) -> str:
        return format_instant(self._clock.now())

    def events_of(self, terminal: str) -> tuple[str, ...]:  # noqa: ARG002 - what happened to it, happened there
        """Return what happened last at every base station."""
        happened = sorted(event for station in self._stations for event in station.events)
        return tuple(f"{format_instant(at)} {at % 1000:03d} {event}" for at, event in happened)

    # The beginning

    def _found(self, terminals: int) -> None:
        decide = self._market.desk.decide
        for number, operator in enumerate(OPERATORS, 1):
            granted(decide(partial(create_operator, name=operator)))
            digits = f"0010{number}"
            profiles = profile_range(issuer=f"89{digits}", imsi_prefix=digits, first=1, count=terminals)
            granted(decide(partial(add_profiles, operator=operator, profiles=profiles)))

    def _subscriber(self, name: str) -> str:
        operator = self._random.choice(OPERATORS)
        granted(self._market.desk.decide(partial(create_subscriber, name=name, operator=operator)))
        return operator

    def _station(self, number: int) -> Station:
        name = f"bst-{number}"
        operator = self._subscriber(f"host-{number}")
        decide = self._market.desk.decide
        decide(
            partial(
                issue_code, code=name, operator=operator, subscriber=f"host-{number}", valid=HOUR, device="base station"
            )
        )
        asked = BaseStationEnrolment(
            code=name, public_key=_public(_key(name)), hardware="simulated", serial=name, version="1"
        )
        granted(decide(partial(enrol_base_station, asked=asked, id=name)))
        return Station(name, self._around)

    def _supplier(self, number: int) -> Supplier:
        name = f"supplier-{number}"
        return Supplier(name, self._subscriber(name), self._market, self._agenda, self._random)

    def _demander(self, number: int) -> Demander:
        name, terminal = f"demander-{number}", f"trm-{number}"
        operator = self._subscriber(name)
        decide = self._market.desk.decide
        decide(partial(issue_code, code=terminal, operator=operator, subscriber=name, valid=HOUR))
        key = _key(terminal)
        asked = Enrolment(code=terminal, public_key=_public(key), hardware="simulated", serial=terminal, version="1")
        granted(decide(partial(enrol, asked=asked, id=terminal, binding_code=terminal)))
        codes = {station.name: self._code(base_station_owner(station.name)) for station in self._stations}
        suppliers = [self._code(subscriber_owner(supplier.name)) for supplier in self._suppliers]
        return Demander(
            number,
            key=key,
            own=(self._code(terminal_owner(terminal)), self._code(subscriber_owner(name))),
            stations=[(station, codes[station.name]) for station in self._stations],
            suppliers=suppliers,
            market=self._market,
            around=self._around,
        )

    def _code(self, owner: Owner) -> str:
        return self._market.desk.decide(partial(identity.issue, subject=owner))

    def _sweep_for_ever(self) -> None:
        if self._market.is_up:
            self._market.sweep()
        self._agenda.after(SWEEP_EVERY_MS, self._sweep_for_ever)

    # The end

    def _end_all_trouble(self) -> None:
        self._mishaps.end()
        self._road.weather.clear_up()
        self._market.restart()
        for supplier in self._suppliers:
            supplier.be_generous()
        for demander in self._demanders:
            demander.end()
        for station in self._stations:
            station.disk.is_full = station.is_cut_off = False
            station.dies_after = None
            station.start()


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"\0"))


def _public(key: Ed25519PrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
