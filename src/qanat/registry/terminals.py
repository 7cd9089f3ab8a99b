"""Terminals: enrolled with a one-time code, lent a cloud SIM, bound to a subscriber, revoked.

A key belongs to one terminal for ever; a device that lost its key enrols anew and takes over its own serial number and
SIM if it may.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller, caller_may_serve
from qanat.registry.codes import EnrolmentCode, enrolled_already, usable_code, use_code
from qanat.registry.names import (
    claim,
    disclaim,
    holder_of,
    iccid_owner,
    name_of,
    public_key_owner,
    secret_owner,
    serial_owner,
    subscriber_owner,
    terminal_owner,
)
from qanat.registry.sims import SimProfile, give_back, lend, lend_on
from qanat.registry.spelling import plain
from qanat.registry.subscribers import Subscriber, barred, find_subscriber
from qanat.units import Instant
from qanat.wire.agent import Enrolment


class Terminal(Record, frozen=True, kw_only=True):
    public_key: str
    hardware: str
    serial: str
    version: str
    operator: str
    iccid: str
    """The cloud SIM lent to it; empty once it was revoked."""
    imsi: str
    subscriber: str = ""
    binding_code: str = ""
    """Shown on the terminal until a subscriber has bound it. It proves only that somebody stands before the device."""
    state: Literal["enrolled", "revoked"] = "enrolled"
    enrolled_at: Instant


class TerminalLink(Record, frozen=True, kw_only=True):
    """On the subscriber's page: this terminal is bound to it."""


def enrol(work: Work, asked: Enrolment, *, id: str, binding_code: str) -> Terminal | Refused:
    """Enrol a terminal whose key has proved itself, or return it again as it is if this key did so before with this code.

    ``id`` and ``binding_code`` are what a new terminal will be called.
    """
    code = usable_code(work, asked.code, public_key=asked.public_key)
    if isinstance(code, Refused):
        return code
    if code.terminal:
        return terminal_or_refused(work, code.terminal)
    refused = enrolled_already(work, asked.public_key) or _suspended(work, code.subscriber)
    if refused:
        return refused
    earlier = _earlier_terminal(work, asked.serial, code)
    if isinstance(earlier, Refused):
        return earlier
    sim = _take_over(work, earlier) if earlier else lend(work, operator=code.operator, terminal=id, subscriber="")
    if isinstance(sim, Refused):
        return sim
    lend_on(work, sim, terminal=id, subscriber=code.subscriber)
    terminal = Terminal(
        owner=terminal_owner(id),
        id=id,
        public_key=asked.public_key,
        hardware=asked.hardware,
        serial=asked.serial,
        version=asked.version,
        operator=code.operator,
        iccid=sim.id,
        imsi=sim.imsi,
        subscriber=code.subscriber,
        binding_code="" if code.subscriber else binding_code,
        enrolled_at=work.now,
    )
    _register(work, terminal)
    use_code(work, code, public_key=asked.public_key, terminal=id)
    work.act = "terminal enrolled"
    return terminal


def bind(work: Work, *, subscriber: Subscriber, binding_code: str) -> Terminal | Refused:
    """Bind the terminal that shows this code. Repeating is safe."""
    holder = holder_of(work, secret_owner("binding", plain(binding_code)))
    terminal = find_terminal(work, name_of(holder)) if holder else None
    if terminal is None or terminal.state == "revoked":
        return Refused(Refusal.UNKNOWN_BINDING_CODE)
    if terminal.subscriber == subscriber.id:
        return terminal
    if terminal.subscriber:
        return Refused(Refusal.BOUND_TO_ANOTHER, {"thing": f"Terminal {terminal.id}"})
    if terminal.operator != subscriber.operator:
        needed = f"a subscriber of operator {terminal.operator}"
        return Refused(Refusal.NOT_ALLOWED, {"who": subscriber.id, "needed": needed})
    terminal = replace(terminal, subscriber=subscriber.id)
    work.put(terminal)
    _link(work, terminal)
    lend_on(work, _sim_of(work, terminal), terminal=terminal.id, subscriber=subscriber.id)
    work.act = "terminal bound"
    return terminal


