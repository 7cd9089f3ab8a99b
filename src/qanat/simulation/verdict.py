"""How a world ends: by itself, or at the first thing in it that is wrong."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Protocol

from qanat.simulation.tally import Tally
from qanat.simulation.truth import Discrepancy


class Lived(Protocol):
    """A world that can be lived through."""

    tally: Tally

    def live(self, days: float) -> None: ...

    def come_home(self) -> None: ...

    def time(self) -> str: ...

    def events_of(self, terminal: str) -> tuple[str, ...]:
        """Return what happened last to a terminal, or around it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a world ended."""

    seed: int
    terminals: int
    days: float
    figures: dict[str, int]
    problem: str = ""
    """Empty when the books add up."""
    at: str = ""
    """The virtual time of the problem."""
    terminal: str = ""
    events: tuple[str, ...] = ()
    """The last events of that terminal."""
    trace: str = ""
    """Where our own code failed, if it did."""

    @property
    def sentence(self) -> str:
        crashes = self.figures.get("crashes", 0) + self.figures.get("power cuts", 0)
        lost = self.figures.get("lost messages", 0)
        word = "books do NOT add up" if self.problem else "books add up"
        return (
            f"seed {self.seed}: {self.terminals} terminals, {self.days:g} days,"
            f" {crashes} crashes, {lost} lost messages: {word}"
        )


def live_to_the_end(world: Lived, *, seed: int, terminals: int, days: float) -> Verdict:
    """Live a world through to its end, or to the first thing in it that is wrong."""
    problem = terminal = trace = ""
    try:
        world.live(days)
        world.come_home()
    except Discrepancy as found:
        problem, terminal = str(found), found.terminal
    except Exception as error:  # our own code failed: that is what the world is for
        problem = f"{type(error).__name__}: {error}"
        trace = traceback.format_exc()
    return Verdict(
        seed=seed,
        terminals=terminals,
        days=days,
        figures=world.tally.figures(),
        problem=problem,
        at=world.time() if problem else "",
        terminal=terminal,
        events=world.events_of(terminal) if problem else (),
        trace=trace,
    )
