"""Identity codes: what people say, type or scan to name a subscriber, a terminal or a base station.

A letter for the kind, nine symbols, one check symbol: ``T-7K2M9-QXDV4``. How they are
spelt and what the check sees is in ``registry/spelling``. A code is public; it names, it proves nothing.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, NewType

from msgspec.structs import replace

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.spelling import ALPHABET, checks, plain, with_check

IdentityCode = NewType("IdentityCode", str)
Kind = Literal["subscriber", "terminal", "base station"]

_LETTERS: Final[dict[str, Kind]] = {"S": "subscriber", "T": "terminal", "B": "base station"}
_LENGTH: Final = 11


class Identity(Record, frozen=True, kw_only=True):
    """On the code's own page: whom it names."""

    subject: Owner
    revoked: bool = False

    @property
    def label(self) -> str:
        return self.owner.partition("/")[2]


class IdentityLink(Record, frozen=True, kw_only=True):
    """On the subject's page: its code, and how many it has had."""

    code: IdentityCode
    generation: int


def issue(work: Work, subject: Owner) -> IdentityCode:
    """Return the subject's code, made at the first call."""
    link = work.get(IdentityLink, subject, "identity")
    return link.code if link else _issue_next(work, subject, 0)


def revoke(work: Work, subject: Owner) -> IdentityCode:
    """Replace the subject's code with a new one; the old one is refused from now on."""
    link = work.get(IdentityLink, subject, "identity")
    if link is None:
        return issue(work, subject)
    held = work.get(Identity, _page(link.code), "identity")
    assert held is not None, f"the identity code of {subject} names nobody"
    work.put(replace(held, revoked=True))
    work.act = "identity code revoked"
    return _issue_next(work, subject, link.generation + 1)


def look_up(work: Work, text: str, *, kinds: tuple[Kind, ...]) -> Owner | Refused:
    """Return whom a code names, however a person wrote it, if it is one of these kinds."""
    code = spell(text)
    if not is_well_spelt(code):
        return Refused(Refusal.MISSPELT_IDENTITY, {"code": text[:64]})
    held = work.get(Identity, _page(code), "identity")
    if held is None:
        return Refused(Refusal.UNKNOWN_IDENTITY, {"code": code})
    if held.revoked:
        return Refused(Refusal.IDENTITY_REVOKED, {"code": code})
    kind = kind_of(code)
    if kind not in kinds:
        return Refused(Refusal.WRONG_KIND_OF_IDENTITY, {"code": code, "kind": kind, "needed": " or ".join(kinds)})
    return held.subject


def kind_of(code: IdentityCode) -> Kind:
    return _LETTERS[code[0]]


def spell(text: str) -> IdentityCode:
    """Return a code as it is kept, ``T-7K2M9-QXDV4``, however it was written; a wrong one stays wrong."""
    symbols = plain(text)
    return IdentityCode(f"{symbols[:1]}-{symbols[1:6]}-{symbols[6:]}")


def is_well_spelt(code: IdentityCode) -> bool:
    symbols = code.replace("-", "")
    return len(symbols) == _LENGTH and symbols[0] in _LETTERS and checks(symbols)


def make_code(subject: Owner, generation: int) -> IdentityCode:
    """Make the code of a subject's generation: 45 bits of its SHA-256, so that nothing here needs chance."""
    number = int.from_bytes(hashlib.sha256(f"{subject}\n{generation}".encode()).digest()[:8]) >> 19
    letter = next(letter for letter, kind in _LETTERS.items() if kind == subject.partition("/")[0].replace("-", " "))
    return spell(with_check(letter + "".join(ALPHABET[number >> shift & 31] for shift in range(40, -1, -5))))


def _issue_next(work: Work, subject: Owner, generation: int) -> IdentityCode:
    code = make_code(subject, generation)
    while work.get(Identity, _page(code), "identity") is not None:  # another subject has it: 1 in 2^45 for each
        generation += 1
        code = make_code(subject, generation)
    work.put(Identity(owner=_page(code), id="identity", subject=subject))
    work.put(IdentityLink(owner=subject, id="identity", code=code, generation=generation))
    work.act = work.act or "identity code issued"
    return code


def _page(code: IdentityCode) -> Owner:
    return Owner(f"identity/{code}")
