"""The road between terminals and server: it loses, repeats, delays and overtakes, in either direction.

A request goes over the first channel that works, as ``agents/reporter`` sends it; whoever gets no answer in time tries the
next channel. A request that was given up may still arrive, once or twice, hours later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from random import Random
from typing import Final

import msgspec

from qanat.simulation.agenda import Agenda
from qanat.simulation.server import Answer, Busy, Server
from qanat.simulation.tally import Tally
from qanat.units import HOUR
from qanat.wire.agent import Interrogation, Problem, UsageReport

TIMEOUT_MS: Final = 5_000
LATEST_MS: Final = 3 * HOUR
"""The longest that a message may stray."""


@dataclass(slots=True, kw_only=True)
class Weather:
    """Of a thousand messages, how many suffer what."""

    lost: int = 30
    answers_lost: int = 30
    repeated: int = 20
    strayed: int = 10

    def clear_up(self) -> None:
        self.lost = self.answers_lost = self.repeated = self.strayed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends, and what to do when it is known how it went; exactly one is called, once."""

    terminal: str
    channels: Callable[[], list[bool]]
    """For each way to the server, whether it is open now."""
    answered: Callable[[Answer], None]
    rejected: Callable[[Problem], None]
    unreachable: Callable[[int], None]


class Road:
    def __init__(self, agenda: Agenda, random: Random, server: Server, tally: Tally) -> None:
        self.weather = Weather()
        self._agenda = agenda
        self._random = random
        self._server = server
        self._tally = tally

    def send(self, sender: Sender, message: Interrogation | UsageReport) -> None:
        parcel = Parcel(sender, msgspec.json.encode(message), asks=isinstance(message, Interrogation))
        self._over(parcel, 0)

    def _over(self, parcel: Parcel, channel: int) -> None:
        channels = parcel.sender.channels()
        if channel >= len(channels):
            self._agenda.after(1, lambda: parcel.sender.unreachable(0))
        elif channels[channel]:
            self._try(parcel, lambda: self._over(parcel, channel + 1))
        else:
            self._over(parcel, channel + 1)

    def _try(self, parcel: Parcel, give_up: Callable[[], None]) -> None:
        if self._happens(self.weather.repeated):
            self._tally.count("repeated messages")
            self._agenda.after(self._long(100), lambda: self._stray(parcel))
        if self._happens(self.weather.strayed):
            self._tally.count("late messages")
            self._agenda.after(self._long(TIMEOUT_MS), lambda: self._stray(parcel))
            self._agenda.after(TIMEOUT_MS, give_up)
        elif self._happens(self.weather.lost):
            self._tally.count("lost messages")
            self._agenda.after(TIMEOUT_MS, give_up)
        else:
            self._agenda.after(self._short(), lambda: self._arrive(parcel, give_up))

    def _arrive(self, parcel: Parcel, give_up: Callable[[], None]) -> None:
        if not self._server.is_up:
            self._agenda.after(self._short(), give_up)
            return
        answer = self._server.take(parcel.sender.terminal, parcel.body, asks=parcel.asks)
        if self._happens(self.weather.answers_lost):
            self._tally.count("lost messages")
            self._agenda.after(TIMEOUT_MS, give_up)
        else:
            self._agenda.after(self._short(), lambda: _bring(parcel.sender, answer))

    def _stray(self, parcel: Parcel) -> None:
        """Arrive when nobody waits for the answer any more."""
        if self._server.is_up:
            self._server.take(parcel.sender.terminal, parcel.body, asks=parcel.asks)

    def _happens(self, per_mille: int) -> bool:
        return self._random.randrange(1000) < per_mille

    def _short(self) -> int:
        return self._random.randrange(5, 400)

    def _long(self, least: int) -> int:
        """Mostly soon, sometimes hours later: even on a logarithmic scale."""
        return int(exp(self._random.uniform(log(least), log(LATEST_MS))))


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message as it travels: the same octets however often it is carried."""

    sender: Sender
    body: bytes
    asks: bool


def _bring(sender: Sender, answer: Answer | Problem | Busy) -> None:
    if isinstance(answer, Busy):
        sender.unreachable(answer.retry_after_s)
    elif isinstance(answer, Problem):
        sender.rejected(answer)
    else:
        sender.answered(answer)
