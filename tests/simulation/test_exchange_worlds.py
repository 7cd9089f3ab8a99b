"""Small exchanges, each a seed: those that once went wrong; and mistakes planted in the auditor's sight."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from tests.exchange.world import Gateway, World

from qanat.console.main import main
from qanat.exchange.orders import SupplyOrder
from qanat.registry.names import subscriber_owner
from qanat.simulation.exchange.truth import ExchangeTruth
from qanat.simulation.exchange.world import simulate_exchange
from qanat.simulation.tally import Tally
from qanat.simulation.truth import Discrepancy
from qanat.units import Octets
from qanat.wire.agent import InterrogationAnswer
from qanat.wire.base_station import Admitted

HERE = Path(__file__).parent
SEEDS = [line for line in (HERE / "exchange_seeds.txt").read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("line", SEEDS)
def test_an_exchange_ends_with_books_that_hold_what_passed(line: str) -> None:
    seed, terminals, days, _ = line.split(maxsplit=3)
    verdict = simulate_exchange(seed=int(seed), terminals=int(terminals), days=float(days))
    assert not verdict.problem, "\n".join([verdict.sentence, verdict.problem, *verdict.events[-100:], verdict.trace])
    assert verdict.figures["crashes"] > 0


def test_the_same_seed_gives_the_same_exchange_in_every_process() -> None:
    command = [sys.executable, "-m", "qanat.console.main", "simulate", "--world", "exchange", "--seed", "7", "--json"]
    outputs = [
        subprocess.run(
            [*command, "--terminals", "2", "--days", "0.03"],
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src"), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]


def test_command_runs_the_exchanges_world_too() -> None:
    words = ["simulate", "--world", "exchange", "--seed", "3", "--terminals", "2", "--days", "0.02"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("seed 3: 2 terminals, 0.02 days, ")


class Scene:
    """Bob's trade on alice's octets, one grant of 1,000."""

    def __init__(self) -> None:
        self.world = World()
        self.world.buy("alice", 5_000)
        self.world.offer("alice", 3_000)
        admitted = self.world.admit("bob", to="alice")
        assert isinstance(admitted, Admitted)
        self.trade = admitted.trade
        self.gateway = Gateway(self.world, admitted)
        self.truth = ExchangeTruth(Tally())
        self.truth.said(self.answer(self.gateway.held[0].octets))

    def answer(self, octets: int) -> InterrogationAnswer:
        grant = self.gateway.held[0]
        quota = type(grant)(
            quota=grant.quota,
            octets=octets,
            valid_until=grant.valid_until,
            threshold=grant.threshold,
            final=grant.final,
        )
        return InterrogationAnswer(
            session=self.trade, number=0, acked=0, quotas=[quota], report_interval_s=60, server_time=grant.valid_until
        )

    def end(self, *, passed: int, reported: int) -> None:
        self.truth.passes(self.trade, passed, up=False)
        self.gateway.pass_(reported)
        self.gateway.finish()
        self.world.deliver()
        self.truth.check(self.world.desk)


def test_octets_that_passed_and_are_booked_add_up() -> None:
    Scene().end(passed=700, reported=700)


@pytest.mark.parametrize("reported", [699, 701])
def test_octets_that_are_not_what_passed_are_found(reported: int) -> None:
    with pytest.raises(Discrepancy, match=f"700 octets passed, {reported}"):
        Scene().end(passed=700, reported=reported)


def test_an_order_that_gave_more_than_it_holds_is_found() -> None:
    scene = Scene()
    scene.end(passed=700, reported=700)
    (order,) = scene.world.desk.all(SupplyOrder, subscriber_owner("alice"))
    scene.world.decide(lambda work: work.put(replace(order, total=Octets(699))))
    with pytest.raises(Discrepancy, match="is for 699: 700 given and 0 promised"):
        scene.truth.check(scene.world.desk)


def test_octets_without_a_grant_are_found_as_they_pass() -> None:
    scene = Scene()
    with pytest.raises(Discrepancy, match="1 octets passed that nobody granted"):
        scene.truth.passes(scene.trade, 1001, up=True)


def test_a_grant_that_changes_is_found() -> None:
    scene = Scene()
    with pytest.raises(Discrepancy, match="twice"):
        scene.truth.said(scene.answer(999))


def test_after_a_cut_the_books_may_hold_what_was_granted_and_no_more() -> None:
    scene = Scene()
    scene.truth.passes(scene.trade, 700, up=False)
    scene.truth.cut(scene.trade)
    scene.end(passed=0, reported=1000)
    with pytest.raises(Discrepancy):
        scene.truth.passes(scene.trade, 301, up=False)
