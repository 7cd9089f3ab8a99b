"""A store in memory on a clock that the test moves, and the decisions that every test begins with."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar

from qanat.clock import ManualClock
from qanat.ledger.audit import Verdict
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.codes import issue_code
from qanat.registry.operators import HOME, create_operator
from qanat.registry.sims import add_profiles, profile_range
from qanat.registry.subscribers import Subscriber, create_subscriber
from qanat.registry.terminals import Terminal, enrol
from qanat.store.store import MemoryStore
from qanat.units import HOUR
from qanat.wire.agent import Enrolment

T = TypeVar("T")


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self._runner = asyncio.Runner()
        self.store = MemoryStore(self.clock)
        self._runner.run(self.store.open())
        self.do(lambda work: create_operator(work, name=HOME))

    def do(self, decision: Callable[[Work], T]) -> T:
        async def decide() -> T:
            return await self.store.decide(decision)

        return self._runner.run(decide())

    def audit(self) -> Verdict:
        return self._runner.run(self.store.audit())

    def close(self) -> None:
        self._runner.run(self.store.close())
        self._runner.close()

    def subscriber(self, name: str, *, operator: str = HOME) -> Subscriber:
        return done(self.do(lambda work: create_subscriber(work, name=name, operator=operator)))

    def sims(self, count: int, *, operator: str = HOME) -> None:
        profiles = profile_range(issuer="89001", imsi_prefix="00101", first=1, count=count)
        done(self.do(lambda work: add_profiles(work, operator=operator, profiles=profiles)))

    def code(self, code: str, *, subscriber: str = "", operator: str = HOME) -> None:
        self.do(lambda work: issue_code(work, code=code, operator=operator, subscriber=subscriber, valid=HOUR))

    def enrol(self, code: str, *, key: int, serial: str = "", id: str = "") -> Terminal | Refused:
        asked = enrolment(code, key=key, serial=serial or f"serial-{key}")
        name = id or f"trm-{key}"
        return self.do(lambda work: enrol(work, asked, id=name, binding_code=f"BIND-{key}"))


def enrolment(code: str, *, key: int, serial: str) -> Enrolment:
    public_key = b64encode(key.to_bytes(32)).decode()
    return Enrolment(code=code, public_key=public_key, hardware="lab", serial=serial, version="1")


def done(outcome: T | Refused) -> T:
    assert not isinstance(outcome, Refused), outcome
    return outcome


def reason(outcome: object) -> Refusal:
    assert isinstance(outcome, Refused), outcome
    assert "–" not in outcome.sentence + outcome.cure, f"a refusal must state its facts: {outcome.sentence}"
    return outcome.reason
