"""Access: who may sign in, what a token stands for, and what a role may do.

Passwords are argon2id hashes, tokens are kept as SHA-256 only. Computing a password hash takes time and memory on
purpose and is left to ``server/passwords``; here are only its results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import (
    claim,
    digest,
    holder_of,
    name_of,
    secret_owner,
    sign_in_name_owner,
    staff_owner,
    subscriber_owner,
)
from qanat.units import Instant

Role = Literal["administrator", "operator", "subscriber"]


class Staff(Record, frozen=True, kw_only=True):
    """A person who works for an operator, or administers the installation (``operator`` is empty then)."""

    role: Role
    operator: str = ""
    created_at: Instant
    dismissed_at: Instant | None = None


class Credential(Record, frozen=True, kw_only=True):
    """The password of a subscriber or a member of staff, as an argon2id hash."""

    hash: str


class Token(Record, frozen=True, kw_only=True):
    """A sign-in. ``due`` is when it runs out; None is good until it is signed out, whatever the password."""

    who: str
    role: Role
    operator: str = ""
    password: str = ""
    """SHA-256 of the hash that the password had: with another password it is good no more."""

    @property
    def label(self) -> str:
        return self.who


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, once the token has been looked up."""

    who: str
    role: Role
    operator: str = ""


def caller_may_serve(caller: Caller, operator: str) -> bool:
    """Tell whether the caller may act for an operator: an administrator for all, staff for its own."""
    return caller.role == "administrator" or (caller.role == "operator" and caller.operator == operator)


def hire(work: Work, *, name: str, role: Role, operator: str = "", password_hash: str) -> Staff | Refused:
    """Create a member of staff with a password, or take back one whom this operator dismissed."""
    owner = staff_owner(name)
    former = work.get(Staff, owner, name)
    comes_back = former is not None and former.dismissed_at is not None and former.operator == operator
    if holder_of(work, sign_in_name_owner(name)) and not comes_back:
        return Refused(Refusal.NAME_TAKEN, {"thing": f"The name {name}"})
    claim(work, sign_in_name_owner(name), holder=owner)
    staff = Staff(owner=owner, id=name, role=role, operator=operator, created_at=work.now)
    work.put(staff)
    set_password(work, owner, password_hash)
    work.act = "staff created"
    return staff


def dismiss(work: Work, *, name: str, operator: str) -> Staff | Refused:
    """Let a member of an operator's staff sign in no more; its sign-ins end. The name stays taken. Repeating is safe."""
    staff = work.get(Staff, staff_owner(name), name)
    if staff is None or staff.operator != operator:
        return Refused(Refusal.NOT_FOUND, {"thing": f"{name} in the staff of {operator}"})
    credential = work.get(Credential, staff.owner, "password")
    if credential is not None:
        work.drop(credential)
        staff = replace(staff, dismissed_at=work.now)
        work.put(staff)
    work.act = "staff dismissed"
    return staff


def set_password(work: Work, owner: Owner, password_hash: str, *, here: str = "") -> None:
    """Set a password. All sign-ins of its owner end with it, but the one whose token is ``here``."""
    work.put(Credential(owner=owner, id="password", hash=password_hash))
    held = _sign_in_of(work, here) if here else None
    if held is not None and _password_owner(held) == owner:
        work.put(replace(held, password=_password(work, owner)))
    work.act = work.act or "password set"


def replace_password(work: Work, owner: Owner, password_hash: str, *, checked: str, here: str) -> Refused | None:
    """Set another password for who knew the one of the hash ``checked``, unless that was changed or taken meanwhile."""
    if password_hash_of(work, name_of(owner)) != checked:
        return Refused(Refusal.WRONG_SIGN_IN)
    set_password(work, owner, password_hash, here=here)
    return None


def password_hash_of(work: Work, name: str) -> str | None:
    """Return the hash to check a password against: staff first; names are never shared with subscribers."""
    for owner in (staff_owner(name), subscriber_owner(name)):
        credential = work.get(Credential, owner, "password")
        if credential is not None:
            return credential.hash
    return None


def sign_in(work: Work, *, name: str, checked: str, token: str, until: Instant | None) -> Caller | Refused:
    """Give a token to somebody whose password fitted the hash ``checked``, unless it was changed while that was computed."""
    if password_hash_of(work, name) != checked:
        return Refused(Refusal.WRONG_SIGN_IN)
    staff = work.get(Staff, staff_owner(name), name)
    caller = Caller(who=name, role=staff.role if staff else "subscriber", operator=staff.operator if staff else "")
    give_token(work, caller, token=token, until=until)
    work.act = "signed in"
    return caller


def give_token(work: Work, caller: Caller, *, token: str, until: Instant | None) -> None:
    work.put(
        Token(
            owner=secret_owner("token", token),
            id="token",
            who=caller.who,
            role=caller.role,
            operator=caller.operator,
            password=_password(work, _password_owner(caller)),
            due=until,
        )
    )
    work.act = "token given"


def sign_out(work: Work, token: str) -> None:
    """Forget a token. Repeating is safe."""
    held = _sign_in_of(work, token)
    if held is not None:
        work.drop(held)
        work.act = "signed out"


def caller_of(work: Work, token: str) -> Caller | Refused:
    held = _sign_in_of(work, token)
    if held is None or (held.due is not None and (held.due <= work.now or _has_another_password(work, held))):
        return Refused(Refusal.SIGNED_OUT)
    return Caller(who=held.who, role=held.role, operator=held.operator)


def _sign_in_of(work: Work, token: str) -> Token | None:
    return work.get(Token, secret_owner("token", token), "token")


def _has_another_password(work: Work, held: Token) -> bool:
    return held.password != _password(work, _password_owner(held))


def _password_owner(one: Token | Caller) -> Owner:
    return subscriber_owner(one.who) if one.role == "subscriber" else staff_owner(one.who)


def _password(work: Work, owner: Owner) -> str:
    """Return what tells a password from those before it; empty where there is none."""
    credential = work.get(Credential, owner, "password")
    return digest(credential.hash) if credential else ""
