"""What agents and the server say to each other: JSON over signed HTTP.

A terminal is a credit-control client in RFC 8506's words: first, intermediate and final interrogations carry what was
used and ask for quotas. Usage travels as *rows* of the usage journal. Rows are cumulative, so a repeated, late or
reordered row changes nothing. Everything here is repeatable: (terminal, session, number) names an interrogation and
(journal, seq) a row, and the same name gets the same answer.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from qanat.units import MAX_PUBLIC_OCTETS, Instant
from qanat.wire.spelling import NAME, NOTE, SERIAL

Amount = Annotated[int, Meta(ge=0, le=MAX_PUBLIC_OCTETS)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=NAME)]
Note = Annotated[str, Meta(max_length=256, pattern=NOTE)]
"""For people to read: no control characters."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strict in what it accepts: an unknown field is a mistake that should be seen."""


class UsageRow(Message, frozen=True, kw_only=True):
    """One row of the usage journal: what has passed under one quota within one epoch, so far."""

    seq: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    """Place in the journal; grows by one, never reused."""
    quota: Name
    epoch: Count
    """Counts boots, re-created interfaces and counters that went backwards; within an epoch rows only grow."""
    up: Amount
    down: Amount
    reserved: Amount
    """Octets the kernel had been allowed at that moment under this quota and epoch: written before they could pass."""
    at: Instant


class UsageReport(Message, frozen=True, kw_only=True):
    """The rows a holder has that the server has not confirmed."""

    journal: Name
    """Random, made with the journal file: a lost file never reuses (journal, seq)."""
    floor: Count
    """All rows up to here were confirmed by the server before and have been deleted by the holder."""
    rows: Annotated[list[UsageRow], Meta(max_length=1000)]


class UsageConfirmation(Message, frozen=True, kw_only=True):
    """The server has durably counted every row up to ``acked``; the holder may delete them."""

    journal: Name
    acked: Count


class Interrogation(Message, frozen=True, kw_only=True):
    """A holder reports, gives back, and asks (RFC 8506 §5)."""

    session: Name
    number: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    """CC-Request-Number (RFC 8506 §8.2): 0, then one more for each new question; a repeat keeps its number."""
    kind: Literal["first", "intermediate", "final"]
    report: UsageReport
    returns: Annotated[list[Name], Meta(max_length=64)] = []
    """Quotas whose use has ended: their last row is in ``report`` or was confirmed before; the rest goes home."""
    wants: Amount | None = None
    """Octets hinted at; null lets the server choose; 0 asks for none."""


class QuotaGrant(Message, frozen=True, kw_only=True):
    """Octets the holder may let pass before it has to come back."""

    quota: Name
    octets: Amount
    valid_until: Instant
    """After this the holder closes the gate, reports and returns (RFC 8506 §8.33 Validity-Time)."""
    threshold: Amount
    """Ask for more when so much remains (3GPP TS 32.299 §7.2.233A Volume-Quota-Threshold)."""
    final: bool
    """The last there is: no more will be granted until something is bought (RFC 8506 §5.6)."""


class RefusalBody(Message, frozen=True, kw_only=True):
    """Why not, and what to do about it."""

    reason: str
    sentence: str
    cure: str
    sentence_zh: str = ""
    cure_zh: str = ""
    facts: dict[str, int | str] = {}


class InterrogationAnswer(Message, frozen=True, kw_only=True):
    session: Name
    number: Count
    acked: Count
    quotas: list[QuotaGrant]
    """New quotas; those held before stay as they are."""
    refusal: RefusalBody | None = None
    """Present when something was asked for and none was granted."""
    report_interval_s: Annotated[int, Meta(ge=1, le=86_400)]
    server_time: Instant


class CloudSim(Message, frozen=True, kw_only=True):
    """The profile lent to a terminal."""

    iccid: str
    imsi: str
    account: str


class Enrolment(Message, frozen=True, kw_only=True):
    """A terminal's cloud-SIM registration request, signed with the key it brings: proof that it holds both halves."""

    code: Annotated[str, Meta(min_length=4, max_length=64)]
    """The one-time enrolment code that the subscriber or the operator issued."""
    public_key: Annotated[str, Meta(min_length=44, max_length=44)]
    """Raw Ed25519 public key, base64."""
    hardware: Note
    """Make and model, as the terminal knows them."""
    serial: Annotated[str, Meta(min_length=1, max_length=64, pattern=SERIAL)]
    """IMEI or another serial number of the device."""
    version: Note


class Enrolled(Message, frozen=True, kw_only=True):
    """The terminal is known from now on, and this cloud SIM is lent to it. Enrolling again with the same key and code
    gives the same answer."""

    terminal: Name
    sim: CloudSim
    subscriber: str | None
    """Whom it is bound to; null until a subscriber binds it with ``binding_code``."""
    binding_code: str | None
    report_interval_s: int
    server_time: Instant


class TerminalView(Message, frozen=True, kw_only=True):
    """What the server knows of a terminal, for its own status display."""

    terminal: Name
    identity: str
    """The identity code by which people name it."""
    sim: CloudSim | None
    subscriber: str | None
    binding_code: str | None
    available: int
    plans: list[PlanView]


class PlanView(Message, frozen=True, kw_only=True):
    """One bucket the terminal may draw from, in order of use."""

    plan: str
    octets: int
    available: int
    priority: int
    expires_at: Instant


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request failed (RFC 9457). Unknown members are ignored, as §3.2 asks."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    reason: str = ""
    cure: str = ""
    detail_zh: str = ""
    cure_zh: str = ""
    field: str = ""
