"""Any order of traffic, losses, repeats, crashes between two actions, reboots and link changes: a failure is its seed.

A weighted walk rather than a Hypothesis machine: most of life has to be ordinary, or little traffic ever flows.
"""

from __future__ import annotations

from random import Random

import pytest
from tests.agents.world import World

from qanat.agents.states import State

WEIGHTS = {
    "good_while": 30,
    "traffic": 15,
    "leak": 5,
    "time": 10,
    "arrives": 10,
    "arrives_twice": 3,
    "answer_lost": 5,
    "lost": 5,
    "crash_between_actions": 5,
    "killed": 5,
    "power_cut": 3,
    "link": 4,
    "purchase": 4,
    "sessions_expire": 1,
    "sessions_closed": 1,
}


def step(world: World, chance: Random) -> None:
    (kind,) = chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
    up, down = chance.randrange(700_000), chance.randrange(700_000)
    match kind:
        case "good_while":
            if world.holder is None:
                world.start()
            world.settle()
            world.pass_octets(up=up, down=down)
            world.settle()
            world.wait(10_000)
        case "traffic":
            world.pass_octets(up=up, down=down)
        case "leak" if world.holder and world.holder.state in (State.SERVING, State.WAITING) and world.crash_in is None:
            world.leak(up)
        case "time":
            world.wait(chance.choice([10, 1_000, 10_000, 30_000, 310_000]))
        case "arrives" | "arrives_twice" if world.road:
            world.deliver(times=1 + (kind == "arrives_twice"))
        case "answer_lost" if world.road:
            world.deliver(answer_arrives=False)
        case "lost" if world.road:
            world.lose()
        case "crash_between_actions":
            world.crash_in = chance.randrange(7)
            world.pass_octets(up=up, down=down)
        case "killed" | "power_cut":
            world.pass_octets(up=up, down=down)
            world.crash()
            world.pass_octets(up=down, down=up)
            if kind == "power_cut":
                world.reboot()
            world.start()
        case "link":
            world.set_link(up=not world.link_is_up)
        case "purchase":
            world.operator.bought += up + down
        case "sessions_expire":
            world.operator.sessions.clear()
            for quota in world.operator.quotas.values():
                quota.is_reserved = False
        case "sessions_closed":
            world.operator.close_sessions()


def check(world: World) -> None:
    allowed = sum(held.reserved - held.used for held in world.disk.quotas.values() if not held.ended)
    epoch = world.disk.epoch
    if epoch is not None and epoch.source == f"boot-{world.boot}":
        assert world.ceiling <= epoch.up + epoch.down + allowed, "the gate is above the journal"
    assert world.operator.used <= world.truth + world.chunks_lost, "booked what did not pass"
    assert len(world.disk.rows) <= 40, "the journal grows"


def finish(world: World) -> None:
    """Start once more on a perfect road, stop, and let every retry come due."""
    world.crash()
    world.link_is_up = True
    world.start()
    world.settle()
    world.stop()
    world.settle()
    for _ in range(3):
        world.wait(120_000)
        world.settle()


@pytest.mark.parametrize("block", range(5))
def test_every_octet_is_booked_once_whatever_happens(block: int) -> None:
    passed = cut = 0
    for seed in range(block * 3, block * 3 + 3):
        chance = Random(seed)
        world = World(bought=chance.randrange(1_000_000, 30_000_000), quota_octets=chance.randrange(100_000, 3_000_000))
        world.operator.validity_ms = 300_000
        world.start()
        for _ in range(60):
            step(world, chance)
            check(world)
        finish(world)
        assert world.truth <= world.operator.used <= world.truth + world.chunks_lost, f"seed {seed}"
        assert (world.disk.rows, world.disk.quotas, world.disk.session) == ({}, {}, None), f"seed {seed}"
        assert not any(q.is_reserved and q.used < q.octets for q in world.operator.quotas.values()), f"seed {seed}"
        passed += world.truth
        cut += world.boot
    assert passed > 2_000_000, "the walk reaches ordinary life"
    assert cut > 0, "the walk reaches power cuts"
