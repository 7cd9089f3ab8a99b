"""The pool of cloud SIMs: profiles are added, lent to terminals and given back.

The free ones stand in a queue on the operator's pool page, so taking one costs the same however large the pool is, and
a profile that was given back is lent again as late as possible.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import Literal

from msgspec.structs import replace

from qanat.errors import BadInput
from qanat.ids import Iccid, Imsi, is_iccid, is_imsi, luhn_digit
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import claim, holder_of, iccid_owner, imsi_owner, pool_owner, prefix_owner
from qanat.registry.operators import require_operator


class SimProfile(Record, frozen=True, kw_only=True):
    """A cloud SIM. It lives on its ICCID's page, which makes the ICCID unique."""

    operator: str
    imsi: Imsi
    state: Literal["free", "lent"] = "free"
    terminal: str = ""
    subscriber: str = ""


class Pool(Record, frozen=True, kw_only=True):
    """The queue of an operator's free profiles: places ``head`` up to ``tail`` are filled."""

    head: int = 0
    tail: int = 0
    profiles: int = 0

    @property
    def free(self) -> int:
        return self.tail - self.head


class PoolPlace(Record, frozen=True, kw_only=True):
    iccid: Iccid


class Numbering(Record, frozen=True, kw_only=True):
    """On the page of a prefix: the last number that was made up behind it, for whichever operator."""

    last: int


@dataclass(frozen=True, slots=True)
class NewProfile:
    iccid: Iccid
    imsi: Imsi


@dataclass(frozen=True, slots=True)
class Added:
    added: int
    existing: int


def add_profiles(work: Work, *, operator: str, profiles: Iterable[NewProfile]) -> Added | Refused:
    """Put profiles into the pool. Those that are in it already are counted and left alone, so repeating is safe."""
    home = require_operator(work, operator)
    if isinstance(home, Refused):
        return home
    pool = pool_of(work, operator)
    new: list[NewProfile] = []
    existing = 0
    for profile in profiles:
        known = work.get(SimProfile, iccid_owner(profile.iccid), profile.iccid)
        if known and (known.operator, known.imsi) == (operator, profile.imsi):
            existing += 1
        elif known or holder_of(work, imsi_owner(profile.imsi)):
            return Refused(Refusal.NAME_TAKEN, {"thing": f"ICCID {profile.iccid} or IMSI {profile.imsi}"})
        else:
            new.append(profile)
    for profile in new:
        pool = _add(work, pool, operator, profile)
    if new:
        work.put(pool)
        work.act = "SIM profiles added"
    return Added(added=len(new), existing=existing)


def pool_of(work: Work, operator: str) -> Pool:
    owner = pool_owner(operator)
    return work.get(Pool, owner, operator) or Pool(owner=owner, id=operator)


def lend(work: Work, *, operator: str, terminal: str, subscriber: str) -> SimProfile | Refused:
    """Take the next free profile for a terminal."""
    pool = pool_of(work, operator)
    if not pool.free:
        return Refused(Refusal.POOL_EMPTY, {"operator": operator})
    place = work.get(PoolPlace, pool.owner, str(pool.head))
    assert place is not None, f"place {pool.head} of the pool of {operator} is counted and missing"
    profile = work.get(SimProfile, iccid_owner(place.iccid), place.iccid)
    assert profile is not None, f"profile {place.iccid} stands in the pool and is missing"
    work.drop(place)
    work.put(replace(pool, head=pool.head + 1))
    return lend_on(work, profile, terminal=terminal, subscriber=subscriber)


def lend_on(work: Work, profile: SimProfile, *, terminal: str, subscriber: str) -> SimProfile:
    """Let another terminal, or another subscriber's, hold a profile that is lent already."""
    profile = replace(profile, state="lent", terminal=terminal, subscriber=subscriber)
    work.put(profile)
    return profile


def give_back(work: Work, iccid: str) -> None:
    """Put a lent profile at the end of its operator's queue."""
    profile = work.get(SimProfile, iccid_owner(iccid), iccid)
    assert profile is not None, f"profile {iccid} was lent and is missing"
    pool = pool_of(work, profile.operator)
    work.put(replace(profile, state="free", terminal="", subscriber=""))
    work.put(_queue(work, pool, Iccid(iccid)))


