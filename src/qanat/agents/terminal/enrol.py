"""Enrolment: the cloud-SIM registration request. The terminal brings a key and a one-time code, and is lent a SIM."""

from __future__ import annotations

from pathlib import Path

from qanat.agents.channel import read_server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of, public_text
from qanat.agents.hardware import VERSION, hardware, serial_of
from qanat.agents.kernel.link import require_interfaces
from qanat.agents.reporter import ANY_ROUTE, Reporter
from qanat.agents.terminal.identity import Identity, store
from qanat.clock import Clock
from qanat.wire.agent import Enrolled, Enrolment


def enrol(
    state: Path, *, server: str, code: str, interface: str, channels: list[str], serial: str | None, clock: Clock
) -> Identity:
    """Register and keep the identity. Repeating with the same code is safe.

    Raises BadInput and NoSuchInterface before the code is spent, Rejected, NoAnswer.
    """
    found = read_server(server)
    require_interfaces(interface, *channels)
    key = key_of(state)
    public = public_text(key)
    ways = channels_of(interface, channels)
    # A terminal without a quota may have nothing but its second channel, so enrolment tries every way there is.
    reporter = Reporter(found, key=key, key_id=public, channels=ways, clock=CorrectedClock(clock))
    request = Enrolment(
        code=code,
        public_key=public,
        hardware=hardware(),
        serial=serial or serial_of(public),
        version=VERSION,
    )
    answer = reporter.enrol("/v1/terminals", request, Enrolled, server=server)
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
