"""Enrolment codes: one-time permission for one device, from a subscriber or an operator.

A code is shown once, to whoever issues it; only its SHA-256 is kept. Case, dashes and the letters that are taken for
digits do not matter when it is typed in.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import (
    holder_of,
    name_of,
    operator_owner,
    public_key_owner,
    secret_owner,
    subscriber_owner,
)
from qanat.registry.spelling import plain
from qanat.units import DAY, Instant, Millis, format_instant, later

REMEMBERED: Final = Millis(7 * DAY)
"""A code that ran out or was used is named as such for so long; then it is as unknown as one never issued."""

CODES_MOST: Final = 256
"""Of one subscriber, or of one operator for nobody yet, that wait to be used."""

Device = Literal["terminal", "base station"]
COMMAND: Final[dict[Device, str]] = {"terminal": "terminal", "base station": "station"}


class EnrolmentCode(Record, frozen=True, kw_only=True):
    operator: str
    subscriber: str = ""
    """Whom the terminal is bound to at once; empty leaves that to its binding code."""
    expires_at: Instant
    used_by: str = ""
    """The public key that enrolled with it."""
    terminal: str = ""
    """The terminal or base station that did."""
    device: Device = "terminal"


class WaitingCodes(Record, frozen=True, kw_only=True):
    """On the page of the subscriber, or else of the operator: when its codes expire that were not used yet."""

    expire_at: tuple[Instant, ...]


def issue_code(
    work: Work, *, code: str, operator: str, subscriber: str, valid: Millis, device: Device = "terminal"
) -> EnrolmentCode | Refused:
    """Issue a code; a subscriber may have so many that wait to be used, and so may an operator for nobody yet."""
    expires_at, issuer = later(work.now, valid), _issuer(subscriber, operator)
    waiting = _waiting(work, issuer)
    if len(waiting) >= CODES_MOST:
        named = f"Subscriber {subscriber}" if subscriber else f"Operator {operator}"
        return Refused(Refusal.TOO_MANY_CODES, {"issuer": named, "codes": len(waiting)})
    _wait(work, issuer, [*waiting, expires_at])
    issued = EnrolmentCode(
        owner=secret_owner("code", plain(code)),
        id="code",
        operator=operator,
        subscriber=subscriber,
        expires_at=expires_at,
        device=device,
        due=later(expires_at, REMEMBERED),
    )
    work.put(issued)
    work.act = "enrolment code issued"
    return issued


def usable_code(work: Work, code: str, *, public_key: str, device: Device = "terminal") -> EnrolmentCode | Refused:
    """Return the code if this key may enrol such a device with it, or did so before."""
    issued = work.get(EnrolmentCode, secret_owner("code", plain(code)), "code")
    facts: dict[str, int | str] = {"device": COMMAND[device]}
    if issued is None or issued.device != device:
        return Refused(Refusal.UNKNOWN_CODE, facts)
    if issued.used_by == public_key:
        return issued
    if issued.used_by:
        return Refused(Refusal.CODE_USED, facts)
    if issued.expires_at <= work.now:
        return Refused(Refusal.CODE_EXPIRED, facts | {"expired_at": format_instant(issued.expires_at)})
    return issued


def use_code(work: Work, issued: EnrolmentCode, *, public_key: str, terminal: str) -> None:
    work.put(replace(issued, used_by=public_key, terminal=terminal))
    issuer = _issuer(issued.subscriber, issued.operator)
    waiting = _waiting(work, issuer)
    if issued.expires_at in waiting:
        waiting.remove(issued.expires_at)
        _wait(work, issuer, waiting)


def enrolled_already(work: Work, public_key: str) -> Refused | None:
    """Refuse a key that a device has enrolled with before, and name that device: whoever asks has proved to hold the key."""
    holder = holder_of(work, public_key_owner(public_key))
    if holder is None:
        return None
    command = "terminal" if holder.startswith("terminal/") else "station"
    return Refused(Refusal.KEY_ENROLLED, {"device": name_of(holder), "command": command})


def _issuer(subscriber: str, operator: str) -> Owner:
    """Return on whose page it is counted that a code waits."""
    return subscriber_owner(subscriber) if subscriber else operator_owner(operator)


def _waiting(work: Work, issuer: Owner) -> list[Instant]:
    held = work.get(WaitingCodes, issuer, "codes")
    return [at for at in held.expire_at if at > work.now] if held else []


def _wait(work: Work, issuer: Owner, expire_at: list[Instant]) -> None:
    due = max(expire_at, default=None)
    waiting = WaitingCodes(owner=issuer, id="codes", expire_at=tuple(expire_at), due=due)
    if expire_at:
        work.put(waiting)
    else:
        work.drop(waiting)
