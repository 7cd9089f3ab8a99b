"""Enrolment: the cloud-SIM registration request. The terminal brings a key and a one-time code, and is lent a SIM."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from qanat.agents.channel import read_server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.reporter import ANY_ROUTE, Reporter
from qanat.agents.terminal.identity import Identity, key_of, public_text, store
from qanat.clock import Clock
from qanat.wire.agent import Enrolled, Enrolment

VERSION: Final = "qanat 0.1.0"


def enrol(
    state: Path, *, server: str, code: str, interface: str, channels: list[str], serial: str | None, clock: Clock
) -> Identity:
    """Register and keep the identity. Repeating with the same code is safe. Raises Rejected, NoAnswer, BadInput."""
    key = key_of(state)
    public = public_text(key)
    ways = channels_of(interface, channels)
    # A terminal without a quota may have nothing but its second channel, so enrolment tries every way there is.
    reporter = Reporter(read_server(server), key=key, key_id=public, channels=ways, clock=CorrectedClock(clock))
    request = Enrolment(
        code=code,
        public_key=public,
        hardware=hardware(),
        serial=serial or f"key-{hashlib.sha256(public.encode()).hexdigest()[:16]}",
        version=VERSION,
    )
    answer = reporter.post("/v1/terminals", request, Enrolled)
    identity = Identity(
        server=server,
        terminal=answer.terminal,
        interface=interface,
        channels=channels,
        sim=answer.sim,
        subscriber=answer.subscriber,
        binding_code=answer.binding_code,
    )
    store(state, identity)
    return identity


def channels_of(interface: str, others: list[str]) -> list[str]:
    """Return the ways to the server in order: the cloud SIM's interface, those named, then any route."""
    return [*dict.fromkeys((interface, *others, ANY_ROUTE))]


def hardware() -> str:
    """Return make and model as the firmware tells them, or the kind of machine."""
    parts = []
    for name in ("sys_vendor", "product_name"):
        try:
            parts.append(Path(f"/sys/class/dmi/id/{name}").read_text(errors="replace").strip())
        except OSError:
            continue
    return " ".join(filter(None, parts))[:256] or os.uname().machine
