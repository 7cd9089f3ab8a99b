"""A running agent in a network namespace, and what can be done and counted beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.agents.conftest import World
from tests.agents.processes import Agent, asked
from tests.namespaces import join
from tests.patience import PATIENCE_S
from tests.traffic import connected, receive

SERVER = "10.9.0.1"
FAR = "10.7.0.2"


class Running(Agent):
    """A terminal's agent."""

    def __init__(self, world: World, state: Path, *more: str, before: tuple[str, ...] = ()) -> None:
        arguments = ("terminal", "run", "--state", str(state), *more)
        super().__init__(world.terminal, "qanat.console.main", *arguments, before=before)


def connect(world: World) -> None:
    """Plug ``wwan0`` in that is not there."""
    join(world.terminal, "wwan0", world.internet, "far0", net=7)
    world.internet.run("ip", "link", "set", "far0", "gso_max_segs", "1")
    world.terminal.run("ip", "route", "add", "default", "via", FAR, "dev", "wwan0", "metric", "10")


def download(world: World, octets: int) -> None:
    with connected(world.terminal, world.internet, FAR) as (near, far):
        far.settimeout(PATIENCE_S)
        near.settimeout(PATIENCE_S)
        for _ in range(octets // 100_000):
            far.sendall(bytes(100_000))
            receive(near, 100_000)


def passed(world: World) -> int:
    """Read the gate's own counters through nft."""
    listed = json.loads(world.terminal.run("nft", "-j", "list", "counters"))["nftables"]
    return sum(
        item["counter"]["bytes"] for item in listed if item.get("counter", {}).get("name", "").startswith("passed_")
    )


def said_by(world: World, state: Path, command: str, *, ends: int = 0, before: tuple[str, ...] = ()) -> str:
    """What a ``qanat terminal`` command says on the terminal."""
    done = asked(world.terminal, "terminal", command, "--state", str(state), before=before)
    assert done.returncode == ends, done.stderr
    return done.stdout + done.stderr


def status(world: World, state: Path) -> dict[str, Any]:
    """What ``qanat terminal status`` shows on the terminal."""
    found: dict[str, Any] = json.loads(
        asked(world.terminal, "terminal", "status", "--json", "--state", str(state)).stdout
    )
    return found