def take_numbers(work: Work, *, issuer: str, imsi_prefix: str, first: int | None, count: int) -> int:
    """Take so many numbers behind two prefixes and return the first; None goes on behind the last. Raises BadInput."""
    pages = [prefix_owner(issuer), prefix_owner(imsi_prefix)]
    last = max((one.last for page in pages for one in work.all(Numbering, page)), default=0)
    first = last + 1 if first is None else first
    _require_room(issuer=issuer, imsi_prefix=imsi_prefix, last=first + count - 1)
    for page in pages:
        work.put(Numbering(owner=page, id="numbering", last=max(last, first + count - 1)))
    work.act = "numbers taken"
    return first


def profile_range(*, issuer: str, imsi_prefix: str, first: int, count: int) -> list[NewProfile]:
    """Make up ``count`` profiles numbered from ``first``: 19 digits of ICCID with check digit, 15 of IMSI.

    ``issuer`` starts with 89 (ITU-T E.118 §4.1), ``imsi_prefix`` is MCC and MNC. Raises BadInput when a number does not
    fit behind its prefix.
    """
    _require_room(issuer=issuer, imsi_prefix=imsi_prefix, last=first + count - 1)
    return [_numbered(issuer, imsi_prefix, number) for number in range(first, first + count)]


def read_profiles(text: str) -> list[NewProfile]:
    """Read CSV with the columns ``iccid`` and ``imsi``. Raises BadInput that names the line."""
    rows = csv.DictReader(StringIO(text))
    if not {"iccid", "imsi"} <= set(rows.fieldnames or []):
        raise BadInput("the first line must name the columns iccid and imsi", field="csv line 1")
    profiles = []
    for row in rows:
        iccid, imsi = (row["iccid"] or "").strip(), (row["imsi"] or "").strip()
        where = f"csv line {rows.line_num}"
        if not is_iccid(iccid):
            raise BadInput(f"{iccid!r} is no ICCID: 89…, 19 or 20 digits with a right check digit", field=where)
        if not is_imsi(imsi):
            raise BadInput(f"{imsi!r} is no IMSI: 6 to 15 digits", field=where)
        profiles.append(NewProfile(Iccid(iccid), Imsi(imsi)))
    return profiles


def _require_room(*, issuer: str, imsi_prefix: str, last: int) -> None:
    if not (issuer.isascii() and issuer.isdigit() and issuer.startswith("89") and len(issuer) < 18):
        raise BadInput(f"{issuer!r} is no ICCID issuer prefix: digits that start with 89, at most 17", field="issuer")
    if not (imsi_prefix.isascii() and imsi_prefix.isdigit() and 5 <= len(imsi_prefix) < 15):
        raise BadInput(f"{imsi_prefix!r} is no IMSI prefix: 5 to 14 digits, MCC and MNC first", field="imsi_prefix")
    for prefix, room, field in (
        (issuer, 18 - len(issuer), "issuer"),
        (imsi_prefix, 15 - len(imsi_prefix), "imsi_prefix"),
    ):
        if len(str(last)) > room:
            raise BadInput(f"number {last} does not fit behind {prefix}: it leaves {room} digits", field=field)


def _numbered(issuer: str, imsi_prefix: str, number: int) -> NewProfile:
    body = issuer + str(number).zfill(18 - len(issuer))
    return NewProfile(
        iccid=Iccid(body + luhn_digit(body)), imsi=Imsi(imsi_prefix + str(number).zfill(15 - len(imsi_prefix)))
    )


def _add(work: Work, pool: Pool, operator: str, new: NewProfile) -> Pool:
    page = iccid_owner(new.iccid)
    work.put(SimProfile(owner=page, id=new.iccid, operator=operator, imsi=new.imsi))
    claim(work, imsi_owner(new.imsi), holder=page)
    return replace(_queue(work, pool, new.iccid), profiles=pool.profiles + 1)


def _queue(work: Work, pool: Pool, iccid: Iccid) -> Pool:
    work.put(PoolPlace(owner=pool.owner, id=str(pool.tail), iccid=iccid))
    return replace(pool, tail=pool.tail + 1)
