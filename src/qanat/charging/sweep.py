"""The sweeper: what happens when a deadline passes and nobody says anything.

Reservations go home, silent sessions close, expired buckets empty, and what was only kept for repeats is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from qanat.charging.credit_control import close, release_overdue
from qanat.charging.session import TRANSITIONS, Event, Session, State
from qanat.ids import Owner
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.transit import Outbox, Receipt, forget
from qanat.ledger.work import Record, Work
from qanat.units import DAY, MINUTE, Instant, Millis

_LOOK_AGAIN: Final = Millis(5 * MINUTE)
_EMPTY_KEPT: Final = Millis(90 * DAY)
"""An expired, empty bucket stays this long for statements."""

Sweepers = Mapping[type[Record], Callable[[Work, Any], None]]
"""What to do with a due record of a kind that charging does not know."""
_NO_OTHERS: Final[Sweepers] = {}


def sweep(work: Work, owner: Owner, others: Sweepers = _NO_OTHERS) -> int:
    """Do what is due for one owner and return how many records it concerned. Repeating finds nothing to do."""
    work.act = "swept"
    due = work.due(owner)
    for record in sorted(due, key=_sessions_first):
        fresh = work.get(type(record), owner, record.id)
        if fresh is not None:
            _sweep_one(work, fresh, others)
    return len(due)


def _sessions_first(record: Record) -> bool:
    """Sessions before buckets: what a session releases can then expire with its bucket."""
    return not isinstance(record, Session)


def _sweep_one(work: Work, record: Record, others: Sweepers) -> None:
    if type(record) in others:
        others[type(record)](work, record)
    elif isinstance(record, Session):
        _sweep_session(work, record)
    elif isinstance(record, Account):
        _sweep_bucket(work, record)
    elif isinstance(record, Receipt):
        forget(work, record)
    elif not isinstance(record, Outbox):  # that is due until its parcels are delivered
        work.drop(record)


def _sweep_session(work: Work, session: Session) -> None:
    if session.state is State.CLOSED:
        work.drop(session)
        return
    session = release_overdue(work, session)
    if not session.quotas:
        assert TRANSITIONS[session.state, Event.EXPIRED] is State.CLOSED
        session = close(work, session)
    work.put(session)


def _sweep_bucket(work: Work, bucket: Account) -> None:
    if not bucket.balance:
        work.drop(bucket)
        return
    book.expire(work, bucket)
    emptied = work.get(Account, bucket.owner, bucket.id)
    assert emptied is not None, f"{bucket.label} was just expired"
    # What is still reserved comes home when its session ends: look again until then.
    work.put(replace(emptied, due=Instant(work.now + (_LOOK_AGAIN if emptied.balance else _EMPTY_KEPT))))
