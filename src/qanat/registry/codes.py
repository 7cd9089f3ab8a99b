"""Enrolment codes: one-time permission for one device, from a subscriber or an operator.

A code is shown once, to whoever issues it; only its SHA-256 is kept. Case, dashes and the letters that are taken for
digits do not matter when it is typed in.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import holder_of, name_of, public_key_owner, secret_owner, subscriber_owner
from qanat.registry.spelling import plain
from qanat.units import DAY, Instant, Millis, format_instant, later

REMEMBERED: Final = Millis(7 * DAY)
"""A code that ran out or was used is named as such for so long; then it is as unknown as one never issued."""

CODES_MOST: Final = 256
"""Of one subscriber that wait to be used."""

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
    """On the subscriber's page: when its codes expire that were not used yet."""

    expire_at: tuple[Instant, ...]


def issue_code(
    work: Work, *, code: str, operator: str, subscriber: str, valid: Millis, device: Device = "terminal"
) -> EnrolmentCode | Refused:
    """Issue a code; a subscriber may have so many that wait to be used."""
    expires_at = later(work.now, valid)
    if subscriber:
        waiting = _waiting(work, subscriber)
        if len(waiting) >= CODES_MOST:
            return Refused(Refusal.TOO_MANY_CODES, {"subscriber": subscriber, "codes": len(waiting)})
        _wait(work, subscriber, [*waiting, expires_at])
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
    waiting = _waiting(work, issued.subscriber) if issued.subscriber else []
    if issued.expires_at in waiting:
        waiting.remove(issued.expires_at)
        _wait(work, issued.subscriber, waiting)


def enrolled_already(work: Work, public_key: str) -> Refused | None:
    """Refuse a key that a device has enrolled with before, and name that device: whoever asks has proved to hold the key."""
    holder = holder_of(work, public_key_owner(public_key))
    if holder is None:
        return None
    command = "terminal" if holder.startswith("terminal/") else "station"
    return Refused(Refusal.KEY_ENROLLED, {"device": name_of(holder), "command": command})


def _waiting(work: Work, subscriber: str) -> list[Instant]:
    held = work.get(WaitingCodes, subscriber_owner(subscriber), "codes")
    return [at for at in held.expire_at if at > work.now] if held else []


def _wait(work: Work, subscriber: str, expire_at: list[Instant]) -> None:
    due, owner = max(expire_at, default=None), subscriber_owner(subscriber)
    waiting = WaitingCodes(owner=owner, id="codes", expire_at=tuple(expire_at), due=due)
    if expire_at:
        work.put(waiting)
    else:
        work.drop(waiting)
