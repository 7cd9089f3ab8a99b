"""Leases: which of several servers does what must be done by one at a time.

Nothing rests on it but work saved: two who both think it is theirs do the same thing twice, and the second finds it done.
"""

from __future__ import annotations

from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.units import HOUR, SECOND, Instant, Millis, later

VALID: Final = Millis(15 * SECOND)
_RENEWED: Final = Millis(7 * SECOND)
_BELIEVED: Final = HOUR
"""A lease that is valid for longer was taken by a clock that went wrong; clocks that differ by minutes are no reason."""


class Lease(Record, frozen=True, kw_only=True):
    holder: str
    until: Instant


def take(work: Work, name: str, *, holder: str) -> bool:
    """Tell whether a task is ours now; it is then for ``VALID``, and longer for whoever asks again before."""
    owner = Owner(f"lease/{name}")
    lease = work.get(Lease, owner, "lease")
    if lease is not None and lease.holder != holder and work.now < lease.until <= later(work.now, _BELIEVED):
        return False
    if lease is None or lease.holder != holder or lease.until < later(work.now, Millis(VALID - _RENEWED)):
        work.put(Lease(owner=owner, id="lease", holder=holder, until=later(work.now, VALID)))
        work.act = "lease taken"
    return True


def give_up(work: Work, name: str, *, holder: str) -> None:
    """Let another have a task at once. Repeating is safe."""
    lease = work.get(Lease, Owner(f"lease/{name}"), "lease")
    if lease is not None and lease.holder == holder:
        work.drop(lease)
        work.act = "lease given up"
