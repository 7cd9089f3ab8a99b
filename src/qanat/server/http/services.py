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
from qanat.server.http.signed import Verifier
from qanat.server.metrics import Metrics
from qanat.server.notices import Notices
from qanat.server.ownership import Ownership
from qanat.server.passwords import Passwords, Tries
from qanat.server.pulse import Pulse
from qanat.server.settings import Settings
from qanat.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    store: Store
    clock: Clock
    settings: Settings
    policy: Policy
    metrics: Metrics
    passwords: Passwords
    tries_by_name: Tries
    tries_by_address: Tries
    admission: Admission
    peers: Roster
    notices: Notices
    ownership: Ownership
    pulse: Pulse


def make_services(*, store: Store, clock: Clock, settings: Settings, hasher: PasswordHasher | None = None) -> Services:
    verifier = Verifier(clock=clock, window_s=settings.agents.signature_window_s, nonces=settings.agents.nonces)
    ownership = Ownership(store)
    return Services(
        store=store,
        clock=clock,
        settings=settings,
        policy=settings.policy(),
        metrics=Metrics(store),
        passwords=Passwords(at_once=settings.sign_in.hashes_at_once, hasher=hasher),
        tries_by_name=Tries(per_minute=settings.sign_in.tries_per_minute, clock=clock),
        tries_by_address=Tries(per_minute=10 * settings.sign_in.tries_per_minute, clock=clock),
        admission=Admission(store=store, verifier=verifier, clock=clock),
        peers=Roster(store, clock),
        notices=Notices(),
        ownership=ownership,
        pulse=Pulse(store, clock, ownership),
    )


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)