def revoke(work: Work, terminal: Terminal) -> Terminal:
    """End a terminal: its SIM goes back to the pool, its key is never accepted again. Repeating is safe."""
    if terminal.state == "revoked":
        return terminal
    give_back(work, terminal.iccid)
    work.act = "terminal revoked"
    return _retire(work, terminal)


def find_terminal(work: Work, id: str) -> Terminal | None:
    return work.get(Terminal, terminal_owner(id), id)


def terminal_or_refused(work: Work, id: str) -> Terminal | Refused:
    return find_terminal(work, id) or Refused(Refusal.UNKNOWN_TERMINAL, {"terminal": id})


def reach_terminal(work: Work, caller: Caller, id: str) -> Terminal | Refused:
    """Return the terminal if the caller may act for it; to all others it does not exist."""
    terminal = find_terminal(work, id)
    if terminal is None:
        return Refused(Refusal.UNKNOWN_TERMINAL, {"terminal": id})
    own = caller.role == "subscriber" and terminal.subscriber == caller.who
    if not own and not caller_may_serve(caller, terminal.operator):
        return Refused(Refusal.UNKNOWN_TERMINAL, {"terminal": id})
    return terminal


def terminals_of(work: Work, subscriber: str) -> list[Terminal]:
    links = work.all(TerminalLink, subscriber_owner(subscriber))
    return [found for link in links if (found := find_terminal(work, link.id))]


def _suspended(work: Work, name: str) -> Refused | None:
    subscriber = find_subscriber(work, name) if name else None
    return None if subscriber is None else barred(subscriber)


def _earlier_terminal(work: Work, serial: str, code: EnrolmentCode) -> Terminal | Refused | None:
    """Return the terminal that this device was before, if whoever issued the code may replace it."""
    holder = holder_of(work, serial_owner(serial))
    earlier = find_terminal(work, name_of(holder)) if holder else None
    if earlier is None:
        return None
    if (earlier.operator, earlier.subscriber) != (code.operator, code.subscriber):
        return Refused(Refusal.BOUND_TO_ANOTHER, {"thing": f"Serial number {serial}"})
    return earlier


def _take_over(work: Work, earlier: Terminal) -> SimProfile:
    sim = _sim_of(work, earlier)
    _retire(work, earlier)
    return sim


def _sim_of(work: Work, terminal: Terminal) -> SimProfile:
    sim = work.get(SimProfile, iccid_owner(terminal.iccid), terminal.iccid)
    assert sim is not None, f"profile {terminal.iccid} was lent to {terminal.id} and is missing"
    return sim


def _register(work: Work, terminal: Terminal) -> None:
    work.put(terminal)
    claim(work, serial_owner(terminal.serial), holder=terminal.owner)
    claim(work, public_key_owner(terminal.public_key), holder=terminal.owner)
    if terminal.subscriber:
        _link(work, terminal)
    else:
        claim(work, secret_owner("binding", plain(terminal.binding_code)), holder=terminal.owner)


def _link(work: Work, terminal: Terminal) -> None:
    work.put(TerminalLink(owner=subscriber_owner(terminal.subscriber), id=terminal.id))


def _retire(work: Work, terminal: Terminal) -> Terminal:
    disclaim(work, serial_owner(terminal.serial))
    if terminal.binding_code:
        disclaim(work, secret_owner("binding", plain(terminal.binding_code)))
    link = work.get(TerminalLink, subscriber_owner(terminal.subscriber), terminal.id) if terminal.subscriber else None
    if link:
        work.drop(link)
    retired = replace(terminal, state="revoked", iccid="", imsi="")
    work.put(retired)
    return retired
