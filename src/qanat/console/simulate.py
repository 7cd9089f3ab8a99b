"""``qanat simulate``: a deterministic world with faults, and whether its books add up."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, Protocol

import click
import msgspec

from qanat.console.parameters import Number
from qanat.simulation.exchange.world import simulate_exchange
from qanat.simulation.verdict import Verdict
from qanat.simulation.world import simulate
from qanat.system import fresh_seed


class Run(Protocol):
    def __call__(self, *, seed: int, terminals: int, days: float) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Kind:
    run: Run
    terminals: int
    days: float


WORLDS: Final = {"cloud-sim": Kind(simulate, 200, 2.0), "exchange": Kind(simulate_exchange, 8, 0.25)}


@click.command(name="simulate")
@click.option("--seed", type=click.IntRange(0), help="Which world; without it a new one is drawn.")
@click.option(
    "--world",
    type=click.Choice(list(WORLDS)),
    default="cloud-sim",
    show_default=True,
    help="Terminals on their own SIMs, or demanders at base stations.",
)
@click.option("--terminals", type=click.IntRange(1, 10_000), help="200, or 8 in the exchange.")
@click.option("--days", type=Number(0, 365, min_open=True), help="2, or a quarter in the exchange.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def simulate_world(*, seed: int | None, world: str, terminals: int | None, days: float | None, as_json: bool) -> None:
    """Run many terminals against the server's core on a virtual clock, with losses, crashes and full disks.

    In the exchange's world suppliers, demanders and base stations trade, and agents die between any two writes.

    At the end an independent auditor holds the books against the octets that really passed. The same seed gives the same
    world and the same output. Exit 1 when the books do not add up.
    """
    chosen = WORLDS[world]
    verdict = chosen.run(
        seed=fresh_seed() if seed is None else seed,
        terminals=chosen.terminals if terminals is None else terminals,
        days=chosen.days if days is None else days,
    )
    click.echo(_json(verdict) if as_json else _text(verdict, world))
    sys.exit(1 if verdict.problem else 0)


def _json(verdict: Verdict) -> str:
    return msgspec.json.format(msgspec.json.encode(verdict)).decode()


def _text(verdict: Verdict, world: str) -> str:
    if not verdict.problem:
        return verdict.sentence
    where = f"{verdict.at} {verdict.terminal}".strip()
    events = [f"  {event}" for event in verdict.events]
    again = f"Again: qanat simulate --world {world} --seed {verdict.seed} --terminals {verdict.terminals} --days {verdict.days:g}"
    return "\n".join(filter(None, [verdict.sentence, f"{where}: {verdict.problem}", *events, verdict.trace, again]))
