"""Answers that are given again: a request with an ``Idempotency-Key`` takes effect once.

The answer is stored in the same commit as the effect and forgotten after a day. It may hold a secret that is shown only
once, such as an enrolment code, so it is sealed with a key made from the Idempotency-Key, which itself is not kept.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import secret_owner
from qanat.units import DAY, later

_NONCE: Final = bytes(12)
"""Each sealing key seals one answer, so the nonce need not vary (RFC 8439 §2.8)."""


class StoredAnswer(Record, frozen=True, kw_only=True):
    request: str
    """SHA-256 of the method, path and body that it answers."""
    status: int
    sealed: str


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that may come again: who sent it, with which key, and the digest of what it said."""

    caller: str
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def earlier_answer(work: Work, asked: Repeatable) -> Answer | Refused | None:
    """Return what was answered to this request before; None if it is new."""
    stored = work.get(StoredAnswer, _page(asked), "answer")
    if stored is None or (stored.due is not None and stored.due <= work.now):
        return None
    if stored.request != asked.request:
        return Refused(Refusal.KEY_REUSED, {"key": asked.key})
    return Answer(stored.status, _cipher(asked).decrypt(_NONCE, b64decode(stored.sealed), None))


def store_answer(work: Work, asked: Repeatable, answer: Answer) -> None:
    sealed = b64encode(_cipher(asked).encrypt(_NONCE, answer.body, None)).decode()
    work.put(
        StoredAnswer(
            owner=_page(asked),
            id="answer",
            request=asked.request,
            status=answer.status,
            sealed=sealed,
            due=later(work.now, DAY),
        )
    )


def _page(asked: Repeatable) -> Owner:
    return secret_owner("answer", f"{asked.caller}\n{asked.key}")


def _cipher(asked: Repeatable) -> ChaCha20Poly1305:
    secret = f"seal\n{asked.caller}\n{asked.key}\n{asked.request}"
    return ChaCha20Poly1305(hashlib.sha256(secret.encode()).digest())
