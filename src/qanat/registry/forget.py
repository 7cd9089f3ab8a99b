"""Forgetting: what the registry keeps only for a while goes when it is due."""

from __future__ import annotations

from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.registry.access import Token
from qanat.registry.answers import StoredAnswer
from qanat.registry.codes import EnrolmentCode
from qanat.registry.refused import RefusedRequest

PASSING: Final[tuple[type[Record], ...]] = (Token, StoredAnswer, EnrolmentCode, RefusedRequest)


def forget_due(work: Work, owner: Owner) -> int:
    """Drop an owner's passing records that are due and return how many there were."""
    due = [record for kind in PASSING for record in work.all(kind, owner) if record.due and record.due <= work.now]
    for record in due:
        work.drop(record)
    if due:
        work.act = "forgotten"
    return len(due)
