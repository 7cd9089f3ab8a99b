"""A whole world on a virtual clock, from one seed: devices, roads, a server, people, mishaps, and the auditor beside them.

Real are holder, notebook, journal, translation, credit control, metering, ledger and registry. The same seed gives the same
world, event by event. At the end everything comes back online and reports; then the books must hold what really passed.
"""

from __future__ import annotations

import tempfile
from base64 import b64encode
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from qanat.charging.quota import Policy
from qanat.clock import ManualClock
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.registry.codes import issue_code
from qanat.registry.operators import HOME, create_operator
from qanat.registry.plans import Plan, create_plan
from qanat.registry.sims import add_profiles, profile_range
from qanat.registry.subscribers import create_subscriber, set_status
from qanat.registry.terminals import enrol
from qanat.registry.wallets import top_up
from qanat.simulation.agenda import Agenda
from qanat.simulation.device import Device
from qanat.simulation.disk import FileDisk, MemoryDisk
from qanat.simulation.mishaps import Mishaps
from qanat.simulation.people import CURRENCY, People, owner_named, subscriber_named
from qanat.simulation.road import Road
from qanat.simulation.server import Server
from qanat.simulation.surroundings import Surroundings
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Discrepancy, Truth
from qanat.simulation.verdict import Verdict, live_to_the_end
from qanat.units import DAY, HOUR, MINUTE, Millis, MinorUnits, Octets, format_instant
from qanat.wire.agent import Enrolment

T = TypeVar("T")
POLICY: Final = Policy(
    quota_octets=Octets(5_000_000),
    interval_s=20,
    validity_ms=Millis(10 * MINUTE),
    grace_ms=Millis(10 * MINUTE),
    report_interval_s=60,
)
"""Shorter deadlines than an operator's, so that a day sees many of them pass."""
SWEEP_EVERY_MS: Final = Millis(5 * MINUTE)
REAL_FILES_OF_A_HUNDRED: Final = 10
UNGATED_EVERY: Final = 10
"""One terminal in so many can stop nothing: it only meters."""
ENOUGH: Final = Octets(2_000_000_000_000)
PROOF_OF_LIFE: Final = 1_000_000


def simulate(*, seed: int, terminals: int, days: float) -> Verdict:
    """Run a world to its end, or to the first thing in it that is wrong."""
    with tempfile.TemporaryDirectory(prefix="qanat-simulation-") as folder:
        world = World(seed=seed, terminals=terminals, folder=Path(folder))
        return live_to_the_end(world, seed=seed, terminals=terminals, days=days)


