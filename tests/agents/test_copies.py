"""A device whose whole state is put back from a copy, again and again: all that the server was told is booked.

What had been reported is what this is about: usage that only the lost state knew of is lost with it. The server's own core
judges what is a repeat: of a row, and of a question.
"""

from __future__ import annotations

from copy import deepcopy
from random import Random

import pytest
from tests.agents.core import Core
from tests.agents.world import World

from qanat.agents.actions import leap
from qanat.agents.holding import Snapshot

WEIGHTS = {"good_while": 20, "traffic": 15, "copy": 6, "put_back": 4, "lost": 4}


def step(world: World, kind: str, chance: Random) -> None:
    match kind:
        case "good_while":
            world.settle()
            world.pass_octets(up=chance.randrange(900_000), down=chance.randrange(900_000))
            world.settle()
            world.wait(chance.choice([10, 1_000, 10_000, 60_000]))
        case "traffic":
            world.pass_octets(up=chance.randrange(900_000), down=chance.randrange(900_000))
            world.wait(10)
        case "lost" if world.road:
            world.lose()


def put_back(world: World, copy: Snapshot, chance: Random) -> None:
    """Everything is reported; then the machine is switched off and gets an earlier disk, which the agent opens."""
    world.settle()
    if chance.random() < 0.5:
        world.stop()
    report_all(world)
    world.reboot()
    world.disk = deepcopy(copy)
    leap(world.disk, (1 << 27) + chance.getrandbits(27))  # as the journal does when it is opened
    world.start()
    if chance.random() < 0.5:
        world.settle()


def report_all(world: World) -> None:
    world.settle()
    for _ in range(4):
        world.wait(120_000)
        world.settle()


@pytest.mark.parametrize("block", range(4))
def test_a_journal_put_back_from_copies_in_any_order_books_all_that_was_reported_and_no_more_than_was_allowed(
    block: int,
) -> None:
    for seed in range(block * 15, block * 15 + 15):
        chance, world = Random(seed), World()
        core = world.core = Core(world.clock, bought=80_000_000, quota_octets=1_000_000)
        world.start()
        world.settle()
        copy = deepcopy(world.disk)
        for _ in range(60):
            (kind,) = chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
            if kind == "copy":
                copy = deepcopy(world.disk)
            elif kind == "put_back":
                put_back(world, copy, chance)
            else:
                step(world, kind, chance)
        world.stop()
        report_all(world)
        assert world.truth <= core.used <= world.truth + world.chunks_lost, f"seed {seed}"


def test_a_copy_older_than_what_the_server_remembers_of_a_journal_charges_again_no_more_than_it_held() -> None:
    """The server forgets what it counted of a quota once some thirty later ones were used and their sessions are over."""
    world = World()
    core = world.core = Core(world.clock, bought=80_000_000, quota_octets=1_000_000)
    world.start()
    world.settle()
    world.pass_octets(up=0, down=600_000)
    report_all(world)
    copy = deepcopy(world.disk)
    for _ in range(50):
        world.pass_octets(up=0, down=900_000)
        world.settle()
        for present in (False, True):
            world.set_link(up=present)
            world.settle()
    world.stop()
    report_all(world)
    before = core.used
    assert before == world.truth > 40_000_000
    world.reboot()
    world.disk = deepcopy(copy)
    leap(world.disk, 1 << 27)
    world.start()
    report_all(world)
    assert core.used - before == sum(held.reserved for held in copy.quotas.values())
