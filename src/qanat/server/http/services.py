"""What a request may use: made once by ``server/main`` and carried in the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from argon2 import PasswordHasher
from starlette.requests import Request

from qanat.charging.quota import Policy
from qanat.clock import Clock
from qanat.server.gy.peers import Roster
from qanat.server.http.admission import Admission
from qanat.server.http.signed import ReplayMemory, Verifier
from qanat.server.http.under_way import UnderWay
from qanat.server.metrics import Metrics
from qanat.server.notices import Notices
from qanat.server.ownership import Ownership
from qanat.server.passwords import Passwords, Tries
from qanat.server.place import ALONE, Place
from qanat.server.pulse import Pulse
from qanat.server.settings import Settings
from qanat.server.sharing import Shared, SharedReplayMemory, SharedTries
from qanat.server.siblings import Siblings
from qanat.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    store: Store
    clock: Clock
    settings: Settings
    policy: Policy
    metrics: Metrics
    passwords: Passwords
    tries_by_name: Tries | SharedTries
    tries_by_address: Tries | SharedTries
    admission: Admission
    under_way: UnderWay
    peers: Roster
    notices: Notices
    ownership: Ownership
    pulse: Pulse
    siblings: Siblings


def make_services(
    *,
    store: Store,
    clock: Clock,
    settings: Settings,
    hasher: PasswordHasher | None = None,
    place: Place = ALONE,
    shared: Shared | None = None,
) -> Services:
    """``shared`` is what the workers of a host must know together; None where there is but one."""
    window_s, nonces = settings.agents.signature_window_s, settings.agents.nonces
    memory = (
        ReplayMemory(window_s=window_s, bound=nonces)
        if shared is None
        else SharedReplayMemory(shared, window_s=window_s, bound=nonces)
    )
    verifier = Verifier(clock=clock, window_s=window_s, memory=memory)
    per_minute = settings.sign_in.tries_per_minute
    ownership = Ownership(store)
    metrics = Metrics(store)
    return Services(
        store=store,
        clock=clock,
        settings=settings,
        policy=settings.policy(),
        metrics=metrics,
        passwords=Passwords(at_once=settings.sign_in.hashes_at_once, hasher=hasher),
        tries_by_name=_tries(shared, "name", per_minute, clock),
        tries_by_address=_tries(shared, "address", 10 * per_minute, clock),
        admission=Admission(store=store, verifier=verifier, clock=clock),
        under_way=UnderWay(metrics, at_once=settings.http.at_once),
        peers=Roster(store, clock),
        notices=Notices(),
        ownership=ownership,
        pulse=Pulse(store, clock, ownership),
        siblings=Siblings(place),
    )


def _tries(shared: Shared | None, door: str, per_minute: int, clock: Clock) -> Tries | SharedTries:
    if shared is None:
        return Tries(per_minute=per_minute, clock=clock)
    return SharedTries(shared, door, per_minute=per_minute, clock=clock)


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)