class World:
    def __init__(self, *, seed: int, terminals: int, folder: Path) -> None:
        self.tally = Tally()
        self._random = Random(seed)  # noqa: S311 - a world must be repeatable
        self._clock = ManualClock()
        self._agenda = Agenda(self._clock)
        self._truth = Truth(self.tally)
        self._server = Server(self._clock, POLICY, self._truth, self.tally)
        self._road = Road(self._agenda, self._random, self._server, self.tally)
        self._people = People(self._agenda, self._random, self._server, self.tally)
        self._mishaps = Mishaps(self._agenda, self._random, self._server, self.tally)
        self._names = 0
        self._subscribers = [f"s{number:03d}" for number in range(1, 1 + -(-terminals * 2 // 3))]
        self._found(terminals)
        self._devices = [self._device(number, folder) for number in range(1, terminals + 1)]

    def live(self, days: float) -> None:
        self._sweep_for_ever()
        for device in self._devices:
            device.start_agent()
        self._people.begin(self._devices, self._subscribers)
        self._mishaps.begin(self._devices)
        self._agenda.run_for(int(days * DAY))

    def come_home(self) -> None:
        """No more mishaps: everybody gets octets and uses some, goes offline, and every deadline passes."""
        self._end_all_trouble()
        for device in self._devices[::2]:  # their sessions run out at the server while they hold on to them
            device.is_walled_off = True
        self._agenda.run_for(30 * MINUTE)
        for device in self._devices:
            device.is_walled_off = False
        self._agenda.run_for(15 * MINUTE)
        self._prove_life()
        for device in self._devices:
            device.want(octets_per_s=0, packet=1500)
            device.set_link(up=False)
        self._agenda.run_for(HOUR)
        for device in self._devices:
            self._check_at_rest(device)
        self._agenda.run_for(DAY + 6 * HOUR)
        self._truth.check(self._server.desk)

    def time(self) -> str:
        return format_instant(self._clock.now())

    def events_of(self, terminal: str) -> tuple[str, ...]:
        return tuple(
            f"{format_instant(at)} {at % 1000:03d} {event}"
            for device in self._devices
            if device.name == terminal
            for at, event in device.events
        )

    # The beginning

    def _found(self, terminals: int) -> None:
        """Create the operator, its plans, its pool and its subscribers."""
        decide = self._server.decide
        decide(lambda work: create_operator(work, name=HOME))
        profiles = profile_range(issuer="89001", imsi_prefix="00101", first=1, count=terminals)
        decide(lambda work: granted(add_profiles(work, operator=HOME, profiles=profiles)))
        for plan in self._plans():
            granted(decide(partial(create_plan, plan=plan)))
        for name in self._subscribers:
            granted(decide(partial(create_subscriber, name=name, operator=HOME)))

    def _plans(self) -> list[Plan]:
        def plan(id: str, octets: int, *, days: int, priority: int, quota: int = 0, whole: bool = False) -> Plan:
            return Plan(
                owner=Owner(f"plan/{id}"),
                id=id,
                operator=HOME,
                octets=Octets(octets),
                valid_days=days,
                price=MinorUnits(60),
                currency=CURRENCY,
                priority=priority,
                quota_octets=Octets(quota),
                all_or_nothing=whole,
                created_at=self._clock.now(),
            )

        return [
            plan("crumb", 1_234_567, days=1, priority=10),
            plan("day", 50_000_000, days=1, priority=50, quota=2_000_000),
            plan("large", 400_000_000, days=30, priority=100),
            plan("whole", 20_000_000, days=2, priority=20, whole=True),
        ]

    def _device(self, number: int, folder: Path) -> Device:
        name = f"t{number:03d}"
        subscriber = self._random.choice(self._subscribers)
        self._server.decide(lambda work: self._enrol(work, name, number, subscriber))
        has_gate = number % UNGATED_EVERY != 0
        self._truth.bound(name, owner_named(subscriber), has_gate=has_gate)
        is_real = self._random.randrange(100) < REAL_FILES_OF_A_HUNDRED
        disk = FileDisk(folder / name, self._new_name) if is_real else MemoryDisk(self._new_name)
        around = Surroundings(
            clock=self._clock,
            agenda=self._agenda,
            random=self._random,
            road=self._road,
            truth=self._truth,
            tally=self.tally,
        )
        return Device(name, disk, around, skew_ms=self._random.randrange(-5000, 5000), has_gate=has_gate)

    def _enrol(self, work: Work, name: str, number: int, subscriber: str) -> None:
        issue_code(work, code=name, operator=HOME, subscriber=subscriber, valid=HOUR)
        public_key = b64encode(number.to_bytes(32)).decode()
        asked = Enrolment(code=name, public_key=public_key, hardware="simulated", serial=name, version="1")
        granted(enrol(work, asked, id=name, binding_code=name))

    def _new_name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}-{self._names:06d}"

    def _sweep_for_ever(self) -> None:
        self._server.sweep()
        self._agenda.after(SWEEP_EVERY_MS, self._sweep_for_ever)

    # The end

    def _end_all_trouble(self) -> None:
        self._people.end()
        self._mishaps.end()
        self._road.weather.clear_up()
        self._server.restart()
        for name in self._subscribers:
            self._server.decide(partial(self._help, name=name))
        for device in self._devices:
            device.disk.is_full = False
            device.open_other_channel()
            device.is_walled_off = False
            device.dies_after = None
            device.want(octets_per_s=0, packet=1500)
            device.start_agent()
            device.set_link(up=True)

    def _help(self, work: Work, name: str) -> None:
        set_status(work, subscriber_named(work, name), "active")
        top_up(work, subscriber_named(work, name), octets=ENOUGH, valid_days=30, bucket="last")

    def _prove_life(self) -> None:
        """With balance and connectivity everybody gets traffic."""
        before = {device.name: self._truth.passed_by(device.name) for device in self._devices}
        for device in self._devices:
            device.want(octets_per_s=100_000, packet=1000)
        self._agenda.run_for(2 * MINUTE)
        for device in self._devices:
            passed = self._truth.passed_by(device.name) - before[device.name]
            if passed < PROOF_OF_LIFE and device.name not in self._people.revoked:
                raise Discrepancy(f"stuck: only {passed} octets passed in two minutes", terminal=device.name)

    def _check_at_rest(self, device: Device) -> None:
        snapshot = device.disk.load()
        if snapshot.rows or snapshot.quotas or snapshot.session or snapshot.pending:
            raise Discrepancy(f"offline for an hour and still not at rest: {snapshot}", terminal=device.name)


def granted(outcome: T | Refused) -> T:
    """Return what was asked for; in the founding of a world nothing is refused."""
    assert not isinstance(outcome, Refused), f"refused: {outcome}"
    return outcome
