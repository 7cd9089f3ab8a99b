"""Owners by their names, and claims: how a value that may belong to one holder only is held.

A claim is a record on the page of the value itself (``imsi/001010000000001``), so uniqueness needs no index: two who
want the same value meet on the same page.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
"""What operators, plans, subscribers and staff are called: 1 to 64 characters."""

_NAME: Final = re.compile(NAME)


class Claim(Record, frozen=True, kw_only=True):
    """The value whose page this is on belongs to ``holder``."""

    holder: Owner

    @property
    def label(self) -> str:
        return self.owner

    @property
    def leads_to(self) -> Owner:
        return self.holder


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def operator_owner(name: str) -> Owner:
    return Owner(f"operator/{name}")


def plan_owner(name: str) -> Owner:
    return Owner(f"plan/{name}")


def subscriber_owner(name: str) -> Owner:
    return Owner(f"subscriber/{name}")


def staff_owner(name: str) -> Owner:
    return Owner(f"staff/{name}")


def sign_in_name_owner(name: str) -> Owner:
    """Staff and subscribers sign in at one door, so they share their names."""
    return Owner(f"name/{name}")


def terminal_owner(id: str) -> Owner:
    return Owner(f"terminal/{id}")


def base_station_owner(id: str) -> Owner:
    return Owner(f"base-station/{id}")


def pool_owner(operator: str) -> Owner:
    return Owner(f"pool/{operator}")


def prefix_owner(prefix: str) -> Owner:
    """Whom the numbers behind a prefix of ICCIDs or IMSIs belong to: operators may share one."""
    return Owner(f"prefix/{prefix}")


def iccid_owner(iccid: str) -> Owner:
    return Owner(f"iccid/{iccid}")


def imsi_owner(imsi: str) -> Owner:
    return Owner(f"imsi/{imsi}")


def msisdn_owner(msisdn: str) -> Owner:
    return Owner(f"msisdn/{msisdn}")


def serial_owner(serial: str) -> Owner:
    return Owner(f"serial/{serial}")


def public_key_owner(public_key: str) -> Owner:
    return Owner(f"key/{digest(public_key)}")


def secret_owner(kind: str, secret: str) -> Owner:
    """Return the page of something that is known by a secret: only the SHA-256 of the secret is ever kept."""
    return Owner(f"{kind}/{digest(secret)}")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def name_of(owner: str) -> str:
    """Return ``alice`` for ``subscriber/alice``."""
    return owner.partition("/")[2]


def holder_of(work: Work, page: Owner) -> Owner | None:
    claim = work.get(Claim, page, "claim")
    return claim.holder if claim else None


def free_or_refused(work: Work, page: Owner, *, holder: Owner, thing: str) -> Refused | None:
    """Tell whether ``holder`` may claim the value; nothing is claimed yet."""
    held_by = holder_of(work, page)
    if held_by in (None, holder):
        return None
    return Refused(Refusal.NAME_TAKEN, {"thing": thing})


def claim(work: Work, page: Owner, *, holder: Owner) -> None:
    work.put(Claim(owner=page, id="claim", holder=holder))


def disclaim(work: Work, page: Owner) -> None:
    held = work.get(Claim, page, "claim")
    if held is not None:
        work.drop(held)
