"""``qanat simulate``: a deterministic world with faults, and whether its books add up."""

from __future__ import annotations

import sys

import click
import msgspec

from qanat.simulation.world import Verdict, simulate
from qanat.system import fresh_seed


@click.command(name="simulate")
@click.option("--seed", type=click.IntRange(0), help="Which world; without it a new one is drawn.")
@click.option("--terminals", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--days", type=click.FloatRange(0, 365, min_open=True), default=2.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def simulate_world(*, seed: int | None, terminals: int, days: float, as_json: bool) -> None:
    """Run many terminals against the server's core on a virtual clock, with losses, crashes and full disks.

    At the end an independent auditor holds the books against the octets that really passed. The same seed gives the same
    world and the same output. Exit 1 when the books do not add up.
    """
    verdict = simulate(seed=fresh_seed() if seed is None else seed, terminals=terminals, days=days)
    click.echo(_json(verdict) if as_json else _text(verdict))
    sys.exit(1 if verdict.problem else 0)


def _json(verdict: Verdict) -> str:
    return msgspec.json.format(msgspec.json.encode(verdict)).decode()


def _text(verdict: Verdict) -> str:
    if not verdict.problem:
        return verdict.sentence
    where = f"{verdict.at} {verdict.terminal}".strip()
    events = [f"  {event}" for event in verdict.events]
    again = f"Again: qanat simulate --seed {verdict.seed} --terminals {verdict.terminals} --days {verdict.days:g}"
    return "\n".join(filter(None, [verdict.sentence, f"{where}: {verdict.problem}", *events, verdict.trace, again]))
